/// Strings of JSON: their escapes, both ways (RFC 8259, section 7).
public enum JSONString {
  /// Where a run of bytes ends that stand for themselves in a string: at the next quote, backslash or control character, or at the
  /// end. Eight bytes are looked at together.
  @inline(__always)
  public static func plainEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var index = start
    while index + 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let quote = word ^ (ones &* 0x22)
      let slash = word ^ (ones &* 0x5C)
      // The high bit of the lowest byte that is looked for; what a borrow does to the bytes above it does not matter.
      let found =
        ((quote &- ones) & ~quote | (slash &- ones) & ~slash | (word &- ones &* 0x20) & ~word) & (ones &* 0x80)
      if found != 0 { return index + found.trailingZeroBitCount >> 3 }
      index += 8
    }
    while index < bytes.count {
      let byte = bytes[index]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
      index += 1
    }
    return index
  }

  static func decode(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> String {
    let raw = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard raw.contains(UInt8(ascii: "\\")) else { return String(decoding: raw, as: UTF8.self) }
    var text: [UInt8] = []
    text.reserveCapacity(raw.count)
    append(bytes, range, to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  static func append(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, to text: inout [UInt8]) {
    var index = range.lowerBound
    let end = range.upperBound
    var plain = index
    while index < end {
      guard bytes[index] == UInt8(ascii: "\\") else {
        index += 1
        continue
      }
      text.append(contentsOf: bytes[plain..<index])
      index += 1
      guard index < end else { break }
      let escape = bytes[index]
      index += 1
      switch escape {
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "u"):
        let (scalar, next) = scalar(bytes, index, end)
        text.append(contentsOf: String(Character(scalar)).utf8)
        index = next
      default: text.append(escape)
      }
      plain = index
    }
    if plain < end { text.append(contentsOf: bytes[plain..<end]) }
  }

  /// Appends a text that comes in pieces: a pair of surrogates may be split between two of them.
  static func append(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, to text: inout [UInt8], half: inout UInt16?) {
    var start = range.lowerBound
    let end = range.upperBound
    if let high = half, !range.isEmpty {
      half = nil
      if let low = escapedUnit(bytes, start, end), 0xDC00...0xDFFF ~= low,
        let scalar = Unicode.Scalar(0x10000 + ((UInt32(high) - 0xD800) << 10) + (low - 0xDC00))
      {
        text.append(contentsOf: String(Character(scalar)).utf8)
        start += 6
      } else {
        text.append(contentsOf: "\u{FFFD}".utf8)
      }
    }
    if end - start >= 6, let high = escapedUnit(bytes, end - 6, end), 0xD800...0xDBFF ~= high, !isEscaped(bytes, start, end - 6) {
      append(bytes, start..<(end - 6), to: &text)
      half = UInt16(high)
    } else {
      append(bytes, start..<end, to: &text)
    }
  }

  /// The unit of a `\u` escape that stands at `index`.
  private static func escapedUnit(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ end: Int) -> UInt32? {
    guard index + 6 <= end, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else { return nil }
    return unit(bytes, index + 2, end)
  }

  /// Whether the backslash at `index` is itself escaped by those before it.
  private static func isEscaped(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ index: Int) -> Bool {
    var first = index
    while first > start, bytes[first - 1] == UInt8(ascii: "\\") { first -= 1 }
    return (index - first) % 2 == 1
  }

  /// The scalar of the four digits at `index` (and of a second escape where they are half of a pair), and what follows.
  private static func scalar(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ end: Int) -> (Unicode.Scalar, Int) {
    let replacement: Unicode.Scalar = "\u{FFFD}"
    guard let first = unit(bytes, index, end) else { return (replacement, min(index + 4, end)) }
    if let scalar = Unicode.Scalar(first) { return (scalar, index + 4) }
    let low = index + 4
    if first < 0xDC00, low + 6 <= end, bytes[low] == UInt8(ascii: "\\"), bytes[low + 1] == UInt8(ascii: "u"),
      let second = unit(bytes, low + 2, end), 0xDC00...0xDFFF ~= second,
      let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    {
      return (scalar, low + 6)
    }
    return (replacement, low)
  }

  static func isHex(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): true
    default: false
    }
  }

  private static func unit(_ bytes: UnsafeRawBufferPointer, _ index: Int, _ end: Int) -> UInt32? {
    guard index + 4 <= end else { return nil }
    var value: UInt32 = 0
    for position in index..<(index + 4) {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
      default: return nil
      }
    }
    return value
  }

  /// Appends `text` as a JSON string, quotes included.
  public static func encode(_ text: String, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { bytes in
      var plain = 0
      for index in bytes.indices {
        let byte = bytes[index]
        guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte == 0x7F else { continue }
        out.append(contentsOf: bytes[plain..<index])
        plain = index + 1
        switch byte {
        case UInt8(ascii: "\""): out.append(contentsOf: [0x5C, 0x22])
        case UInt8(ascii: "\\"): out.append(contentsOf: [0x5C, 0x5C])
        case 0x0A: out.append(contentsOf: [0x5C, UInt8(ascii: "n")])
        case 0x0D: out.append(contentsOf: [0x5C, UInt8(ascii: "r")])
        case 0x09: out.append(contentsOf: [0x5C, UInt8(ascii: "t")])
        default:
          out.append(contentsOf: "\\u00".utf8)
          out.append(hex[Int(byte >> 4)])
          out.append(hex[Int(byte & 15)])
        }
      }
      out.append(contentsOf: bytes[plain...])
    }
    out.append(UInt8(ascii: "\""))
  }

  private static let hex = Array("0123456789abcdef".utf8)
}
