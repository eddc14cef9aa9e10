#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A key, once its bytes are understood.
public enum Key: Sendable, Equatable {
  case character(Unicode.Scalar)
  case up, down, left, right, home, end, delete, wordLeft, wordRight, deleteWordLeft, deleteWordRight, upperWord, lowerWord
  case paste(String)
  case widen, narrow, previousChoice, editOutside
  /// A lone ESC.
  case escape
}

/// Turns the terminal's bytes into keys: UTF-8 whatever the locale, known escape sequences into their meaning, a paste into one key,
/// unknown sequences into nothing.
struct KeyReader {
  private var bytes: [UInt8] = []
  /// Nothing followed what is there.
  private var isLate = false

  var isEmpty: Bool { bytes.isEmpty }

  mutating func append(_ more: some Sequence<UInt8>) {
    bytes.append(contentsOf: more)
    isLate = false
  }

  /// Nothing came for a while: a lone ESC is a key now, and so is whatever was cut.
  mutating func becomeLate() { isLate = true }

  /// The next key; nil where its bytes are not all there yet.
  mutating func next() -> Key? {
    while let first = bytes.first {
      if first == 0x1B {
        guard bytes.count > 1 else {
          if !isLate { return nil }
          bytes.removeFirst()
          return .escape
        }
        switch escape() {
        case .some(.some(let key)): return key
        case .some(.none): continue
        case .none: return nil
        }
      }
      return character(first)
    }
    return nil
  }

  private mutating func character(_ first: UInt8) -> Key? {
    let length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC2 ? 2 : 1
    guard bytes.count >= length else {
      if !isLate { return nil }
      bytes.removeAll()
      return .character("\u{FFFD}")
    }
    let text = String(decoding: bytes.prefix(length), as: UTF8.self)
    bytes.removeFirst(length)
    let scalar = text.unicodeScalars.first ?? "\u{FFFD}"
    // C1 controls are our own keys' numbers; nobody types them.
    return .character((0x80...0x9F).contains(scalar.value) ? "\u{FFFD}" : scalar)
  }

  /// nil: more bytes are needed. `.some(nil)`: a sequence that means nothing to us was taken.
  private mutating func escape() -> Key?? {
    let introducer = bytes[1]
    guard introducer == UInt8(ascii: "[") || introducer == UInt8(ascii: "O") else {
      let key: Key? = [
        UInt8(ascii: "b"): .wordLeft, UInt8(ascii: "f"): .wordRight, UInt8(ascii: "d"): .deleteWordRight, 0x7F: .deleteWordLeft,
        UInt8(ascii: "u"): .upperWord, UInt8(ascii: "l"): .lowerWord, UInt8(ascii: "+"): .widen, UInt8(ascii: "="): .widen,
        UInt8(ascii: "-"): .narrow, UInt8(ascii: "e"): .editOutside,
      ][introducer]
      bytes.removeFirst(introducer == 0x1B ? 1 : 2)
      return .some(key)
    }
    guard let end = bytes.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) }) else {
      if isLate || bytes.count > 64 {
        bytes.removeAll()
        return .some(nil)
      }
      return nil
    }
    let sequence = String(decoding: bytes[1...end], as: UTF8.self)
    if sequence == "[200~" { return paste(from: end + 1) }
    bytes.removeFirst(end + 1)
    switch sequence {
    case "[A", "OA": return .some(.up)
    case "[B", "OB": return .some(.down)
    case "[C", "OC": return .some(.right)
    case "[D", "OD": return .some(.left)
    case "[H", "OH", "[1~", "[7~": return .some(.home)
    case "[F", "OF", "[4~", "[8~": return .some(.end)
    case "[3~": return .some(.delete)
    case "[Z": return .some(.previousChoice)
    case "[1;5C", "[1;3C": return .some(.wordRight)
    case "[1;5D", "[1;3D": return .some(.wordLeft)
    default: return .some(nil)
    }
  }

  /// Everything up to ESC[201~ is one insertion. A paste may be long: it is waited for, however late it comes.
  private mutating func paste(from start: Int) -> Key?? {
    let mark: [UInt8] = [0x1B, 0x5B, 0x32, 0x30, 0x31, 0x7E]
    guard bytes.count >= start + mark.count else { return nil }
    var index = start
    while index + mark.count <= bytes.count {
      if bytes[index] == 0x1B, bytes[index..<(index + mark.count)].elementsEqual(mark) {
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        bytes.removeFirst(index + mark.count)
        return .some(.paste(text))
      }
      index += 1
    }
    return nil
  }
}
