import TextWidth

/// Text in rows of a width, broken at spaces where there are some near, and within a word where it is longer than a row.
public enum Wrap {
  /// The rows of one line.
  ///
  /// - Parameter hangs: rows after the first begin where the line's own text does: behind its leading spaces, and behind the name in
  ///   a list of names and what they mean.
  public static func rows(_ line: some StringProtocol, width: Int, hangs: Bool = true) -> [String] {
    let isPlain = line.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    if isPlain, line.utf8.count <= width { return [String(line)] }
    let line = isPlain ? String(line) : withoutTabs(line)
    if DisplayWidth.of(line) <= width { return [line] }
    let indent = String(repeating: " ", count: hangs ? hang(line, width) : 0)
    var rows: [String] = []
    var row = ""
    var (used, isBlank) = (0, true)
    var rest = line[...]
    while !rest.isEmpty {
      let spaces = rest.prefix { $0 == " " }
      rest = rest.dropFirst(spaces.count)
      var word = rest.prefix { $0 != " " }
      rest = rest.dropFirst(word.count)
      let (gap, wide) = (spaces.count, DisplayWidth.of(word))
      // A word longer than any row fills this one up; any other begins a row of its own.
      if !isBlank, !word.isEmpty, used + gap + wide > width, wide <= width - indent.count || used + gap >= width {
        rows.append(row)
        row = indent
        (used, isBlank) = (indent.count, true)
      } else {
        row += spaces
        used += gap
      }
      while used + DisplayWidth.of(word) > width {
        let part = DisplayWidth.prefix(word, width: max(0, width - used))
        if part.isEmpty, isBlank { break }
        rows.append(row + part)
        row = indent
        (used, isBlank) = (indent.count, true)
        word = word.dropFirst(part.count)
      }
      row += word
      used += DisplayWidth.of(word)
      if !word.isEmpty { isBlank = false }
    }
    return rows + [row]
  }

  /// Every line of a text.
  public static func text(_ text: String, width: Int, hangs: Bool = true) -> [String] {
    text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { rows($0, width: width, hangs: hangs) }
  }

  /// A tab goes to the next of the places that are eight columns apart.
  private static func withoutTabs(_ line: some StringProtocol) -> String {
    guard line.utf8.contains(0x09) else { return String(line) }
    var (out, column) = ("", 0)
    for character in line {
      if character == "\t" {
        let count = 8 - column % 8
        out += String(repeating: " ", count: count)
        column += count
      } else {
        out.append(character)
        column += DisplayWidth.of(character)
      }
    }
    return out
  }

  private static func hang(_ line: String, _ width: Int) -> Int {
    let leading = line.prefix { $0 == " " }.count
    guard leading > 0, leading <= width / 3 else { return 0 }
    // `  name     what it means`
    let text = line.dropFirst(leading)
    if let gap = text.firstRange(of: "  ") {
      let start = text[gap.lowerBound...].prefix { $0 == " " }.endIndex
      let column = leading + DisplayWidth.of(text[..<start])
      if column <= width / 2, start < text.endIndex { return column }
    }
    return text.hasPrefix("= ") ? leading + 2 : leading
  }
}
