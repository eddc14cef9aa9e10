/// Why the model stopped.
public enum FinishReason: Sendable, Equatable {
  case stop, length, contentFilter, toolCalls
  /// A word that is no end of an answer: an error of the server's, a turn that is not over, or one that nobody knows.
  case other(String)

  /// The words of all dialects that end an answer: an open set would take the next server's `abort` for a success.
  public init(_ word: String) {
    switch word.lowercased() {
    case "stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed": self = .stop
    case "length", "max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded": self = .length
    case "tool_calls", "function_call", "tool_use", "tool_call": self = .toolCalls
    case "content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content", "spii", "language",
      "image_safety", "sensitive", "guardrail_intervened", "error_toxic":
      self = .contentFilter
    default: self = .other(word)
    }
  }

  public var text: String {
    switch self {
    case .stop: "stop"
    case .length: "length"
    case .contentFilter: "content_filter"
    case .toolCalls: "tool_calls"
    case .other(let text): text
    }
  }

  /// What is wrong with an answer that ended so; nil for one that ended as answers do.
  public var failure: Failure? {
    guard case .other(let word) = self else { return nil }
    switch word.lowercased() {
    case "insufficient_system_resource": return Failure(.overloaded, "the server had no room left to go on (finish reason `\(word)`)")
    case "error", "network_error", "abort": return Failure(.server, "the server gave up (finish reason `\(word)`)")
    case let other where other.hasPrefix("malformed_"): return Failure(.server, "the server gave up (finish reason `\(word)`)")
    case "pause_turn", "continuation":
      var failure = Failure(.truncated, "the answer is not over (finish reason `\(word)`)")
      failure.shouldRetry = false
      return failure
    default:
      // The same question would bring the same word.
      var failure = Failure(.malformed, "the finish reason `\(word.prefix(60))` is not known; the text is kept")
      failure.shouldRetry = false
      return failure
    }
  }
}
