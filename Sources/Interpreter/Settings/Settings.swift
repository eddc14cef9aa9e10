import Chat
import Scheduling

/// The session's settings. Those of a request can be given to a single command as flags, or to a block with `with`.
public struct Settings: Sendable {
  public var model: ModelName
  public var system: String?
  public var sampling = Sampling()
  public var timeouts = Timeouts()
  public var streaming = true
  /// Whether a model's `<think>…</think>` stays in its text.
  public var keepsThink = false
  /// Members added to the body of requests, and headers.
  public var members: [BodyMember] = []
  public var headers: [RequestHeader] = []
  /// Width, rates and budget.
  public var limits = Limits()
  public var retry = RetryPolicy()
  /// The percentile of a job's first tokens after which a second call is sent beside a late one; nil for never.
  public var hedge: Int?
  /// Whether a command of the system's shell that fails ends the script.
  public var isStrict = false
  public var colour = true
  /// Replies shown under the progress as they stream.
  public var tails = 0
  /// What stands before a line being typed; nil for the usual.
  public var prompt: String?
  /// Where the session can be steered from elsewhere.
  public var control = ControlPlace.on

  public init(model: ModelName) {
    self.model = model
  }
}

/// One setting: what it is called, what it takes, and where it is kept. Help, completion and checks derive from this.
public struct SettingDefinition: Sendable {
  public var name: String
  public var summary: String
  public var kind: Kind
  /// Whether it is also a flag of commands that send prompts.
  public var isRequest: Bool
  /// Holds for what runs already, too. The others shape an answer: a job keeps what it was launched with.
  public var isLive = false
  var get: @Sendable (Settings) -> Value
  var put: @Sendable (inout Settings, Value) -> Void

  public enum Kind: Sendable {
    case whole(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case duration
    case text
    case texts
    case model
    case onOff
    /// A number, `auto`, or `auto 4..200`.
    case width
    /// `tokens 2000000`
    case budget
    /// `p95`
    case percentile
    case choice([String])
    /// A record of members of a request's body.
    case members
    /// A record of headers.
    case headers
    /// `on`, `off` or a path.
    case place
  }

