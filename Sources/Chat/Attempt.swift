/// What one try at a call brought, as far as it came: on failure `text` keeps what had arrived.
///
/// Kept in one place that copies share: it goes through every layer between the wire
/// and a row, and inline its hundreds of bytes stood dozens of times in the frames of the functions on that way (29 KB in `CallEngine` alone,
/// for as long as the answer took).
public struct Attempt: Sendable {
  private var parts = CopyOnWrite(Parts())

  private struct Parts {
    var text = ""
    var reasoning = ""
    var toolCalls = 0
    var usage: Usage?
    var finish: FinishReason?
    var failure: Failure?
    var wrong: Failure?
    var ttft: Duration?
    var latency: Duration = .zero
    var stated: StatedLimits?
  }

  public init() {}

  public init(failure: Failure) {
    parts.value.failure = failure
  }

  /// An answer as it was read: why there is none, or how it is wrong, is known.
  public init(
    text: String, reasoning: String, usage: Usage?, finish: FinishReason?, toolCalls: Int, failure: Failure?, wrong: Failure?
  ) {
    parts = CopyOnWrite(
      Parts(text: text, reasoning: reasoning, toolCalls: toolCalls, usage: usage, finish: finish, failure: failure, wrong: wrong))
  }

  /// What is known of it when it is over.
  public mutating func arrived(text: String, reasoning: String, ttft: Duration?, latency: Duration, stated: StatedLimits?) {
    (parts.value.text, parts.value.reasoning) = (text, reasoning)
    (parts.value.ttft, parts.value.latency, parts.value.stated) = (ttft, latency, stated)
  }

  public var text: String {
    get { parts.value.text }
    set { parts.value.text = newValue }
  }

  public var reasoning: String {
    get { parts.value.reasoning }
    set { parts.value.reasoning = newValue }
  }

  /// Calls of tools that came beside or instead of text.
  public var toolCalls: Int {
    get { parts.value.toolCalls }
    set { parts.value.toolCalls = newValue }
  }

  /// What the server counted; nil where it did not say.
  public var usage: Usage? {
    get { parts.value.usage }
    set { parts.value.usage = newValue }
  }

  public var finish: FinishReason? {
    get { parts.value.finish }
    set { parts.value.finish = newValue }
  }

  /// Why there is no answer; nil where there is one.
  public var failure: Failure? {
    get { parts.value.failure }
    set { parts.value.failure = newValue }
  }

  /// How the answer differs from what was asked for: its kind is a wrong answer (`FailureKind.isWrongAnswer`). Never beside `failure`.
  public var wrong: Failure? {
    get { parts.value.wrong }
    set { parts.value.wrong = newValue }
  }

  /// From the request's start to its first content (not headers: some servers send those at once).
  public var ttft: Duration? {
    get { parts.value.ttft }
    set { parts.value.ttft = newValue }
  }

  /// From the request's start to its last byte.
  public var latency: Duration {
    get { parts.value.latency }
    set { parts.value.latency = newValue }
  }

  /// What the server said of its limits.
  public var stated: StatedLimits? {
    get { parts.value.stated }
    set { parts.value.stated = newValue }
  }
}
