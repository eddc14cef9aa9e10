import Chat
import Formats
import JSON

/// A reply as a row of a file, and back: what `save` wrote, `load` knows again.
///
/// The members stand in this order: `index`; the item (its fields, or `input`); `prompt`; the columns of a sweep and of `add`; the
/// rest of `ReplyField`. So a reader can tell the item's fields, which come before `prompt`, from the columns, which come after it.
extension ReplyRow {
  /// As JSON has it: with the shapes of the language, empty optional fields left out. Durations are seconds.
  var json: JSONValue {
    .object(
      members { field, value in
        switch (field.saved, field.name) {
        case (.never, _): return []
        case (_, "settings"): return savedSettings(value).isEmpty ? [] : [(field.name, .object(savedSettings(value)))]
        case (.always, _), (.onlyJSON, _): return [(field.name, value.json)]
        case (.ifAny, _): return value.isEmpty ? [] : [(field.name, value.json)]
        }
      })
  }

  /// As a table has it: the same columns for every row, each a plain value. `usage` is `usage.input` and `usage.output`,
  /// `settings` is JSON.
  var flat: JSONValue {
    .object(
      members { field, value in
        switch (field.saved, field.name) {
        case (.never, _), (.onlyJSON, _): return []
        case (_, "usage"): return ["input", "output"].map { ("usage.\($0)", value.field($0)?.json ?? .null) }
        case (_, "settings"): return [(field.name, flatSettings(value))]
        case (_, "error"): return [("error", reply.error.map { .string($0.description) } ?? .null)]
        default: return [(field.name, value.isEmpty ? .null : value.json)]
        }
      })
  }

  /// With `stages behind`, how many prompts and functions a row has not gone through, where it failed before them.
  private func savedSettings(_ value: Value) -> [(key: String, value: JSONValue)] {
    guard case .object(var members) = value.json else { return [] }
    let stages = Value.reply(self).stagesBehind
    guard stages > 0 else { return members }
    members.removeAll { $0.key == AnswerSettings.stages }
    return members + [(AnswerSettings.stages, .int(stages))]
  }

  /// With `turns sent`, how many were sent, where prompt and settings do not tell them all: such a row cannot be sent again from a table.
  private func flatSettings(_ value: Value) -> JSONValue {
    let system = value.field("system")?.asText.map { [Message(.system, $0)] } ?? []
    let members = savedSettings(value)
    let isTold = reply.messages.isEmpty || reply.messages == system + [Message(.user, reply.prompt)]
    if isTold || value.field(AnswerSettings.turns) != nil { return members.isEmpty ? .null : .object(members) }
    return .object(members + [(AnswerSettings.turns, .int(reply.messages.count))])
  }

  /// Whether all is known that was sent for it.
  var knowsMessages: Bool {
    guard let kept = reply.call.settings as? AnswerSettings else { return !reply.messages.isEmpty }
    return !reply.messages.isEmpty && kept.turnsSent == nil && kept.stagesBehind == nil
  }

  /// As a table for people has it.
  var brief: JSONValue {
    var members: [(key: String, value: JSONValue)] = [("#", .int(index))]
    for field in itemData { members.append((Self.isOfTable(field.name) ? "input.\(field.name)" : field.name, field.value.json)) }
    switch item {
    case .record: break
    case .nothing: members.append(("prompt", .string(reply.prompt)))
    case .reply(let row): members.append(("input", .string(row.reply.text)))
    default: members.append(("input", item.json))
    }
    for column in columns {
      members.append((Self.isOfTable(column.name) ? "\(column.name).2" : column.name, .string(column.value.cell)))
    }
    members.append(("reply", .string(reply.failure.map { "✗ \($0.description)" } ?? reply.text)))
    members.append(("model", .string(reply.model.description)))
    members.append(("tokens", reply.attempt.usage.map { .int($0.output) } ?? .null))
    members.append(("time", latency.map { .string($0.short) } ?? .null))
    let names = Set(columns.map(\.name))
    // Each row has its model and what a sweep tries as columns.
    if case .object(let settings)? = field("settings")?.json {
      let shared = settings.filter { $0.key != "model" && !names.contains($0.key) }
      members.append((reply.succeeded ? MarkdownTable.settings : MarkdownTable.settingsOfFailed, .object(shared)))
    }
    return .object(members)
  }

  /// Whether the table for people has a column of its own under this name, which no field of a reply is called.
  private static func isOfTable(_ name: String) -> Bool { ["#", "reply", "time"].contains(name) }

  private func members(
    _ own: (ReplyField, Value) -> [(key: String, value: JSONValue)]
  ) -> [(key: String, value: JSONValue)] {
    var members: [(key: String, value: JSONValue)] = [("index", .int(index))]
    for field in itemData { members.append((field.name, field.value.json)) }
    switch item {
    case .nothing, .record: break
    case .reply(let row): members.append(("input", .string(row.reply.text)))
    default: members.append(("input", item.json))
    }
    members.append(("prompt", .string(reply.prompt)))
    for column in columns { members.append((column.name, column.value.json)) }
    for field in ReplyField.all where field.name != "prompt" { members += own(field, field.read(self)) }
    return members
  }
}

