import Chat
import Scheduling

/// The session's settings. Those of a request can be given to a single command as flags, or to a block with `with`.
public struct Settings: Sendable {
  public var model: ModelName
  public var system: String?
  public var sampling = Sampling()
  public var timeouts = Timeouts()
  public var streaming = true
  public var concurrency = 8
  public var retry = RetryPolicy()
  public var colour = true

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
    }
  }

  var isOptional: Bool {
    switch (kind, name) {
    case (.duration, _), (.text, _), (.texts, _): true
    case (_, "temperature"), (_, "top-p"), (_, "max-tokens"), (_, "seed"): true
    default: false
    }
  }

  public static let all: [SettingDefinition] = [
    SettingDefinition(
      name: "model", summary: "the model that prompts go to", kind: .model, isRequest: true,
      get: { .text($0.model.description) }, put: { if let name = ModelName($1.text) { $0.model = name } }),
    SettingDefinition(
      name: "concurrency", summary: "calls at once in the session; changes running jobs at once", kind: .whole(1...10_000),
      isRequest: false,
      get: { .int($0.concurrency) }, put: { if case .int(let n) = $1 { $0.concurrency = n } }),
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
      name: "retries", summary: "further tries after a failure that may pass", kind: .whole(0...100), isRequest: true,
      get: { .int($0.retry.retries) }, put: { if case .int(let n) = $1 { $0.retry.retries = n } }),
    SettingDefinition(
      name: "max-wait", summary: "the longest wait a server may ask for before a row fails instead", kind: .duration, isRequest: true,
      get: { .duration($0.retry.maximumWait) },
      put: { if case .duration(let d) = $1 { $0.retry.maximumWait = d } else { $0.retry.maximumWait = .seconds(1_000_000_000) } }),
    SettingDefinition(
      name: "connect-timeout", summary: "time to reach the server", kind: .duration, isRequest: true,
      get: { $0.timeouts.connect.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.connect = d } else { $0.timeouts.connect = nil } }),
    SettingDefinition(
      name: "first-byte-timeout", summary: "time from the request to the first byte of its answer", kind: .duration, isRequest: true,
      get: { $0.timeouts.firstByte.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.firstByte = d } else { $0.timeouts.firstByte = nil } }),
    SettingDefinition(
      name: "idle-timeout", summary: "longest silence within an answer", kind: .duration, isRequest: true,
      get: { $0.timeouts.idle.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.idle = d } else { $0.timeouts.idle = nil } }),
    SettingDefinition(
      name: "timeout", summary: "time for a whole call", kind: .duration, isRequest: true,
      get: { $0.timeouts.total.map(Value.duration) ?? .nothing },
      put: { if case .duration(let d) = $1 { $0.timeouts.total = d } else { $0.timeouts.total = nil } }),
    SettingDefinition(
      name: "colour", summary: "colour on the terminal", kind: .onOff, isRequest: false,
      get: { .bool($0.colour) }, put: { if case .bool(let on) = $1 { $0.colour = on } }),
  ]

  public static func named(_ name: String) -> SettingDefinition? {
    all.first { $0.name == name || $0.name == aliases[name] }
  }

  private static let aliases = ["color": "colour", "max_tokens": "max-tokens", "top_p": "top-p"]

  /// The names under which commands that send prompts take it.
  public static let requestFlags: [SettingDefinition] = all.filter(\.isRequest)
}

extension SettingDefinition {
  /// Turns what was written into a value of this setting's kind.
  func read(_ given: Value) throws(OperationError) -> Value {
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
