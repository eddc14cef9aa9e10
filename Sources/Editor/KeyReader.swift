/// A key, once its bytes are understood.
public enum Key: Sendable, Equatable {
  case character(Unicode.Scalar)
  case up, down, left, right, home, end, delete, wordLeft, wordRight, deleteWordLeft, deleteWordRight, upperWord, lowerWord
  case paste(String)
  case widen, narrow, previousChoice, editOutside
  /// An ESC that nothing followed for a while. Whoever does nothing with it calls `KeyReader.holdMeta`.
  case escape

  /// ^Z
  public static let stop = Key.character("\u{1A}")
}

/// Turns the terminal's bytes into keys: UTF-8 whatever the locale, known escape sequences into their meaning, a paste into one key,
/// unknown sequences and what terminals say by themselves into nothing. Nothing is kept for ever: a control character (^C, Enter …)
/// ends whatever has begun, and a paste that has fallen silent ends at ^C.
struct KeyReader {
  private var bytes: [UInt8] = []
  /// Where what has not been read begins.
  private var start = 0
  /// Nothing followed what is there.
  private var isLate = false
  /// A lone ESC has been told already; with what comes it is Meta.
  private var holdsMeta = false
  /// What has come of a paste that is open.
  private var pasted: [UInt8]?
  /// How much has come of a string (OSC, DCS, APC, PM, SOS) that is open.
  private var stringLength: Int?
  /// Pastes that ended in another way than by their mark, and the keys behind them.
  private var ready: [Key] = []

  /// Replies of terminals have a few hundred bytes, the longest (a clipboard) are none that we ask for.
  private static let longestString = 65_536
  private static let longestSequence = 64
  private static let pasteStart = Array("[200~".utf8)
  private static let pasteEnd = Array("\u{1B}[201~".utf8)

  /// Whether what is there means something else when nothing follows: the caller waits for a moment, then calls `becomeLate`.
  var awaitsMore: Bool { !isLate && (start < bytes.count && !holdsMeta || pasted != nil || stringLength != nil) }

  mutating func append(_ more: some Collection<UInt8>) {
    // Who pastes does not pause before a ^C, and sends none alone; who sits before a dead paste does.
    if let text = pasted, more.first == 3, isLate || more.allSatisfy({ $0 == 3 }) {
      ready.append(.paste(String(decoding: text + bytes[start...], as: UTF8.self)))
      (pasted, bytes, start) = (nil, [], 0)
    }
    if start > 0 {
      bytes.removeFirst(start)
      start = 0
    }
    bytes.append(contentsOf: more)
    isLate = false
    if !more.isEmpty { holdsMeta = false }
  }

  /// What has not become a key yet, as it came, for whoever reads next.
  mutating func takeRest() -> [UInt8] {
    var rest: [UInt8] = []
    for key in ready {
      if case .paste(let text) = key { rest += [0x1B] + Self.pasteStart + Array(text.utf8) + Self.pasteEnd }
    }
    if let pasted { rest += [0x1B] + Self.pasteStart + pasted }
    // A lone ESC that was told is no key of the next reader's.
    if !holdsMeta { rest += bytes[start...] }
    self = KeyReader()
    return rest
  }

  /// Nothing came for a while: a lone ESC is a key now.
  mutating func becomeLate() { isLate = true }

  /// The ESC that was told is the first half of a key, however late the other half is.
  mutating func holdMeta() {
    guard start == bytes.count else { return }
    (bytes, start, holdsMeta) = ([0x1B], 0, true)
  }

  /// A key that was held down is pressed once: takes away what it has sent since.
  mutating func dropRepeats(of byte: UInt8) {
    guard ready.isEmpty, pasted == nil, stringLength == nil else { return }
    while start < bytes.count, bytes[start] == byte { start += 1 }
  }

  /// The next key; nil where its bytes are not all there yet.
  mutating func next() -> Key? {
    if !ready.isEmpty { return ready.removeFirst() }
    while start < bytes.count {
      if pasted != nil {
        if let key = paste() { return key }
        return nil
      }
      if stringLength != nil {
        if !string() { return nil }
        continue
      }
      guard bytes[start] == 0x1B else { return character(bytes[start]) }
      switch escape() {
      case .key(let key): return key
      case .nothing: continue
      case .incomplete: return nil
      }
    }
    return nil
  }

  private var left: Int { bytes.count - start }

  /// A character that is cut is waited for, however late the rest of it comes: it means nothing by itself. What is no rest of it (a key, or
  /// a terminal that does not speak UTF-8) ends it, and is not swallowed with it.
  private mutating func character(_ first: UInt8) -> Key? {
    let length =
      switch first {
      case 0xC2...0xDF: 2
      case 0xE0...0xEF: 3
      case 0xF0...0xF4: 4
      default: 1
      }
    let most = min(start + length, bytes.count)
    let end = bytes[start..<most].dropFirst().firstIndex { $0 & 0xC0 != 0x80 } ?? most
    if end == bytes.count, end - start < length { return nil }
    let text = String(decoding: bytes[start..<end], as: UTF8.self)
    start = end
    let scalar = text.unicodeScalars.first ?? "\u{FFFD}"
    // C1 controls are our own keys' numbers; nobody types them.
    return .character((0x80...0x9F).contains(scalar.value) ? "\u{FFFD}" : scalar)
  }

  // MARK: escape sequences

  private enum Taken {
    case key(Key)
    /// Bytes that mean nothing to us were taken, or the mode has changed.
    case nothing
    case incomplete
  }