  /// What may be given, for errors and help.
  public var accepts: String {
    switch kind {
    case .whole(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .number(let range): "a number from \(range.lowerBound.short) to \(range.upperBound.short)"
    case .duration: "a duration (500ms, 30s, 2m) or off"
    case .text: "a text or off"
    case .texts: "a text, a list of texts, or off"
    case .model: "provider/name"
    case .onOff: "on or off"
    case .width: "a whole number from 1 to \(Settings.maximumWidth), `auto`, or `auto 4..200`"
    case .budget: "`tokens 2000000`, or off"
    case .percentile: "p50 to p99, or off"
    case .choice(let words): words.joined(separator: " or ")
    case .members: "a record of members, {top_k: 20}, or off"
    case .headers: "a record of headers, {\"X-Team\": env(\"TEAM\")}, or off"
    case .place: "on, off, or the path of a socket"
    }
  }

  /// Whether its value may hold a key, and is kept out of tables, columns and errors.
  var isSecret: Bool { if case .headers = kind { true } else { false } }

  /// What is read of a secret is not what it is. Where the other has none (it came from a file), the one that is there stays.
  func carry(from other: Settings, to settings: inout Settings) {
    guard isSecret else { return put(&settings, get(other)) }
    if !other.headers.isEmpty { settings.headers = other.headers }
  }

  var isOptional: Bool {
    switch (kind, name) {
    case (.duration, _), (.text, _), (.texts, _), (.budget, _), (.percentile, _), (.members, _), (.headers, _): true
    case (_, "temperature"), (_, "top-p"), (_, "max-tokens"), (_, "seed"): true
    case (_, "rps"), (_, "rpm"), (_, "tpm"), (_, "stop-after"): true
    default: false
    }
  }

  /// Whether it changes how calls run: what only the terminal shows, and who may steer, does not.
  var steersCalls: Bool { isLive && !["colour", "tails", "prompt", "control"].contains(name) }

  /// Whether its value may be several words.
  var takesSeveral: Bool {
    switch kind {
    case .width, .budget: true
    default: false
    }
  }

  public static let all: [SettingDefinition] = [
    SettingDefinition(
      name: "model", summary: "the model that prompts go to", kind: .model, isRequest: true,
      get: { .text($0.model.description) }, put: { if let name = ModelName($1.text) { $0.model = name } }),
    SettingDefinition(
      name: "concurrency", summary: "calls at once in the session; `auto` finds it for each model, and `why` tells how",
      kind: .width, isRequest: false, isLive: true,
      get: {
        if case .fixed(let width) = $0.limits.width { .int(width) } else { .text($0.limits.width.words) }
      }, put: { if let width = SettingDefinition.width($1) { $0.limits.width = width } }),
    SettingDefinition(
      name: "rps", summary: "requests a second at most, for each provider (`for NAME`: one provider, model or job)",
      kind: .whole(1...1_000_000), isRequest: false, isLive: true,
      get: { $0.limits.requestsPerSecond.map(Value.int) ?? .nothing }, put: { $0.limits.requestsPerSecond = $1.asWhole }),
    SettingDefinition(
      name: "rpm", summary: "requests a minute at most, for each provider, evenly spread", kind: .whole(1...1_000_000), isRequest: false,
      isLive: true,
      get: { $0.limits.requestsPerMinute.map(Value.int) ?? .nothing }, put: { $0.limits.requestsPerMinute = $1.asWhole }),
    SettingDefinition(
      name: "tpm", summary: "tokens a minute at most, for each provider; reckoned before a call, settled from its usage after",
      kind: .whole(1...1_000_000_000), isRequest: false, isLive: true,
      get: { $0.limits.tokensPerMinute.map(Value.int) ?? .nothing }, put: { $0.limits.tokensPerMinute = $1.asWhole }),
    SettingDefinition(
      name: "budget", summary: "tokens that the session may use in all; exact where `max-tokens` is set", kind: .budget, isRequest: false,
      isLive: true,
      get: { $0.limits.tokenBudget.map { .text("tokens \($0)") } ?? .nothing },
      put: { $0.limits.tokenBudget = SettingDefinition.budget($1) }),
    SettingDefinition(
      name: "stop-after",
      summary: "errors of one kind in a row after which a job pauses (in a script: sends no more); tries that got no word count too",
      kind: .whole(1...1_000_000), isRequest: false, isLive: true,
      get: { $0.retry.stopAfter.map(Value.int) ?? .nothing }, put: { $0.retry.stopAfter = $1.asWhole }),
    SettingDefinition(
      name: "temperature", summary: "how freely the model samples", kind: .number(0...2), isRequest: true,
      get: { $0.sampling.temperature.map(Value.number) ?? .nothing }, put: { $0.sampling.temperature = $1.asNumber }),
    SettingDefinition(
      name: "top-p", summary: "nucleus sampling", kind: .number(0...1), isRequest: true,
      get: { $0.sampling.topP.map(Value.number) ?? .nothing }, put: { $0.sampling.topP = $1.asNumber }),
    SettingDefinition(
      name: "max-tokens", summary: "tokens of a reply at most", kind: .whole(1...10_000_000), isRequest: true,
      get: { $0.sampling.maxTokens.map(Value.int) ?? .nothing },
      put: { if case .int(let n) = $1 { $0.sampling.maxTokens = n } else { $0.sampling.maxTokens = nil } }),
    SettingDefinition(
      name: "seed", summary: "makes a server's sampling repeatable, where it can", kind: .whole(0...Int(UInt32.max)), isRequest: true,
      get: { $0.sampling.seed.map(Value.int) ?? .nothing },
      put: { if case .int(let n) = $1 { $0.sampling.seed = n } else { $0.sampling.seed = nil } }),
    SettingDefinition(
      name: "stop", summary: "texts at which the model stops", kind: .texts, isRequest: true,
      get: { $0.sampling.stop.isEmpty ? .nothing : .list($0.sampling.stop.map(Value.text)) },
      put: { $0.sampling.stop = $1.elements?.map(\.text) ?? $1.asText.map { [$0] } ?? [] }),
    SettingDefinition(
      name: "system", summary: "the system message of every prompt", kind: .text, isRequest: true,
      get: { $0.system.map(Value.text) ?? .nothing }, put: { $0.system = $1.asText }),
    SettingDefinition(
      name: "streaming", summary: "ask for replies as streams (gives ttft, and a cancelled call stops the server)", kind: .onOff,
      isRequest: true,
      get: { .bool($0.streaming) }, put: { if case .bool(let on) = $1 { $0.streaming = on } }),
    SettingDefinition(
      name: "think",
      summary: "whether `<think>…</think>` at the start of a reply goes to its `reasoning` (strip) or stays in the text (keep)",
      kind: .choice(["strip", "keep"]), isRequest: true,
      get: { .text($0.keepsThink ? "keep" : "strip") }, put: { $0.keepsThink = $1.asText == "keep" }),
    SettingDefinition(
      name: "request",
      summary: "members added to the body of each request, in place of ours of that name; one that is nothing leaves ours out",
      kind: .members, isRequest: true,
      get: { $0.members.isEmpty ? .nothing : ExtraMembers.value($0.members) }, put: { $0.members = (try? ExtraMembers.read($1)) ?? [] }),
    SettingDefinition(
      name: "headers", summary: "headers added to each request; their values are shown nowhere", kind: .headers, isRequest: true,
      get: { $0.headers.isEmpty ? .nothing : ExtraHeaders.value($0.headers) }, put: { $0.headers = (try? ExtraHeaders.read($1)) ?? [] }),
    SettingDefinition(
      name: "retries", summary: "further tries after a fault that may pass (refusals use none up); 0 tries nothing again",
      kind: .whole(0...100), isRequest: true, isLive: true,
      get: { .int($0.retry.retries) }, put: { if case .int(let n) = $1 { $0.retry.retries = n } }),
    SettingDefinition(
      name: "max-wait", summary: "the longest wait a server may ask for, and of a row for refusals in all, before it fails instead",
      kind: .duration, isRequest: true,
      isLive: true,
      get: { .duration($0.retry.maximumWait) },
      put: { if case .duration(let d) = $1 { $0.retry.maximumWait = d } else { $0.retry.maximumWait = .seconds(1_000_000_000) } }),
    SettingDefinition(
      name: "down-wait",
      summary: "how long rows wait for a server that is down and has answered before, or that takes calls and says nothing",
      kind: .duration, isRequest: false,
      isLive: true,
      get: { $0.limits.downWait.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.limits.downWait = d } else { $0.limits.downWait = nil } }),
    SettingDefinition(
      name: "hedge", summary: "send a second call beside one whose first token is later than that of so many percent of its job's",
      kind: .percentile, isRequest: true, isLive: true,
      get: { $0.hedge.map { .text("p\($0)") } ?? .nothing }, put: { $0.hedge = SettingDefinition.percentile($1) }),
    SettingDefinition(
      name: "connect-timeout", summary: "time to reach the server", kind: .duration, isRequest: true, isLive: true,
      get: { $0.timeouts.connect.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.connect = d } else { $0.timeouts.connect = nil } }),
    SettingDefinition(
      name: "first-token-timeout",
      summary:
        "time from the request to the first token of its answer (of one that comes whole: its first byte); signs of life before it "
        + "begin it anew, up to `timeout`, or ten times this", kind: .duration,
      isRequest: true, isLive: true,
      get: { $0.timeouts.firstToken.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.firstToken = d } else { $0.timeouts.firstToken = nil } }),
    SettingDefinition(
      name: "idle-timeout", summary: "longest silence within an answer", kind: .duration, isRequest: true, isLive: true,
      get: { $0.timeouts.idle.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.idle = d } else { $0.timeouts.idle = nil } }),
    SettingDefinition(
      name: "timeout", summary: "time for a whole call", kind: .duration, isRequest: true, isLive: true,
      get: { $0.timeouts.total.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.total = d } else { $0.timeouts.total = nil } }),
    SettingDefinition(
      name: "strict", summary: "a `!command` that fails ends the script", kind: .onOff, isRequest: false, isLive: true,
      get: { .bool($0.isStrict) }, put: { if case .bool(let on) = $1 { $0.isStrict = on } }),
    SettingDefinition(
      name: "colour", summary: "colour on the terminal", kind: .onOff, isRequest: false, isLive: true,
      get: { .bool($0.colour) }, put: { if case .bool(let on) = $1 { $0.colour = on } }),
    SettingDefinition(
      name: "tails", summary: "replies shown under the progress as they stream in", kind: .whole(0...20), isRequest: false, isLive: true,
      get: { .int($0.tails) }, put: { if case .int(let n) = $1 { $0.tails = n } }),
    SettingDefinition(
      name: "prompt", summary: "what stands before a line being typed; {model} {concurrency} {jobs} are filled in", kind: .text,
      isRequest: false, isLive: true,
      get: { $0.prompt.map(Value.text) ?? .nothing }, put: { $0.prompt = $1.asText }),
    SettingDefinition(
      name: "control", summary: "whether `promptsh attach` reaches the session while jobs run, and at which socket", kind: .place,
      isRequest: false, isLive: true,
      get: { .text($0.control.words) }, put: { if let text = $1.asText { $0.control = ControlPlace(text) } }),
  ]

  public static func named(_ name: String) -> SettingDefinition? {
    all.first { $0.name == name || $0.name == aliases[name] }
  }

  private static let aliases = [
    "color": "colour", "max_tokens": "max-tokens", "top_p": "top-p", "first-byte-timeout": "first-token-timeout",
  ]

  /// The names under which commands that send prompts take it.
  public static let requestFlags: [SettingDefinition] = all.filter(\.isRequest)
}

