extension Parser {
  /// A text at whose quote the parser stands: `'…'` as it stands, `"…"` with escapes and holes, `"""…"""` over many lines.
  mutating func text() throws(Diagnostic) -> Expression {
    let text = try anyText()
    texts.append(text.span)
    return text
  }

  private mutating func anyText() throws(Diagnostic) -> Expression {
    let start = token.span.start
    if lexer.byte(start) == UInt8(ascii: "'") { return try plainText(start) }
    if lexer.byte(start + 1) == UInt8(ascii: "\""), lexer.byte(start + 2) == UInt8(ascii: "\"") {
      return try nested { (parser: inout Parser) throws(Diagnostic) in try parser.longText(start) }
    }
    return try nested { (parser: inout Parser) throws(Diagnostic) in try parser.shortText(start) }
  }

  private mutating func plainText(_ start: Int) throws(Diagnostic) -> Expression {
    var end = start + 1
    while let byte = lexer.byte(end), byte != UInt8(ascii: "'") { end += 1 }
    guard lexer.byte(end) != nil else { throw unclosed(start, "'") }
    let content = lexer.text(start + 1, end)
    restart(at: end + 1)
    return Expression(.text(content.isEmpty ? [] : [.plain(content)]), Span(start, end + 1))
  }

  private mutating func shortText(_ start: Int) throws(Diagnostic) -> Expression {
    var pieces: [TextPiece] = []
    var plain: [UInt8] = []
    var index = start + 1
    while true {
      guard let byte = lexer.byte(index) else { throw unclosed(start, "\"") }
      if byte == UInt8(ascii: "\"") { break }
      index = try piece(at: index, byte, &pieces, &plain)
    }
    flush(&plain, &pieces)
    restart(at: index + 1)
    return Expression(.text(pieces), Span(start, index + 1))
  }

  /// Takes one character, escape or hole; returns where the next begins.
  private mutating func piece(
    at index: Int, _ byte: UInt8, _ pieces: inout [TextPiece], _ plain: inout [UInt8]
  ) throws(Diagnostic) -> Int {
    if byte == UInt8(ascii: "\\") { return try escape(at: index, into: &plain) }
    if byte == UInt8(ascii: "{"), let (width, inner) = hole(at: index) {
      let (expression, end) = try readHole(at: index, from: inner, closing: width)
      flush(&plain, &pieces)
      pieces.append(.hole(expression))
      return end
    }
    if byte == UInt8(ascii: "{"), let next = lexer.byte(index + 1), lexer.isDigit(next) || " (-.".utf8.contains(next) {
      braces.insert(index)
    }
    plain.append(byte)
    return index + 1
  }

  /// A hole starts with `{` (or `{{`) and a letter or `_` right after it; any other brace is itself. Returns the number of braces
  /// and where the expression starts.
  private func hole(at index: Int) -> (Int, Int)? {
    if lexer.isNameStart(lexer.byte(index + 1)) { return (1, index + 1) }
    guard lexer.byte(index + 1) == UInt8(ascii: "{") else { return nil }
    // `{{ name }}` with spaces is how half of the field writes it.
    let inner = endOfBlanks(index + 2)
    return lexer.isNameStart(lexer.byte(inner)) ? (2, inner) : nil
  }

  private mutating func readHole(at open: Int, from inner: Int, closing width: Int) throws(Diagnostic) -> (Expression, Int) {
    let help = "a brace that is only a brace is written \\{"
    do throws(Diagnostic) {
      let expression = try inBrackets(true) { (parser: inout Parser) throws(Diagnostic) in
        parser.restart(at: inner)
        return try parser.expression()
      }
      let end = token.span.start
      guard token.is(.closeBrace) else { throw unexpected("`}` at the end of the hole", help: help) }
      if width == 2, lexer.byte(end + 1) != UInt8(ascii: "}") {
        throw Diagnostic("`}}` was expected at the end of the hole", at: Span(open, end + 1), help: help)
      }
      return (expression, end + width)
    } catch {
      var error = error
      if error.help == nil { error.help = help }
      throw error
    }
  }

