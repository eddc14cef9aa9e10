import JSON

/// Numbers as people and models write them.
enum NumberText {
  /// A text that is one number and nothing else, but for a currency sign or `%` and the commas between thousands.
  ///
  /// `12 %` is 12: the sign is dropped like that of a currency.
  static func read(_ text: String) -> Value? {
    var rest = Functions.trimmed(text)[...]
    if let value = plain(rest) { return value }
    let isNegative = rest.first == "-" || rest.first == "\u{2212}"
    if isNegative || rest.first == "+" { rest.removeFirst() }
    if let first = rest.first, currencies.contains(first) {
      rest.removeFirst()
    } else if let last = rest.last, last == "%" || currencies.contains(last) {
      rest.removeLast()
    }
    guard let value = grouped(Functions.trimmed(String(rest))) else { return nil }
    return isNegative ? (try? Value.int(0).apply(.subtract, value)) : value
  }

  private static let currencies: Set<Character> = ["$", "€", "£", "¥", "₹"]

  /// Every number in a text, in order. A point or comma belongs to it where digits stand on both sides; a minus where no letter or
  /// digit stands before it.
  static func all(in text: String) -> [Value] {
    let bytes = Array(text.utf8)
    func isDigit(_ index: Int) -> Bool { bytes.indices.contains(index) && (0x30...0x39).contains(bytes[index]) }
    var found: [Value] = []
    var index = 0
    while index < bytes.count {
      guard isDigit(index) else {
        index += 1
        continue
      }
      var start = index
      var end = index
      while isDigit(end) || (end < bytes.count && (bytes[end] == UInt8(ascii: ".") || bytes[end] == UInt8(ascii: ",")) && isDigit(end + 1))
      {
        end += 1
      }
      if end < bytes.count, bytes[end] | 0x20 == UInt8(ascii: "e") {
        let isSigned = end + 1 < bytes.count && (bytes[end + 1] == UInt8(ascii: "-") || bytes[end + 1] == UInt8(ascii: "+"))
        if isDigit(end + (isSigned ? 2 : 1)) {
          end += isSigned ? 2 : 1
          while isDigit(end) { end += 1 }
        }
      }
      // A fraction without its zero, then the sign.
      if start > 0, bytes[start - 1] == UInt8(ascii: ".") { start -= 1 }
      if start > 0, bytes[start - 1] == UInt8(ascii: "-"), start == 1 || !isWordByte(bytes[start - 2]) { start -= 1 }
      found += values(String(decoding: bytes[start..<end], as: UTF8.self))
      index = end
    }
    return found
  }

  /// What stands without white space: one number, or several with points and commas that belong to none (`1.2.3`, `1,2`).
  private static func values(_ run: String) -> [Value] {
    if let value = plain(run[...]) ?? grouped(run) { return [value] }
    if let value = plain("0" + run), run.hasPrefix(".") { return [value] }
    return run.split(whereSeparator: { $0 == "," }).flatMap { piece -> [Value] in
      if let value = plain(piece) { return [value] }
      return piece.split(separator: ".").compactMap { plain($0) }
    }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF) || byte >= 0x80 || byte == UInt8(ascii: ".")
  }

  /// Digits, a fraction, an exponent.
  private static func plain(_ text: Substring) -> Value? {
    guard let first = text.utf8.first, let last = text.utf8.last, last != UInt8(ascii: "."), first != UInt8(ascii: "e"),
      text.utf8.allSatisfy({ byte in (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) })
    else { return nil }
    if let whole = Int(text) { return .int(whole) }
    guard let number = Double(text), number.isFinite else { return nil }
    let exact = ExactNumber(String(text), number)
    return exact.isLarge ? .exact(exact) : Value(whole: number)
  }

  /// `1,234.50`: groups of three digits behind the first.
  private static func grouped(_ text: String) -> Value? {
    if let value = plain(text[...]) { return value }
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let groups = parts[0].split(separator: ",", omittingEmptySubsequences: false)
    let isGrouped =
      groups.count > 1 && (1...3).contains(groups[0].count) && groups.dropFirst().allSatisfy { $0.count == 3 }
      && groups.allSatisfy { $0.allSatisfy { $0.isASCII && $0.isNumber } }
    guard isGrouped else { return nil }
    return plain((groups.joined() + (parts.count > 1 ? "." + parts[1] : ""))[...])
  }
}