extension SettingDefinition {
  /// Turns what was written into a value of this setting's kind.
  func read(_ value: Value) throws(OperationError) -> Value {
    let given = value.withoutSpelling
    if isOptional, isOff(given) { return .nothing }
    switch (kind, given) {
    case (.whole(let range), .int(let value)) where range.contains(value): return given
    case (.whole(let range), .number(let value)) where value == value.rounded() && range.contains(Int(exactly: value) ?? Int.min):
      return .int(Int(value))
    case (.number(let range), _) where given.asNumber.map(range.contains) ?? false:
      if case .duration = given { break }
      return .number(given.asNumber ?? 0)
    case (.duration, .duration(let value)) where value > .zero: return given
    case (.text, .text), (.texts, .text): return given
    case (.text, .reply(let row)): return .text(row.reply.text)
    case (.texts, .list(let elements)) where elements.allSatisfy({ $0.asText != nil }): return given
    case (.model, _):
      if let text = given.asText, ModelName(text) != nil { return .text(text) }
    case (.width, _) where SettingDefinition.width(given) != nil: return given
    case (.budget, _) where SettingDefinition.budget(given) != nil: return given
    case (.percentile, _) where SettingDefinition.percentile(given) != nil: return given
    case (.choice(let words), .text(let word)) where words.contains(word): return given
    case (.members, _):
      _ = try ExtraMembers.read(given)
      return given
    case (.headers, _):
      _ = try ExtraHeaders.read(given)
      return given
    case (.place, .text(let text)) where !text.isEmpty: return given
    case (.place, .bool(let on)): return .text(on ? "on" : "off")
    case (.onOff, .bool): return given
    case (.onOff, .text("on")): return .bool(true)
    case (.onOff, .text("off")): return .bool(false)
    default: break
    }
    throw OperationError("`\(name)` takes \(accepts), not \(given.preview)")
  }

