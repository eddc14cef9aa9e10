/// Reads tokens from a position of a source. It keeps no state but the source: the parser says where to read, and may read the
/// same place again as something else (a word, a text).
struct Lexer {
  let bytes: [UInt8]

  func byte(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

  /// The token that starts at or after `start`, white space and comments passed over. Inside brackets line ends are white space.
  func token(at start: Int, skippingNewlines: Bool) -> Token {
    let begin = skipSpace(start, newlines: skippingNewlines)
    let spaceBefore = begin > start || begin == 0 || isSpace(bytes[begin - 1])
    let (kind, end) = scan(begin)
    let spaceAfter = byte(end).map(isSpace) ?? true
    return Token(kind: kind, span: Span(begin, end), spaceBefore: spaceBefore, spaceAfter: spaceAfter)
  }

  func skipSpace(_ start: Int, newlines: Bool) -> Int {
    var index = start
    while let byte = byte(index) {
      if byte == 0x20 || byte == 0x09 || byte == 0x0D || (newlines && byte == 0x0A) {
        index += 1
      } else if byte == UInt8(ascii: "#"), index == 0 || isSpace(bytes[index - 1]) || index == start {
        while let byte = self.byte(index), byte != 0x0A { index += 1 }
      } else if byte == UInt8(ascii: "\\"), self.byte(index + 1) == 0x0A {
        index += 2
      } else {
        break
      }
    }
    return index
  }

  func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

  func isNameStart(_ byte: UInt8?) -> Bool {
    guard let byte else { return false }
    return byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") || byte == UInt8(ascii: "_") || byte >= 0x80
  }

  func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }

  private func scan(_ start: Int) -> (Token.Kind, Int) {
    guard let first = byte(start) else { return (.end, start) }
    if first == 0x0A { return (.newline, start + 1) }
    if first == UInt8(ascii: "\"") || first == UInt8(ascii: "'") { return (.quote, start) }
    if isNameStart(first) { return name(start) }
    if isDigit(first) { return number(start) }
    if first == UInt8(ascii: "-"), byte(start + 1) == UInt8(ascii: "-"), isNameStart(byte(start + 2)) {
      let end = endOfDashedName(start + 2)
      return (.flag(text(start + 2, end)), end)
    }
    if first == UInt8(ascii: "%"), isDigit(byte(start + 1)), start == 0 || isSpace(bytes[start - 1]) {
      var end = start + 1
      while isDigit(byte(end)) { end += 1 }
      if let number = Int(text(start + 1, end)) { return (.job(number), end) }
      return (.invalid("this job number is too large"), end)
    }
    for symbol in Token.Symbol.allCases {
      let spelling = symbol.rawValue.utf8
      if start + spelling.count <= bytes.count, bytes[start..<(start + spelling.count)].elementsEqual(spelling) {
        return (.symbol(symbol), start + spelling.count)
      }
    }
    if first < 0x20 || first == 0x7F { return (.invalid("a control character (byte \(first)) is not part of the language"), start + 1) }
    return (.invalid("`\(text(start, start + 1))` is not part of the language"), start + 1)
  }

  private func name(_ start: Int) -> (Token.Kind, Int) {
    var end = start
    while let byte = byte(end), isNameStart(byte) || isDigit(byte) { end += 1 }
    return (.name(text(start, end)), end)
  }

  /// A flag's or setting's name, which may hold hyphens.
  func endOfDashedName(_ start: Int) -> Int {
    var end = start
    while let byte = byte(end), isNameStart(byte) || isDigit(byte) || (byte == UInt8(ascii: "-") && isNameStart(self.byte(end + 1))) {
      end += 1
    }
    return end
  }

  private func number(_ start: Int) -> (Token.Kind, Int) {
    var end = start
    func digits() { while isDigit(byte(end)) || (byte(end) == UInt8(ascii: "_") && isDigit(byte(end + 1))) { end += 1 } }
    digits()
    var isWhole = true
    if byte(end) == UInt8(ascii: "."), isDigit(byte(end + 1)) {
      isWhole = false
      end += 1
      digits()
    }
    if let e = byte(end), e | 0x20 == UInt8(ascii: "e") {
      let signed = byte(end + 1) == UInt8(ascii: "-") || byte(end + 1) == UInt8(ascii: "+")
      if isDigit(byte(end + (signed ? 2 : 1))) {
        isWhole = false
        end += signed ? 2 : 1
        digits()
      }
    }
    let spelling = text(start, end).filter { $0 != "_" }
    guard let value = Double(spelling), value.isFinite else { return (.invalid("this number is too large"), end) }
    guard isNameStart(byte(end)) else {
      if isWhole, let whole = Int(spelling) { return (.int(whole), end) }
      return (.number(value), end)
    }
    let unitStart = end
    while isNameStart(byte(end)) || isDigit(byte(end)) { end += 1 }
    let seconds: Double
    switch text(unitStart, end) {
    case "ms": seconds = value / 1000
    case "s": seconds = value
    case "m", "min": seconds = value * 60
    case "h": seconds = value * 3600
    case let unit: return (.invalid("`\(unit)` is no unit of time; there is: ms, s, m, h"), end)
    }
    guard seconds < 1e9 else { return (.invalid("this duration is too long"), end) }
    return (.duration(.microseconds(Int64((seconds * 1e6).rounded()))), end)
  }

  func text(_ start: Int, _ end: Int) -> String { String(decoding: bytes[start..<min(end, bytes.count)], as: UTF8.self) }
}
