import Chat
import JSON

/// `set request {…}`: members for the body of requests.
enum ExtraMembers {
  /// What a call itself says, and could not be read back from a reply.
  private static let reserved = ["model", "messages", "stream"]

  static func read(_ value: Value) throws(OperationError) -> [BodyMember] {
    if case .nothing = value { return [] }
    guard case .record(let record) = value else {
      throw OperationError("`request` takes a record of members, not \(value.kind)", help: "set request {top_k: 20}")
    }
    var members: [BodyMember] = []
    for (name, value) in record.fields {
      if name.isEmpty { throw OperationError("a member of `request` has no name") }
      if reserved.contains(name) {
        throw OperationError("`request` cannot set `\(name)`", help: "`set model`, `set streaming` and the prompt say that")
      }
      members.append(BodyMember(name: name, json: value.json.text))
    }
    return members
  }

  static func value(_ members: [BodyMember]) -> Value {
    .record(Record(members.map { ($0.name, (try? JSONValue(parsing: $0.json.utf8)).map(Value.init) ?? .nothing) }))
  }
}

/// `set headers {…}`: headers for requests. No value of theirs is ever part of an error.
enum ExtraHeaders {
  /// What frames a request is the transport's.
  private static let reserved = ["content-length", "transfer-encoding", "connection", "expect"]

  static func read(_ value: Value) throws(OperationError) -> [RequestHeader] {
    if case .nothing = value { return [] }
    guard case .record(let record) = value else {
      throw OperationError("`headers` takes a record, not \(value.kind)", help: "set headers {\"X-Team\": env(\"TEAM\")}")
    }
    var headers: [RequestHeader] = []
    for (name, value) in record.fields {
      guard !name.isEmpty, name.utf8.allSatisfy(isNameByte) else {
        throw OperationError("`\(name)` cannot be the name of a header", help: "letters, digits and - make one")
      }
      if reserved.contains(name.lowercased()) { throw OperationError("`headers` cannot set `\(name)`") }
      if case .nothing = value {
        throw OperationError("the header `\(name)` has no value", help: "is its environment variable set?")
      }
      guard let text = value.asText ?? value.asNumber.map({ _ in value.text }) else {
        throw OperationError("the header `\(name)` takes a text, not \(value.kind)")
      }
      // White space around a pasted key is nobody's intention.
      let trimmed = text.trimmed
      guard !trimmed.isEmpty else { throw OperationError("the header `\(name)` is empty") }
      guard trimmed.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
        throw OperationError("the header `\(name)` holds a line end or another control character")
      }
      headers.append(RequestHeader(name: name, value: Secret(trimmed)))
    }
    return headers
  }

  static func value(_ headers: [RequestHeader]) -> Value {
    .record(Record(headers.map { ($0.name, .text($0.value.description)) }))
  }

  /// A token of RFC 9110, 5.6.2.
  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
