import JSON

extension Value {
  public init(_ json: JSONValue) {
    switch json {
    case .null: self = .nothing
    case .bool(let flag): self = .bool(flag)
    case .int(let whole): self = .int(whole)
    case .number(let number): self = .number(number)
    case .string(let text): self = .text(text)
    case .array(let elements): self = .list(elements.map(Value.init))
    case .object(let members): self = .record(Record(members.map { ($0.key, Value($0.value)) }))
    }
  }

  /// As `save` writes it. Durations are seconds.
  public var json: JSONValue {
    switch self {
    case .nothing: .null
    case .bool(let flag): .bool(flag)
    case .int(let whole): .int(whole)
    case .number(let number): .number(number)
    case .text(let text): .string(text)
    case .duration(let duration): .number((duration.seconds * 1e6).rounded() / 1e6)
    case .list(let elements): .array(elements.map(\.json))
    case .range: .array((elements ?? []).map(\.json))
    case .record(let record): .object(record.fields.map { ($0.name, $0.value.json) })
    case .reply(let row): row.json
    case .job, .prompt, .function: .string(text)
    }
  }
}

extension ReplyRow {
  /// A reply as a row of a file: flat, so that it fits a CSV; the fields of its item come first, under their own names.
  public var json: JSONValue {
    var members: [(key: String, value: JSONValue)] = [("index", .int(index))]
    func add(_ name: String, _ value: JSONValue) {
      if !members.contains(where: { $0.key == name }) { members.append((name, value)) }
    }
    switch item {
    case .record(let record): for field in record.fields { add(field.name, field.value.json) }
    case .reply(let row): add("input", .string(row.reply.text))
    case .nothing: break
    default: add("input", item.json)
    }
    for column in columns { add(column.name, column.value.json) }
    let attempt = reply.attempt
    add("prompt", .string(reply.prompt))
    add("text", .string(reply.text))
    if let parsed { add("value", parsed.json) }
    add("model", .string(reply.model.description))
    add("finish", attempt.finish.map { .string($0.text) } ?? .null)
    add("input_tokens", attempt.usage.map { .int($0.input) } ?? .null)
    add("output_tokens", attempt.usage.map { .int($0.output) } ?? .null)
    add("queued", Value.duration(reply.queued).json)
    add("ttft", attempt.ttft.map { Value.duration($0).json } ?? .null)
    add("latency", Value.duration(attempt.latency).json)
    add("attempts", .int(reply.attempts))
    add("error", attempt.failure.map { .string($0.description) } ?? .null)
    return .object(members)
  }
}
