import Names
import TextWidth

extension Diagnostic {
  /// The diagnostic as lines of text:
  ///
  ///     error: `map` has no flag `--temprature`
  ///      --> sweep.psh:3:34
  ///       3 | let runs = map questions story --temprature 0.2
  ///         |                                ^^^^^^^^^^^^
  ///         = did you mean `--temperature`?
  ///
  /// Columns count display columns from 1. Control characters of the source are shown as `·`. Whatever names it holds, each line of it is
  /// one line.
  public func formatted() -> String {
    var lines = ["\(severity.rawValue): \(message.oneLine)"]
    var margin = " "
    if let source, let span {
      let line = source.line(of: min(span.start, source.bytes.count))
      let range = source.range(ofLine: line)
      let start = min(max(span.start, range.lowerBound), range.upperBound)
      let end = min(max(span.end, start), range.upperBound)
      // Of a very long line only what is near the mark is looked at closely.
      let near = 1200
      let isCut = start - range.lowerBound > near
      let before = visible(source.bytes[(isCut ? start - near : range.lowerBound)..<start])
      let marked = visible(source.bytes[start..<min(end, start + near)])
      let after = visible(source.bytes[end..<min(range.upperBound, end + near)])
      let skipped = isCut ? DisplayWidth.of(String(decoding: source.bytes[range.lowerBound..<(start - near)], as: UTF8.self)) : 0
      let column = skipped + DisplayWidth.of(before) + 1
      let number = String(line + source.firstLine)
      margin = String(repeating: " ", count: number.count + 2)
      // A very long line is shown around the mark.
      let shownBefore = column > 160 ? "…" + String(before.suffix(100)) : before
      lines.append(" --> \(source.name.oneLine):\(number):\(column)")
      lines.append("  \(number) | \(shownBefore)\(marked.prefix(200))\(after.prefix(100))\(after.count > 100 ? "…" : "")")
      let carets = String(repeating: "^", count: max(1, min(DisplayWidth.of(marked), 200)))
      lines.append("\(margin) | \(String(repeating: " ", count: DisplayWidth.of(shownBefore)))\(carets)")
    }
    if let help { lines.append("\(margin) = \(help.oneLine)") }
    return lines.joined(separator: "\n")
  }

  private func visible(_ bytes: ArraySlice<UInt8>) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      if scalar == "\t" {
        shown.append(" ")
      } else if let byte = SystemText.shown(scalar) {
        shown.append(contentsOf: byte.unicodeScalars)
      } else {
        let isHidden = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || Self.turnsText.contains(scalar.value)
        shown.append(isHidden ? "·" : scalar)
      }
    }
    return String(shown)
  }

  /// Bidirectional controls: they could make a line read as what it is not.
  private static let turnsText: Set<UInt32> = [
    0x61C, 0x200E, 0x200F, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069,
  ]
}