  private func escape(at index: Int, into plain: inout [UInt8]) throws(Diagnostic) -> Int {
    guard let byte = lexer.byte(index + 1) else { throw unclosed(index, "\"") }
    switch byte {
    case UInt8(ascii: "n"): plain.append(0x0A)
    case UInt8(ascii: "t"): plain.append(0x09)
    case UInt8(ascii: "r"): plain.append(0x0D)
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "'"): plain.append(byte)
    case 0x0A: break  // the line goes on
    case UInt8(ascii: "u"):
      guard lexer.byte(index + 2) == UInt8(ascii: "{"), let close = lexer.bytes[index...].firstIndex(of: UInt8(ascii: "}")),
        close - index <= 10,
        let value = UInt32(lexer.text(index + 3, close), radix: 16), let scalar = Unicode.Scalar(value)
      else { throw Diagnostic("this is no Unicode escape", at: Span(index, index + 2), help: "\\u{1F600}") }
      plain.append(contentsOf: String(Character(scalar)).utf8)
      return close + 1
    default:
      let character = String(decoding: lexer.bytes[(index + 1)...].prefix(4), as: UTF8.self).prefix(1)
      throw Diagnostic(
        "`\\\(character)` is no escape", at: Span(index, index + 1 + character.utf8.count),
        help: "there is: \\n \\t \\r \\\" \\\\ \\{ \\u{…}; '…' takes everything as it stands"
      )
    }
    return index + 2
  }

  /// `"""`: the text begins on the next line; the closing quotes' indentation is taken off every line.
  private mutating func longText(_ start: Int) throws(Diagnostic) -> Expression {
    var pieces: [TextPiece] = []
    var plain: [UInt8] = []
    var index = start + 3
    let opensLine = endOfBlanks(index)
    let isBlock = lexer.byte(opensLine) == 0x0A
    if isBlock { index = opensLine + 1 }
    guard let close = closingQuotes(from: index) else { throw unclosed(start, "\"\"\"") }
    let margin = isBlock ? marginBefore(close) : []
    var lineStart = isBlock
    while index < close {
      if lineStart {
        lineStart = false
        let end = min(index + margin.count, close)
        if lexer.bytes[index..<end].elementsEqual(margin) {
          index = end
        } else if let byte = lexer.byte(index), byte != 0x0A {
          index = endOfBlanks(index)
        }
        continue
      }
      guard let byte = lexer.byte(index) else { break }
      lineStart = isBlock && byte == 0x0A
      index = try piece(at: index, byte, &pieces, &plain)
    }
    // The line end before the closing quotes is not part of the text.
    if isBlock, plain.last == 0x0A { plain.removeLast() }
    flush(&plain, &pieces)
    restart(at: close + 3)
    return Expression(.text(pieces), Span(start, close + 3))
  }

  /// Within a text nothing is a comment.
  private func endOfBlanks(_ start: Int) -> Int {
    var index = start
    while let byte = lexer.byte(index), byte == 0x20 || byte == 0x09 || byte == 0x0D { index += 1 }
    return index
  }

  private func closingQuotes(from start: Int) -> Int? {
    var index = start
    while index + 2 < lexer.bytes.count {
      if lexer.bytes[index] == UInt8(ascii: "\\") {
        index += 2
        continue
      }
      if lexer.bytes[index] == 0x22, lexer.bytes[index + 1] == 0x22, lexer.bytes[index + 2] == 0x22 { return index }
      index += 1
    }
    return nil
  }

  private func marginBefore(_ close: Int) -> [UInt8] {
    var start = close
    while start > 0, lexer.bytes[start - 1] == 0x20 || lexer.bytes[start - 1] == 0x09 { start -= 1 }
    return start > 0 && lexer.bytes[start - 1] == 0x0A ? Array(lexer.bytes[start..<close]) : []
  }

  private func flush(_ plain: inout [UInt8], _ pieces: inout [TextPiece]) {
    if plain.isEmpty { return }
    pieces.append(.plain(String(decoding: plain, as: UTF8.self)))
    plain.removeAll()
  }

  private func unclosed(_ start: Int, _ quote: String) -> Diagnostic {
    var diagnostic = Diagnostic("this text is not closed", at: Span(start, endOfLine(start)), help: "it needs a \(quote) at its end")
    diagnostic.isIncomplete = true
    return diagnostic
  }
}
