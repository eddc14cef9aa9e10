/// Why a text is not JSON, and where.
public struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  public var message: String
  /// Byte offset into the text.
  public var offset: Int

  public init(_ message: String, at offset: Int) {
    self.message = message
    self.offset = offset
  }

  public var description: String { "\(message) at byte \(offset)" }

  /// Whether the text ends too early, and might be JSON if it went on.
  public var isEarlyEnd: Bool { message == Self.end || message == Self.openString }

  static let end = "unexpected end of JSON"
  static let openString = "a string is not closed"
}

/// Walks JSON text (RFC 8259) without building a tree: the caller asks for what it expects and skips the rest.
///
/// It borrows the bytes, so it lives only inside a `withUnsafeBytes`. Skipping allocates nothing, which is what makes
/// decoding one chunk of a stream cost a fraction of a microsecond (a general decoder: 7 µs).
public struct JSONCursor {
  public let bytes: UnsafeRawBufferPointer
  public private(set) var offset: Int
  private var depth = 0
  private let isTolerant: Bool
  /// Whether the last string has an escape in it.
  private var isEscaped = false

  /// Hostile nesting ends here instead of in a stack overflow.
  public static let maximumDepth = 256

  /// - Parameter tolerant: what is passed over (`skip`) may be nested as deep as it likes, and `NaN` and `Infinity` are numbers
  ///   without a value: some servers write both in members that nobody reads.
  public init(_ bytes: UnsafeRawBufferPointer, offset: Int = 0, tolerant: Bool = false) {
    self.bytes = bytes
    self.offset = offset
    isTolerant = tolerant
  }

  public enum Kind: Sendable { case object, array, string, number, bool, null }