extension Value {
  /// Nothing, or a text, list or record without anything in it.
  fileprivate var isEmpty: Bool {
    switch self {
    case .nothing: true
    case .text(let text): text.isEmpty
    case .list(let elements): elements.isEmpty
    case .record(let record): record.fields.isEmpty
    default: false
    }
  }
}

// MARK: back

extension Value {
  /// As `load` reads it: what `save` made of replies is replies again, also in the rows of a group, a list or a field.
  static func loaded(_ json: JSONValue) -> Value {
    switch json {
    case .array(let elements): return .list(elements.map(loaded))
    case .object(let members):
      if let reply = ReplyRow(saved: members) { return .reply(reply) }
      var record = Record(members.map { ($0.key, loaded($0.value)) })
      if members.contains(where: { $0.key == "error" || $0.key == "failed" }) { record.failure = SavedReply(members).failureOfRecord }
      return .record(record)
    default: return Value(json)
    }
  }
}

extension ReplyRow {
  /// A row is known to be a reply by these members, all of them.
  static let marks = ["prompt", "model", "text", "finish", "attempts"]
  /// What a table writes for a member that JSON holds as an object.
  static let flattened: Set<String> = ["usage.input", "usage.output"]

  /// Nil where the members are not those of a reply that `save` wrote.
  convenience init?(saved members: [(key: String, value: JSONValue)]) {
    guard members.count > Self.marks.count, Self.marks.allSatisfy({ mark in members.contains { $0.key == mark } }) else { return nil }
    let reader = SavedReply(members)
    guard let model = ModelName(reader.text("model")) else { return nil }
    let reply = reader.reply(model)
    self.init(
      reply, index: reader.whole("index") ?? 0, item: reader.item(model), columns: reader.columns, parsed: reader.parsed, origin: nil,
      chain: reader.chain(of: reply))
  }
}

/// The members of a saved reply, whether a JSON object or a row of a table.
private struct SavedReply {
  private var own: [String: JSONValue] = [:]
  private var itemFields: [(name: String, value: Value)] = []
  private(set) var columns: [(name: String, value: Value)] = []

  init(_ members: [(key: String, value: JSONValue)]) {
    var isBehindPrompt = false
    for (key, value) in members {
      if key == "prompt" { isBehindPrompt = true }
      if ReplyField.named(key) != nil || ReplyRow.flattened.contains(key) {
        own[key] = value
      } else if key.hasPrefix("input.") {
        itemFields.append((String(key.dropFirst("input.".count)), Value.loaded(value)))
      } else if isBehindPrompt {
        columns.append((key, Value.loaded(value)))
      } else {
        itemFields.append((key, Value.loaded(value)))
      }
    }
  }

  func text(_ name: String) -> String {
    switch own[name] {
    case nil, .null: ""
    case .string(let text): text
    case .some(let other): other.text
    }
  }

  private func optional(_ name: String) -> String? {
    let text = text(name)
    return text.isEmpty ? nil : text
  }

  /// Only JSON has the turns.
  private var isTable: Bool { own["messages"] == nil }

  private func value(_ name: String) -> Value {
    guard let value = own[name] else { return .nothing }
    if !isTable { return Value(value) }
    if case .string(let text) = value, let first = text.first, "[{".contains(first), let json = try? JSONValue(parsing: text.utf8) {
      return Value(json)
    }
    if case .string("") = value { return .nothing }
    return Value(value)
  }

  func whole(_ name: String) -> Int? { if case .int(let whole) = value(name) { whole } else { nil } }

  private func duration(_ name: String) -> Duration? {
    guard let seconds = value(name).asNumber, (0..<1e9).contains(seconds) else { return nil }
    return .nanoseconds(Int64((seconds * 1e9).rounded()))
  }

  private func flag(_ name: String) -> Bool { if case .bool(true) = value(name) { true } else { false } }

  var parsed: Value? { if case .nothing = value("value") { nil } else { value("value") } }

  func reply(_ model: ModelName) -> Reply {
    var attempt = Attempt()
    attempt.text = optional("text") ?? text("partial")
    attempt.reasoning = text("reasoning")
    attempt.finish = optional("finish").map(FinishReason.init)
    attempt.ttft = duration("ttft")
    attempt.latency = duration("latency") ?? .zero
    attempt.usage = usage
    if let failure {
      if failure.kind.isWrongAnswer { attempt.wrong = failure } else { attempt.failure = failure }
    } else if flag("failed") || own["text"] == .null {
      attempt.failure = Self.untold
    }
    var settings: AnswerSettings?
    if case .record(let record) = value("settings") { settings = AnswerSettings(record, model: model) }
    let call = PreparedCall(ChatRequest(model: model, messages: messages), settings: settings)
    var reply = Reply(call: call, attempt: attempt, attempts: whole("attempts") ?? 1, queued: duration("queued") ?? .zero)
    reply.waited = duration("waited") ?? .zero
    reply.hedged = flag("hedged")
    reply.isFromFile = true
    return reply
  }

