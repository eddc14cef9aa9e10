import Chat

/// One of a reply's own fields. Expressions, field lists, files, tables and help all go by this table.
///
/// A name is looked for among these first, then among the columns of a sweep and of `add`, then in the item:
/// a field of the item that has an own name is `input.NAME`, in expressions and in files.
/// The set is closed: what comes later goes under `usage` or `settings`, so that no name is taken from data.
public struct ReplyField: Sendable {
  public var name: String
  /// One line for help.
  public var summary: String
  var saved: Saved
  var read: @Sendable (ReplyRow) -> Value

  /// How `save` writes it. JSON holds what the language holds; CSV has a column for each.
  enum Saved: Sendable {
    case always
    /// Left out of JSON where there is nothing in it.
    case ifAny
    /// Not in CSV, which has no room for it.
    case onlyJSON
    /// What it says can be worked out from the rest, or is the item itself.
    case never
  }

  init(_ name: String, _ summary: String, saved: Saved = .always, _ read: @escaping @Sendable (ReplyRow) -> Value) {
    (self.name, self.summary, self.saved, self.read) = (name, summary, saved, read)
  }

  public static let names = all.map(\.name)
  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  static func named(_ name: String) -> ReplyField? { byName[name] }

  /// What is in those that are records of always the same fields, or of some of these.
  static let namesWithin = [
    "error": ["kind", "message", "status"], "usage": ["input", "output", "cache_read", "cache_write", "reasoning", "cost"],
  ]

  /// In the order in which tables, help and files show them.
  public static let all: [ReplyField] = [
    ReplyField("text", "what the model said") { $0.reply.succeeded ? .text($0.reply.text) : .nothing },
    ReplyField("partial", "what had come of an answer that failed", saved: .ifAny) {
      $0.reply.succeeded || $0.reply.text.isEmpty ? .nothing : .text($0.reply.text)
    },
    ReplyField("value", "what `--as` made of the text", saved: .ifAny) { $0.parsed ?? .nothing },
    ReplyField("reasoning", "what the model thought before it answered, where the server tells", saved: .ifAny) {
      .text($0.reply.attempt.reasoning)
    },
    ReplyField("input", "the item that the prompt was made for", saved: .never) { $0.item },
    ReplyField("prompt", "the last user turn, as it was sent") { .text($0.reply.prompt) },
    ReplyField("messages", "all turns as they were sent: `{role, text}`", saved: .onlyJSON) { .list($0.reply.messages.map(\.value)) },
    ReplyField("model", "provider/name") { .text($0.reply.model.description) },
    ReplyField("settings", "the settings it was sent with", saved: .ifAny) {
      .record(($0.reply.call.settings as? AnswerSettings)?.record ?? Record())
    },
    ReplyField("finish", "why the model stopped: stop, length …") { $0.reply.attempt.finish.map { .text($0.text) } ?? .nothing },
    ReplyField("tokens", "tokens of the answer, or of all answers of a chain, as the server counted them") {
      $0.usage.map { .int($0.output) } ?? .nothing
    },
    ReplyField("usage", "all that the server counted: `usage.input`, `usage.output`, and what else it states") { row in
      row.usage?.value ?? .nothing
    },
    // Prices are not known yet, and a wrong sum of money is worse than none.
    ReplyField("cost", "nothing until prices are known", saved: .never) { _ in .nothing },
    ReplyField("queued", "the wait for leave to send, and between tries") { $0.time($0.reply.queued) },
    ReplyField("waited", "the wait between tries") { $0.time($0.reply.waited) },
    ReplyField("ttft", "from the request to the first content") { $0.reply.attempt.ttft.map(Value.duration) ?? .nothing },
    ReplyField("latency", "from the request to its end; of a chain, of all its requests") { row in
      row.latency.map(Value.duration) ?? .nothing
    },
    ReplyField("attempts", "how often it was sent") { .int($0.reply.attempts) },
    ReplyField("calls", "the calls that this row took; a chain takes several") {
      .int($0.chain?.calls ?? ($0.reply.attempts > 0 ? 1 : 0))
    },
    ReplyField("hedged", "whether a second call was sent beside the first") { .bool($0.reply.hedged) },
    ReplyField("cached", "whether the answer was there already", saved: .never) { .bool($0.reply.isFromMemory) },
    ReplyField("failed", "whether there is no answer") { .bool(!$0.reply.succeeded) },
    ReplyField("error", "`{kind, message, status}` of what is wrong, or nothing") { $0.reply.error?.value ?? .nothing },
    ReplyField("index", "its place among the rows", saved: .never) { .int($0.index) },
  ]
}

extension ReplyRow {
  /// Whether anything was sent for it. A row that was not has no times: a 0 would go into means as if it were the quickest of all.
  private var wasSent: Bool { reply.attempts > 0 || reply.isFromMemory || chain != nil }

  /// How long its requests took; nil where nothing was sent.
  public var latency: Duration? { wasSent ? chain?.latency ?? reply.attempt.latency : nil }

  /// A wait of its; nothing where it was not sent and did not wait to be.
  fileprivate func time(_ wait: Duration) -> Value { wasSent || wait > .zero ? .duration(wait) : .nothing }

  fileprivate var usage: Usage? { chain.map(\.usage) ?? reply.attempt.usage }
}

extension Message {
  /// A turn as the language has it.
  var value: Value { .record(Record([("role", .text(role.rawValue)), ("text", .text(text))])) }
}

extension Usage {
  /// As `reply.usage` reads it; what the server did not state is not there.
  fileprivate var value: Value {
    var fields: [(String, Value)] = [("input", .int(input)), ("output", .int(output))]
    if let cacheRead { fields.append(("cache_read", .int(cacheRead))) }
    if let cacheWrite { fields.append(("cache_write", .int(cacheWrite))) }
    if let reasoning { fields.append(("reasoning", .int(reasoning))) }
    if let cost { fields.append(("cost", .number(cost))) }
    return .record(Record(fields))
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
