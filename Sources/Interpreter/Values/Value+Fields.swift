import Chat
import Language

extension Value {
  /// The names `value.name` can be asked for; of a list, those of its elements.
  public var fieldNames: [String] {
    switch self {
    case .record(let record): record.fields.map(\.name)
    case .reply(let row): row.fieldNames
    case .list(let elements): elements.first?.fieldNames ?? []
    default: []
    }
  }

  /// The field of a record or reply; nil if it has none of this name.
  func field(_ name: String) -> Value? {
    switch self {
    case .record(let record): record[name]
    case .reply(let row): row.field(name)
    default: nil
    }
  }

  /// The elements of what can be gone through; nil for anything else.
  public var elements: [Value]? {
    switch self {
    case .list(let elements): elements
    // Pipelines go through a range without spelling it out; what needs it as a list may not fill the memory with it.
    case .range(let low, let high): low > high ? [] : high - low < 50_000_000 ? (low...high).map(Value.int) : nil
    default: nil
    }
  }

  /// Whether it is a reply that failed.
  var failure: Failure? { if case .reply(let row) = self { row.reply.failure } else { nil } }
}

extension ReplyRow {
  /// A reply's own fields, in the order tables and help show them.
  public static let ownFields = [
    "text", "input", "prompt", "model", "tokens", "usage", "cost", "queued", "waited", "ttft", "latency", "attempts", "hedged",
    "finish", "failed", "error",
    "cached", "index", "reasoning", "value",
  ]

  var fieldNames: [String] {
    var names = Self.ownFields + columns.map(\.name)
    for name in item.fieldNames where !names.contains(name) { names.append(name) }
    return names
  }

  /// Its own fields, then the columns of its sweep, then the fields of its item.
  func field(_ name: String) -> Value? {
    if let column = columns.last(where: { $0.name == name }) { return column.value }
    switch name {
    case "text": return .text(reply.text)
    case "input": return item
    case "prompt": return .text(reply.prompt)
    case "model": return .text(reply.model.description)
    case "tokens": return reply.attempt.usage.map { .int($0.output) } ?? .nothing
    case "usage":
      return reply.attempt.usage.map { .record(Record([("input", .int($0.input)), ("output", .int($0.output))])) } ?? .nothing
    // Prices are not known yet, and a wrong sum of money is worse than none.
    case "cost": return .nothing
    case "queued": return .duration(reply.queued)
    case "waited": return .duration(reply.waited)
    case "hedged": return .bool(reply.hedged)
    case "ttft": return reply.attempt.ttft.map(Value.duration) ?? .nothing
    case "latency": return .duration(reply.attempt.latency)
    case "attempts": return .int(reply.attempts)
    case "finish": return reply.attempt.finish.map { .text($0.text) } ?? .nothing
    case "failed": return .bool(!reply.succeeded)
    case "error": return reply.failure?.value ?? .nothing
    case "cached": return .bool(false)
    case "index": return .int(index)
    case "reasoning": return .text(reply.attempt.reasoning)
    case "value": return parsed ?? .nothing
    default: return item.field(name)
    }
  }
}

extension Failure {
  /// As `reply.error` and a caught error read it.
  var value: Value {
    .record(
      Record([
        ("kind", .text(kind.rawValue)), ("message", .text(message)), ("status", status.map(Value.int) ?? .nothing),
      ]))
  }
}