  private func isOff(_ given: Value) -> Bool {
    switch given {
    case .nothing: true
    case .text("off"), .text("none"): true
    case .bool(false): true
    default: false
    }
  }
}

// MARK: values with a form of their own

extension Settings {
  static let maximumWidth = 10_000
}

extension SettingDefinition {
  static func width(_ value: Value) -> Limits.Width? {
    func isWidth(_ number: Int) -> Bool { (1...Settings.maximumWidth).contains(number) }
    if case .int(let width) = value { return isWidth(width) ? .fixed(width) : nil }
    let words = value.asText?.split(separator: " ") ?? []
    guard words.first == "auto", words.count <= 2 else { return nil }
    guard words.count == 2 else { return Limits.adaptive }
    let ends = words[1].split(separator: ".", omittingEmptySubsequences: false)
    guard ends.count == 3, ends[1].isEmpty, let low = Int(ends[0]), let high = Int(ends[2]), isWidth(low), isWidth(high), low <= high else {
      return nil
    }
    return .adaptive(low...high)
  }

  static func budget(_ value: Value) -> Int? {
    let words = value.asText?.split(separator: " ") ?? []
    guard words.count == 2, words[0] == "tokens", let tokens = Int(words[1]), (1...1_000_000_000_000).contains(tokens) else { return nil }
    return tokens
  }

  static func percentile(_ value: Value) -> Int? {
    guard let text = value.asText, text.hasPrefix("p"), let number = Int(text.dropFirst()), (50...99).contains(number) else { return nil }
    return number
  }
}

extension Value {
  fileprivate var asWhole: Int? { if case .int(let number) = self { number } else { nil } }
}
