import Chat
import JSON
import Language
import Scheduling

/// What a name of the language can hold.
public enum Value: Sendable {
  case nothing
  case bool(Bool)
  /// Numbers that are whole and fit stay whole; to the language both are "number".
  case int(Int)
  case number(Double)
  /// A number of data that neither of them gives back digit for digit.
  case exact(ExactNumber)
  case text(String)
  case duration(Duration)
  case list(List)
  case record(Record)
  /// Both ends included.
  case range(Int, Int)
  case reply(ReplyRow)
  case job(JobHandle)
  case prompt(PromptValue)
  case function(FunctionValue)

  var isNothing: Bool { if case .nothing = self { true } else { false } }

  var isCallable: Bool {
    switch self {
    case .function, .prompt: true
    default: false
    }
  }

  /// Its kind, as diagnostics call it.
  public var kind: String {
    switch self {
    case .nothing: "nothing"
    case .bool: "true or false"
    case .int, .number, .exact: "a number"
    case .text: "a text"
    case .duration: "a duration"
    case .list: "a list"
    case .record: "a record"
    case .range: "a range"
    case .reply: "a reply"
    case .job: "a job"
    case .prompt: "a prompt"
    case .function: "a function"
    }
  }
}

extension Value {
  /// What `type(x)` gives.
  var typeName: String {
    switch self {
    case .nothing: "nothing"
    case .bool: "bool"
    case .int, .number, .exact: "number"
    case .text: "text"
    case .duration: "duration"
    case .list: "list"
    case .record: "record"
    case .range: "range"
    case .reply: "reply"
    case .job: "job"
    case .prompt: "prompt"
    case .function: "function"
    }
  }
}

/// Named values in order.
public struct Record: Sendable {
  public private(set) var fields: [(name: String, value: Value)]
  private(set) var inside = Inside()
  /// Why the row that it was made of has no answer.
  var failure: Failure?
  /// How that row is made again, and how a column of it whose own call failed.
  var origin: RowOrigin?
  var lacking: RowOrigin?

  public init(_ fields: [(name: String, value: Value)] = []) {
    self.fields = fields
    for field in fields { inside.note(field.value) }
  }

  public subscript(name: String) -> Value? {
    get { fields.last { $0.name == name }?.value }
    set {
      if let index = fields.lastIndex(where: { $0.name == name }) {
        let old = fields[index].value
        if let newValue { fields[index].value = newValue } else { fields.remove(at: index) }
        if old.depth > 0 { inside = Record(fields).inside } else if let newValue { inside.note(newValue) }
      } else if let newValue {
        append(name, newValue)
      }
    }
  }

  /// A field more; its name is not among them yet.
  mutating func append(_ name: String, _ value: Value) {
    inside.note(value)
    fields.append((name, value))
  }
}

/// A reply as a row: with the item it answers, its place, and the columns that a sweep or `add` gave it.
public final class ReplyRow: Sendable {
  public let reply: Reply
  public let index: Int
  /// What filled the prompt; `.nothing` for a prompt that stood alone.
  public let item: Value
  public let columns: [(name: String, value: Value)]
  /// What `--as` made of the text: nothing where it is not in the form; nil where no form was asked for.
  public let parsed: Value?
  /// How it is made again, where something is wrong with it.
  let origin: RowOrigin?
  /// How a column is made again whose own call failed.
  let lacking: RowOrigin?
  /// What all calls of its chain took; nil where there was one.
  let chain: CallTally?
  let inside: Inside

  public convenience init(
    _ reply: Reply, index: Int, item: Value, columns: [(name: String, value: Value)] = [], parsed: Value? = nil
  ) {
    self.init(reply, index: index, item: item, columns: columns, parsed: parsed, origin: nil)
  }

  init(
    _ reply: Reply, index: Int, item: Value, columns: [(name: String, value: Value)], parsed: Value?, origin: RowOrigin?,
    lacking: RowOrigin? = nil, chain: CallTally? = nil
  ) {
    (self.reply, self.index, self.item, self.columns, self.parsed, self.origin) = (reply, index, item, columns, parsed, origin)
    (self.lacking, self.chain) = (lacking, chain)
    var inside = Inside()
    inside.note(item)
    for column in columns { inside.note(column.value) }
    if let parsed { inside.note(parsed) }
    self.inside = inside.ofReply(failed: reply.failure != nil)
  }

  func adding(_ column: (name: String, value: Value)) -> ReplyRow {
    ReplyRow(
      reply, index: index, item: item, columns: columns.filter { $0.name != column.name } + [column], parsed: parsed, origin: origin,
      lacking: lacking, chain: chain)
  }

  /// With columns more, which come over those that it has.
  func adding(_ more: [(name: String, value: Value)]) -> ReplyRow {
    let names = Set(more.map(\.name))
    return ReplyRow(
      reply, index: index, item: item, columns: columns.filter { !names.contains($0.name) } + more, parsed: parsed, origin: origin,
      lacking: lacking, chain: chain)
  }

  /// The same reply as another row.
  func with(index: Int, item: Value) -> ReplyRow {
    ReplyRow(reply, index: index, item: item, columns: columns, parsed: parsed, origin: origin, lacking: lacking, chain: chain)
  }

  /// What its chain took, where that is more than its own call.
  func with(chain: CallTally) -> ReplyRow {
    guard chain.calls > 1 || chain.calls == 1 && reply.attempts == 0 else { return self }
    return ReplyRow(reply, index: index, item: item, columns: columns, parsed: parsed, origin: origin, lacking: lacking, chain: chain)
  }

  func with(lacking: RowOrigin?) -> ReplyRow {
    ReplyRow(reply, index: index, item: item, columns: columns, parsed: parsed, origin: origin, lacking: lacking, chain: chain)
  }

  func with(origin: RowOrigin?) -> ReplyRow {
    ReplyRow(reply, index: index, item: item, columns: columns, parsed: parsed, origin: origin, lacking: lacking, chain: chain)
  }
}

/// A prompt with parameters.
public final class PromptValue: Sendable {
  let definition: PromptDefinition
  let scope: Scope
  let source: Source

  init(_ definition: PromptDefinition, scope: Scope, source: Source) {
    self.definition = definition
    self.scope = scope
    self.source = source
  }

  /// What is written in it.
  var text: String {
    let spans = definition.turns.map(\.text.span) + definition.parameters.compactMap(\.fallback?.span)
    return spans.map { String(source.text($0)) }.joined(separator: " ")
  }

  public var name: String { definition.name.text }
}

/// A function of the user's, with what it could see where it was defined.
public final class FunctionValue: Sendable {
  let definition: FunctionDefinition
  let scope: Scope
  let source: Source

  init(_ definition: FunctionDefinition, scope: Scope, source: Source) {
    self.definition = definition
    self.scope = scope
    self.source = source
  }

  /// What is written in it.
  var text: String {
    let spans = definition.body.statements.map(\.span) + definition.parameters.compactMap(\.fallback?.span)
    return spans.map { String(source.text($0)) }.joined(separator: " ")
  }

  public var name: String { definition.name.text }
}