  private mutating func escape() -> Taken {
    guard left > 1 else {
      guard isLate, !holdsMeta else { return .incomplete }
      start += 1
      return .key(.escape)
    }
    switch bytes[start + 1] {
    case UInt8(ascii: "["): return control()
    case UInt8(ascii: "O"): return shifted()
    case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"), UInt8(ascii: "^"), UInt8(ascii: "X"):
      guard left > 2 else {
        // With nothing behind it, it was typed: Meta and a letter that means nothing.
        if isLate { start += 2 }
        return isLate ? .nothing : .incomplete
      }
      start += 2
      stringLength = 0
      return .nothing
    case let other: return meta(other)
    }
  }

  private static let metas: [UInt8: Key] = [
    UInt8(ascii: "b"): .wordLeft, UInt8(ascii: "f"): .wordRight, UInt8(ascii: "d"): .deleteWordRight, 0x7F: .deleteWordLeft,
    0x08: .deleteWordLeft, UInt8(ascii: "u"): .upperWord, UInt8(ascii: "l"): .lowerWord, UInt8(ascii: "+"): .widen,
    UInt8(ascii: "="): .widen, UInt8(ascii: "-"): .narrow, UInt8(ascii: "e"): .editOutside,
  ]

  private mutating func meta(_ byte: UInt8) -> Taken {
    if let key = Self.metas[byte] {
      start += 2
      return .key(key)
    }
    // ^C behind an ESC is still ^C, a second ESC may begin a sequence, and é is no half of a key.
    start += byte < 0x20 || byte >= 0x80 ? 1 : 2
    return .nothing
  }

  /// ESC O and a letter; some terminals put a number of modifiers between.
  private mutating func shifted() -> Taken {
    var end = start + 2
    while end < bytes.count, (0x30...0x39).contains(bytes[end]) { end += 1 }
    guard end < bytes.count else {
      guard left > Self.longestSequence else { return .incomplete }
      start = bytes.count
      return .nothing
    }
    let final = bytes[end]
    start = (0x20...0x7E).contains(final) ? end + 1 : end
    return Self.cursor[final].map { .key($0) } ?? .nothing
  }

  private static let cursor: [UInt8: Key] = [
    UInt8(ascii: "A"): .up, UInt8(ascii: "B"): .down, UInt8(ascii: "C"): .right, UInt8(ascii: "D"): .left, UInt8(ascii: "H"): .home,
    UInt8(ascii: "F"): .end,
  ]

  /// ESC [ parameters, intermediates, a final byte (ECMA-48, 5.4).
  private mutating func control() -> Taken {
    guard left > 2 else { return .incomplete }
    let first = bytes[start + 2]
    // The console's function keys, and the mouse as X10 tells it: three bytes of any value.
    if first == UInt8(ascii: "[") { return skip(4) }
    if first == UInt8(ascii: "M") { return skip(6) }
    var end = start + 2
    while end < bytes.count, (0x20...0x3F).contains(bytes[end]) { end += 1 }
    guard end < bytes.count else {
      if left > Self.longestSequence {
        start = bytes.count
        return .nothing
      }
      return .incomplete
    }
    let sequence = bytes[(start + 1)...end]
    // What is no final byte ends the sequence, and means what it always does.
    guard (0x40...0x7E).contains(bytes[end]) else {
      start = end
      return .nothing
    }
    start = end + 1
    if sequence.elementsEqual(Self.pasteStart) {
      pasted = []
      return .nothing
    }
    switch String(decoding: sequence, as: UTF8.self) {
    case "[A": return .key(.up)
    case "[B": return .key(.down)
    case "[C": return .key(.right)
    case "[D": return .key(.left)
    case "[H", "[1~", "[7~": return .key(.home)
    case "[F", "[4~", "[8~": return .key(.end)
    case "[3~": return .key(.delete)
    case "[Z": return .key(.previousChoice)
    case "[1;5C", "[1;3C": return .key(.wordRight)
    case "[1;5D", "[1;3D": return .key(.wordLeft)
    default: return .nothing
    }
  }

  private mutating func skip(_ count: Int) -> Taken {
    guard left >= count || isLate else { return .incomplete }
    start = min(start + count, bytes.count)
    return .nothing
  }

  // MARK: what is long

  /// Everything up to ESC[201~ is one insertion. Each byte is looked at once, however many pieces it comes in.
  private mutating func paste() -> Key? {
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x1B) ?? bytes.count
      pasted?.append(contentsOf: bytes[start..<end])
      start = end
      if end == bytes.count { return nil }
      let mark = bytes[end...].prefix(Self.pasteEnd.count)
      if mark.elementsEqual(Self.pasteEnd) {
        start += mark.count
        defer { pasted = nil }
        return .paste(String(decoding: pasted ?? [], as: UTF8.self))
      }
      // Perhaps the mark, cut.
      if mark.elementsEqual(Self.pasteEnd.prefix(mark.count)) { return nil }
      pasted?.append(0x1B)
      start += 1
    }
    return nil
  }

  /// Takes a string that the terminal sends by itself up to ST or BEL. False where its end has not come yet.
  private mutating func string() -> Bool {
    while start < bytes.count {
      let byte = bytes[start]
      if byte == 0x1B {
        guard left > 1 else { return false }
        if bytes[start + 1] == UInt8(ascii: "\\") { start += 2 }
        stringLength = nil
        return true
      }
      let length = (stringLength ?? 0) + 1
      stringLength = length
      // A key that is none of its characters, or more than any of them has: it was none.
      if byte < 0x20 && byte != 7 || length > Self.longestString {
        stringLength = nil
        return true
      }
      start += 1
      if byte == 7 {
        stringLength = nil
        return true
      }
    }
    return false
  }
}
