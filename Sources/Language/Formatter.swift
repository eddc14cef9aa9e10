/// Lays a script out: two spaces a level, one space between words, two before a trailing comment, at most one empty line. Texts, comments
/// and the order of everything stay as they are, so the meaning does too; formatting twice changes nothing more.
public enum Formatter {
  /// - Throws: the first error of a text that does not parse: it is left alone.
  public static func format(_ source: Source, vocabulary: Vocabulary) throws(Diagnostic) -> String {
    let result = Parser.parse(source, vocabulary: vocabulary)
    if let first = result.diagnostics.first { throw first }
    var layouter = Layouter(source.bytes, texts: result.texts)
    return layouter.run()
  }

  private struct Layouter {
    let bytes: [UInt8]
    /// Where a text starts, and its end.
    var texts: [Int: Int] = [:]
    var out: [UInt8] = []
    /// What is open, and whether the line that opened it had indented already.
    var depth = 0
    var continues = false

    init(_ bytes: [UInt8], texts: [Span]) {
      self.bytes = bytes
      for span in texts { self.texts[span.start] = max(self.texts[span.start] ?? 0, span.end) }
    }

    mutating func run() -> String {
      var index = 0
      var blank = 0
      while index < bytes.count {
        let (line, end) = logicalLine(index)
        index = end
        if line.isEmpty {
          blank += 1
          continue
        }
        if blank > 0, !out.isEmpty { out.append(0x0A) }
        blank = 0
        emit(line)
      }
      // At the text's end a backslash is a word; with a line end behind it, it would go on to the next line.
      if bytes.last == UInt8(ascii: "\\"), out.suffix(2).elementsEqual([UInt8(ascii: "\\"), 0x0A]) { out.removeLast() }
      return String(decoding: out, as: UTF8.self)
    }

    private enum Piece {
      case space
      case symbol(UInt8)
      case other(ArraySlice<UInt8>)
      case comment(ArraySlice<UInt8>)
    }

    /// The pieces of one line, a text of several lines counted as one piece; and where the next line starts.
    private func logicalLine(_ start: Int) -> ([Piece], Int) {
      var pieces: [Piece] = []
      var index = start
      var other = index
      func flush() { if other < index { pieces.append(.other(bytes[other..<index])) } }
      while index < bytes.count, bytes[index] != 0x0A {
        let byte = bytes[index]
        if let end = texts[index], end > index {
          index = end
          continue
        }
        let isFirst = pieces.isEmpty && other == index
        if isFirst, byte == UInt8(ascii: "?") || byte == UInt8(ascii: "!") {
          // The rest of the line is words, not language.
          let end = bytes[index...].firstIndex(of: 0x0A) ?? bytes.count
          pieces.append(.other(trimmed(bytes[index..<end])))
          return (pieces, min(end + 1, bytes.count))
        }
        // Outside of texts and words it is a comment's, wherever it stands: the lexer takes it so behind every token.
        if byte == UInt8(ascii: "#") {
          flush()
          let end = bytes[index...].firstIndex(of: 0x0A) ?? bytes.count
          pieces.append(.comment(trimmed(bytes[index..<end])))
          return (pieces, min(end + 1, bytes.count))
        }
        switch byte {
        case 0x20, 0x09, 0x0D:
          flush()
          if case .space? = pieces.last {} else if !pieces.isEmpty { pieces.append(.space) }
          index += 1
          other = index
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "["), UInt8(ascii: "]"),
          UInt8(ascii: "|"):
          flush()
          pieces.append(.symbol(byte))
          index += 1
          other = index
        default: index += 1
        }
      }
      flush()
      if case .space? = pieces.last { pieces.removeLast() }
      return (pieces, min(index + 1, bytes.count))
    }

    private func trimmed(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
      var slice = slice
      while let last = slice.last, last == 0x20 || last == 0x09 || last == 0x0D { slice.removeLast() }
      return slice
    }

    private mutating func emit(_ pieces: [Piece]) {
      var closers = 0
      for case .symbol(let byte) in pieces.prefix(while: { if case .symbol = $0 { true } else { false } }) {
        if byte == UInt8(ascii: "}") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") { closers += 1 } else { break }
      }
      let indent = max(0, depth - closers) + (continues && closers == 0 ? 1 : 0)
      out.append(contentsOf: repeatElement(0x20, count: indent * 2))
      continues = false
      for (index, piece) in pieces.enumerated() {
        switch piece {
        case .space:
          if index + 1 < pieces.count, case .comment = pieces[index + 1] { out.append(0x20) }
          out.append(0x20)
        case .symbol(let byte):
          out.append(byte)
          if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "(") || byte == UInt8(ascii: "[") { depth += 1 }
          if byte == UInt8(ascii: "}") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "]") { depth = max(0, depth - 1) }
          continues = byte == UInt8(ascii: "|")
        case .other(let slice):
          out.append(contentsOf: slice)
          continues = false
        case .comment(let slice):
          if index > 0 { if case .space = pieces[index - 1] {} else { out.append(contentsOf: [0x20, 0x20]) } }
          out.append(contentsOf: slice)
        }
      }
      out.append(0x0A)
    }
  }
}
