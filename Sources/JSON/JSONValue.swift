/// A JSON document as a tree. Members keep the order in which they were written: rows become tables, and their columns
/// should stand as the file has them. Numbers keep their digits (ids over 2^53 and over 2^63 survive, and `1.10` stays `1.10`).
public indirect enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int)
  case number(Double)
  case exact(ExactNumber)
  case string(String)
  case array([JSONValue])
  case object([(key: String, value: JSONValue)])

  /// - Throws: `JSONError` with the byte offset of the first thing wrong.
  public init(parsing text: some Sequence<UInt8>) throws(JSONError) {
    let bytes = ContiguousArray(text)
    let result: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { bytes in
      do throws(JSONError) {
        var cursor = JSONCursor(bytes)
        let value = try JSONValue(&cursor)
        try cursor.end()
        return .success(value)
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// Reads the value at which the cursor stands.
  public init(_ cursor: inout JSONCursor) throws(JSONError) {
    switch try cursor.peek() {
    case .null:
      try cursor.null()
      self = .null
    case .bool: self = .bool(try cursor.bool())
    case .string: self = .string(try cursor.string())
    case .number:
      let start = cursor.offset
      let text = try cursor.numberText()
      guard let number = JSONValue(number: text) else { throw JSONError("the number \(text.prefix(40)) is out of range", at: start) }
      self = number
    case .array:
      var elements: [JSONValue] = []
      try cursor.array { (_, inner: inout JSONCursor) throws(JSONError) in elements.append(try JSONValue(&inner)) }
      self = .array(elements)
    case .object:
      var members: [(key: String, value: JSONValue)] = []
      try cursor.object { (key: borrowing JSONKey, inner: inout JSONCursor) throws(JSONError) in
        let name = key.text
        let value = try JSONValue(&inner)
        members.append((name, value))
      }
      self = .object(members)
    }
  }

  /// A number as JSON spells it; nil where it is none, or too large for a double.
  public init?(number text: Substring) {
    if let whole = Int(text), whole != 0 || text == "0" {
      self = .int(whole)
    } else if let value = Double(text), value.isFinite {
      // What is printed and what is written: both must be what was read.
      self = value.shortest == text ? .number(value) : .exact(ExactNumber(String(text), value))
    } else {
      return nil
    }
  }

  public static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let x), .bool(let y)): x == y
    case (.int(let x), .int(let y)): x == y
    case (.number(let x), .number(let y)): x == y
    case (.exact(let x), .exact(let y)): x == y
    // The same number, spelled otherwise.
    case (.exact(let x), .number(let y)), (.number(let y), .exact(let x)): x.value == y && !x.isLarge
    case (.exact(let x), .int(let y)), (.int(let y), .exact(let x)): Int(exactly: x.value) == y && !x.isLarge
    case (.string(let x), .string(let y)): x == y
    case (.array(let x), .array(let y)): x == y
    case (.object(let x), .object(let y)): x.count == y.count && zip(x, y).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    default: false
    }
  }

  /// The value of the last member with this key; nil where this is no object or has none.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key == key }?.value
  }

  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

  /// Appends the value as JSON text, on one line.
  public func write(to out: inout [UInt8]) {
    switch self {
    case .null: out.append(contentsOf: "null".utf8)
    case .bool(let flag): out.append(contentsOf: (flag ? "true" : "false").utf8)
    case .int(let whole): out.append(contentsOf: String(whole).utf8)
    // JSON has no word for infinity or NaN.
    case .number(let number): out.append(contentsOf: (number.isFinite ? number.shortest : "null").utf8)
    case .exact(let number): out.append(contentsOf: number.text.utf8)
    case .string(let text): JSONString.encode(text, to: &out)
    case .array(let elements):
      out.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        element.write(to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        JSONString.encode(member.key, to: &out)
        out.append(UInt8(ascii: ":"))
        member.value.write(to: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  public var text: String {
    var out: [UInt8] = []
    write(to: &out)
    return String(decoding: out, as: UTF8.self)
  }
}