  /// The kind of the value that starts here.
  @inline(__always)
  public mutating func peek() throws(JSONError) -> Kind {
    skipSpace()
    guard offset < bytes.count else { throw JSONError(JSONError.end, at: offset) }
    switch bytes[offset] {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
    case UInt8(ascii: "n"): return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "N"), UInt8(ascii: "I"):
      guard isTolerant else { throw JSONError("a value was expected", at: offset) }
      return .number
    default: throw JSONError("a value was expected", at: offset)
    }
  }

  /// Calls `member` with each key, the cursor standing at its value, which `member` reads or leaves (it is skipped then).
  public mutating func object(
    _ member: (borrowing JSONKey, inout JSONCursor) throws(JSONError) -> Void
  ) throws(JSONError) {
    try open(UInt8(ascii: "{"), "an object was expected")
    if try closes(UInt8(ascii: "}")) { return }
    while true {
      skipSpace()
      let range = try stringRange()
      let key = JSONKey(bytes: bytes, range: range, isEscaped: isEscaped)
      try expect(UInt8(ascii: ":"), "`:` was expected")
      skipSpace()
      let start = offset
      try member(key, &self)
      if offset == start { try skip() }
      if try closes(UInt8(ascii: "}")) { return }
      try expect(UInt8(ascii: ","), "`,` or `}` was expected")
    }
  }

  /// Calls `element` with each index, the cursor standing at the element.
  public mutating func array(_ element: (Int, inout JSONCursor) throws(JSONError) -> Void) throws(JSONError) {
    try open(UInt8(ascii: "["), "an array was expected")
    if try closes(UInt8(ascii: "]")) { return }
    var index = 0
    while true {
      skipSpace()
      let start = offset
      try element(index, &self)
      if offset == start { try skip() }
      index += 1
      if try closes(UInt8(ascii: "]")) { return }
      try expect(UInt8(ascii: ","), "`,` or `]` was expected")
    }
  }

  /// A string's text, unescaped. A lone surrogate or a byte that is not UTF-8 becomes U+FFFD.
  public mutating func string() throws(JSONError) -> String {
    skipSpace()
    let range = try stringRange()
    return JSONString.decode(bytes, range)
  }

  /// Appends a string's unescaped UTF-8 to `text`; cheaper than `string()` where the pieces are joined anyway.
  public mutating func appendString(to text: inout [UInt8]) throws(JSONError) {
    skipSpace()
    let range = try stringRange()
    JSONString.append(bytes, range, to: &text)
  }

  /// The same for a text that comes in pieces: `half` is the first half of a surrogate pair with which the piece before ended, and
  /// then the one with which this piece ends.
  public mutating func appendString(to text: inout [UInt8], half: inout UInt16?) throws(JSONError) {
    skipSpace()
    let range = try stringRange()
    JSONString.append(bytes, range, to: &text, half: &half)
  }

  /// The characters of a number, as they stand.
  public mutating func numberText() throws(JSONError) -> Substring {
    skipSpace()
    let start = offset
    try skipNumber()
    return Substring(String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<offset]), as: UTF8.self))
  }

  /// A number as an integer, nil where it is not one (a fraction, out of range).
  public mutating func int() throws(JSONError) -> Int? {
    skipSpace()
    let start = offset
    try skipNumber()
    var value = 0
    var index = start
    let negative = bytes[index] == UInt8(ascii: "-")
    if negative { index += 1 }
    while index < offset {
      guard case UInt8(ascii: "0")...UInt8(ascii: "9") = bytes[index] else { return nil }
      let (scaled, tooLarge) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflow) = scaled.addingReportingOverflow(Int(bytes[index] &- UInt8(ascii: "0")))
      if tooLarge || overflow { return nil }
      value = sum
      index += 1
    }
    return negative ? -value : value
  }

  public mutating func bool() throws(JSONError) -> Bool {
    skipSpace()
    if literal("true") { return true }
    if literal("false") { return false }
    throw JSONError("true or false was expected", at: offset)
  }

  public mutating func null() throws(JSONError) {
    skipSpace()
    guard literal("null") else { throw JSONError("null was expected", at: offset) }
  }

  /// Passes over one value of any kind, checking that it is well formed. It goes down no stack, however deep the value is.
  public mutating func skip() throws(JSONError) {
    var levels = Levels()
    value: while true {
      switch try peek() {
      case .object:
        offset += 1
        if try !ends(with: UInt8(ascii: "}")) {
          try enter(&levels, isObject: true)
          try name()
          continue value
        }
      case .array:
        offset += 1
        if try !ends(with: UInt8(ascii: "]")) {
          try enter(&levels, isObject: false)
          continue value
        }
      case .string: _ = try stringRange()
      case .number: try skipNumber()
      case .bool: _ = try bool()
      case .null: try null()
      }
      // A value is over: what holds it goes on, or ends too.
      while let isObject = levels.innermost {
        if try ends(with: isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
          levels.leave()
          continue
        }
        try expect(UInt8(ascii: ","), isObject ? "`,` or `}` was expected" : "`,` or `]` was expected")
        if isObject { try name() }
        continue value
      }
      return
    }
  }

  /// Makes sure that nothing but white space follows.
  public mutating func end() throws(JSONError) {
    skipSpace()
    guard offset == bytes.count else { throw JSONError("something follows the JSON value", at: offset) }
  }

  // MARK: steps

  private mutating func enter(_ levels: inout Levels, isObject: Bool) throws(JSONError) {
    levels.enter(isObject)
    if !isTolerant, depth + levels.count > Self.maximumDepth {
      throw JSONError("nested more than \(Self.maximumDepth) deep", at: offset)
    }
  }

  /// A member's name and its colon.
  private mutating func name() throws(JSONError) {
    skipSpace()
    _ = try stringRange()
    try expect(UInt8(ascii: ":"), "`:` was expected")
  }

  @inline(__always)
  private mutating func ends(with byte: UInt8) throws(JSONError) -> Bool {
    skipSpace()
    guard offset < bytes.count else { throw JSONError(JSONError.end, at: offset) }
    guard bytes[offset] == byte else { return false }
    offset += 1
    return true
  }

  @inline(__always)
  private mutating func skipSpace() {
    while offset < bytes.count {
      switch bytes[offset] {
      case 0x20, 0x0A, 0x0D, 0x09: offset += 1
      default: return
      }
    }
  }

  @inline(__always)
  private mutating func expect(_ byte: UInt8, _ problem: StaticString) throws(JSONError) {
    skipSpace()
    guard offset < bytes.count else { throw JSONError(JSONError.end, at: offset) }
    guard bytes[offset] == byte else { throw unexpected(problem) }
    offset += 1
  }

  @inline(never)
  private func unexpected(_ problem: StaticString) -> JSONError { JSONError("\(problem)", at: offset) }

  @inline(__always)
  private mutating func open(_ byte: UInt8, _ problem: StaticString) throws(JSONError) {
    try expect(byte, problem)
    depth += 1
    if depth > Self.maximumDepth { throw JSONError("nested more than \(Self.maximumDepth) deep", at: offset) }
  }

  @inline(__always)
  private mutating func closes(_ byte: UInt8) throws(JSONError) -> Bool {
    guard try ends(with: byte) else { return false }
    depth -= 1
    return true
  }

  private mutating func literal(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard offset + count <= bytes.count else { return false }
    for index in 0..<count where bytes[offset + index] != word.utf8Start[index] { return false }
    offset += count
    return true
  }

  /// The bytes between the quotes, still escaped.
  private mutating func stringRange() throws(JSONError) -> Range<Int> {
    try expect(UInt8(ascii: "\""), "a string was expected")
    let start = offset
    isEscaped = false
    while true {
      let end = JSONString.plainEnd(bytes, from: offset)
      offset = end
      guard end < bytes.count else { throw JSONError(JSONError.openString, at: start - 1) }
      switch bytes[end] {
      case UInt8(ascii: "\""):
        offset = end + 1
        return start..<end
      case UInt8(ascii: "\\"):
        isEscaped = true
        try passEscape(ofStringAt: start)
      default:
        throw JSONError("a control character must be escaped in a string", at: end)
      }
    }
  }

  private mutating func passEscape(ofStringAt start: Int) throws(JSONError) {
    guard offset + 1 < bytes.count else { throw JSONError(JSONError.openString, at: start - 1) }
    switch bytes[offset + 1] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"), UInt8(ascii: "n"),
      UInt8(ascii: "r"), UInt8(ascii: "t"):
      offset += 2
    case UInt8(ascii: "u"):
      for index in (offset + 2)..<(offset + 6) {
        guard index < bytes.count else { throw JSONError(JSONError.openString, at: start - 1) }
        guard JSONString.isHex(bytes[index]) else { throw JSONError("`\\u` needs four hexadecimal digits", at: offset) }
      }
      offset += 6
    default: throw JSONError("a backslash stands before what cannot be escaped", at: offset)
    }
  }

  private mutating func skipNumber() throws(JSONError) {
    let start = offset
    if offset < bytes.count, !Self.isDigit(bytes[offset]) {
      if isTolerant, literal("NaN") || literal("Infinity") || literal("-Infinity") { return }
      if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
    }
    let leading = offset
    guard digits() else { throw JSONError("a number was expected", at: start) }
    if bytes[leading] == UInt8(ascii: "0"), offset - leading > 1 {
      throw JSONError("a number starts with 0", at: leading)
    }
    if offset < bytes.count, bytes[offset] == UInt8(ascii: ".") {
      offset += 1
      guard digits() else { throw JSONError("digits were expected after `.`", at: offset) }
    }
    if offset < bytes.count, bytes[offset] | 0x20 == UInt8(ascii: "e") {
      offset += 1
      if offset < bytes.count, bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-") { offset += 1 }
      guard digits() else { throw JSONError("digits were expected in the exponent", at: offset) }
    }
  }

  private mutating func digits() -> Bool {
    let start = offset
    while offset < bytes.count, Self.isDigit(bytes[offset]) { offset += 1 }
    return offset > start
  }

  @inline(__always)
  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
}

