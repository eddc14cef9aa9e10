/// A value as `==` sees it, for sets and dictionaries: equal values have equal keys.
enum ValueKey: Hashable, Sendable {
  case nothing
  case bool(Bool)
  case int(Int)
  case number(Double)
  case large(String)
  case text(String)
  case duration(Duration)
  case range(Int, Int)
  /// A list or record, its parts one after the other behind their number: nothing goes down the stack in it.
  case parts([ValueKey])
  case list(count: Int)
  case record(count: Int)
  /// A job, prompt or function.
  case object(ObjectIdentifier)

  /// Whether it equals nothing, not even itself, as jobs, prompts, functions and failed replies do, and what holds one.
  var isUnlikeAll: Bool {
    switch self {
    case .object: true
    case .parts(let parts): parts.contains { if case .object = $0 { true } else { false } }
    default: false
    }
  }

  init(_ value: Value) {
    switch value {
    case .nothing: self = .nothing
    case .bool(let flag): self = .bool(flag)
    case .int(let whole): self = .int(whole)
    case .number(let number): self = Int(exactly: number).map(ValueKey.int) ?? .number(number)
    case .exact(let number): self = number.isLarge ? .large(number.text) : ValueKey(Value(whole: number.value))
    case .text(let text): self = .text(text)
    // A failed one has no text, and is like no other.
    case .reply(let row): self = row.reply.succeeded ? .text(row.reply.text) : .object(ObjectIdentifier(row))
    case .duration(let duration): self = .duration(duration)
    case .range(let low, let high): self = .range(low, high)
    case .list, .record: self = Self.nested(value)
    case .job(let handle): self = .object(ObjectIdentifier(handle))
    case .prompt(let prompt): self = .object(ObjectIdentifier(prompt))
    case .function(let function): self = .object(ObjectIdentifier(function))
    }
  }

  private static func nested(_ value: Value) -> ValueKey {
    var parts: [ValueKey] = []
    add(value, to: &parts)
    return .parts(parts)
  }

  private static func add(_ value: Value, to parts: inout [ValueKey]) {
    if case .list(let list) = value { return add(list.values, to: &parts) }
    if case .record(let record) = value { return add(record, to: &parts) }
    parts.append(ValueKey(value))
  }

  private static func add(_ values: [Value], to parts: inout [ValueKey]) {
    parts.append(.list(count: values.count))
    for index in values.indices { add(values[index], to: &parts) }
  }

  /// Fields stand in any order; of two with one name the last counts.
  private static func add(_ record: Record, to parts: inout [ValueKey]) {
    let fields = sorted(record)
    parts.append(.record(count: fields.count))
    for index in fields.indices {
      parts.append(.text(fields[index].key))
      add(fields[index].value, to: &parts)
    }
  }

  private static func sorted(_ record: Record) -> [(key: String, value: Value)] {
    Dictionary(record.fields.map { ($0.name, $0.value) }) { _, last in last }.sorted { $0.key < $1.key }
  }
}