  private var usage: Usage? {
    let usage = value("usage")
    func whole(_ name: String) -> Int? { if case .int(let whole)? = usage.field(name) { whole } else { nil } }
    guard let output = whole("output") ?? self.whole("usage.output") ?? self.whole("tokens") else { return nil }
    return Usage(
      input: whole("input") ?? self.whole("usage.input") ?? 0, output: output, cacheRead: whole("cache_read"),
      cacheWrite: whole("cache_write"), reasoning: whole("reasoning"), cost: usage.field("cost")?.asNumber)
  }

  /// What the file says of a chain it says of all its calls.
  func chain(of reply: Reply) -> CallTally? {
    guard let calls = whole("calls"), calls > 1 || calls == 1 && reply.attempts == 0 else { return nil }
    var chain = CallTally()
    (chain.calls, chain.usage, chain.latency) = (calls, reply.attempt.usage, reply.attempt.latency)
    return chain
  }

  private static let untold = Failure(.malformed, "the file does not say why it failed")

  /// That of a row that `select` made of a reply without an answer, as far as its columns tell.
  var failureOfRecord: Failure? {
    // Other data may have fields of these names: an error is known by its form, and a failure by the answer that is missing.
    if case .object(let members)? = own["error"], members.map(\.key) == ["kind", "message", "status"], let failure {
      return failure.kind.isWrongAnswer ? nil : failure
    }
    guard own["failed"] == .bool(true), let text = own["text"], text == .null || text == .string("") else { return nil }
    return Self.untold
  }

  private var failure: Failure? {
    switch value("error") {
    case .record(let record):
      guard let word = record["kind"]?.asText, let kind = FailureKind(rawValue: word) else { return nil }
      let status: Int? = if case .int(let status)? = record["status"] { status } else { nil }
      return Failure(kind, record["message"]?.asText ?? "", status: status)
    case .text(let text):
      // As `Failure.description` writes it: `server (HTTP 500): message`.
      let head = text.prefix { $0 != ":" }
      let word = head.prefix { $0 != " " }
      let message = String(text.dropFirst(head.count + 1).drop { $0 == " " })
      guard let kind = FailureKind(rawValue: String(word)) else { return Failure(.malformed, text) }
      return Failure(kind, message, status: Int(head.dropFirst(word.count).filter(\.isNumber)))
    default: return nil
    }
  }

  /// What was sent. A table keeps the last turn only, and the system message where `settings` has it.
  private var messages: [Message] {
    if let turns = value("messages").elements {
      return turns.compactMap { turn in
        guard let role = turn.field("role")?.asText.flatMap(Message.Role.init), let text = turn.turnText else { return nil }
        return Message(role, text)
      }
    }
    guard let prompt = optional("prompt") else { return [] }
    let system = value("settings").field("system")?.asText.map { [Message(.system, $0)] } ?? []
    return system + [Message(.user, prompt)]
  }

  /// What filled the prompt. Where a reply did, it had a text of its own (`input`), and what it came with.
  func item(_ model: ModelName) -> Value {
    let record = Value.record(Record(itemFields))
    guard let input = own["input"] else { return itemFields.isEmpty ? .nothing : record }
    guard !itemFields.isEmpty else { return Value(input) }
    var attempt = Attempt()
    attempt.text = text("input")
    attempt.finish = .stop
    let reply = Reply(model: model, messages: [], attempt: attempt, attempts: 1, queued: .zero)
    // What that reply hid in its turn is called `input.NAME` in it.
    var (fields, columns): ([(name: String, value: Value)], [(name: String, value: Value)]) = ([], [])
    let hidden = Set(itemFields.lazy.filter { $0.name.hasPrefix("input.") }.map { String($0.name.dropFirst("input.".count)) })
    for (name, value) in itemFields {
      if name.hasPrefix("input.") {
        fields.append((String(name.dropFirst("input.".count)), value))
      } else if hidden.contains(name) {
        // What hid it, and is no name of a reply's own, was a column of that reply.
        columns.append((name, value))
      } else {
        fields.append((name, value))
      }
    }
    return .reply(ReplyRow(reply, index: whole("index") ?? 0, item: .record(Record(fields)), columns: columns))
  }
}

extension Value {
  /// The text of a turn, under whichever name it was given: ours is `text`, the field's is `content`.
  var turnText: String? { (field("text") ?? field("content"))?.asText }
}