/// A member's key, compared in place.
public struct JSONKey: ~Copyable {
  @usableFromInline let bytes: UnsafeRawBufferPointer
  @usableFromInline let range: Range<Int>
  @usableFromInline let isEscaped: Bool

  /// Whether the key is `name`, however it is escaped. Inlined into whoever asks: of most keys the length says no, in five instructions
  /// where a call takes forty, and an event's keys are asked a hundred times.
  @inlinable @inline(__always)
  public func `is`(_ name: StaticString) -> Bool {
    let count = name.utf8CodeUnitCount
    guard range.count == count else {
      // An escape takes more bytes than what it stands for.
      return isEscaped && range.count > count && spells(name)
    }
    for index in 0..<count where bytes[range.lowerBound &+ index] != name.utf8Start[index] { return false }
    return true
  }

  @inline(never) @usableFromInline
  func spells(_ name: StaticString) -> Bool {
    text.utf8.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  public var text: String { JSONString.decode(bytes, range) }
}

/// What is open around a value, as bits: the innermost 64 levels in a word, whatever is outside them in an array.
private struct Levels {
  private(set) var count = 0
  private var bits: UInt64 = 0
  private var outer: [UInt64] = []

  /// Whether it is an object; nil where nothing is open.
  var innermost: Bool? { count == 0 ? nil : bits & 1 == 1 }

  mutating func enter(_ isObject: Bool) {
    if count > 0, count % 64 == 0 {
      outer.append(bits)
      bits = 0
    }
    bits = bits << 1 | (isObject ? 1 : 0)
    count += 1
  }

  mutating func leave() {
    bits >>= 1
    count -= 1
    if count > 0, count % 64 == 0, let last = outer.popLast() { bits = last }
  }
}
