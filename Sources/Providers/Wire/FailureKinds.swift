import Chat

/// Which kind of failure a server means: by the names it gives (types, codes, reasons), then by its status, then by its words.
enum FailureKinds {
  private static let named: [String: FailureKind] = {
    let names: [(FailureKind, [String])] = [
      (
        .quota,
        [
          "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "budget_exceeded", "insufficient_balance",
          "insufficient_credits", "access_terminated",
        ]
      ),
      (.tooLong, ["context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "request_too_large"]),
      (
        .refused,
        [
          "content_filter", "content_policy_violation", "content_policy", "responsibleaipolicyviolation", "moderation_blocked",
          "moderation_error",
        ]
      ),
      (.auth, ["api_key_invalid", "invalid_api_key", "authentication_error", "unauthenticated", "permission_denied", "permission_error"]),
      (
        .rateLimited,
        [
          "rate_limit_exceeded", "rate_limit_error", "rate_limit_reached_error", "ratelimiterror", "resource_exhausted",
          "too_many_requests",
          "throttling_error", "throttlingexception",
        ]
      ),
      (
        .overloaded,
        ["overloaded_error", "engine_overloaded", "engine_overloaded_error", "capacity_exceeded", "unavailable", "service_unavailable"]
      ),
      (.notFound, ["model_not_found", "deploymentnotfound", "modelnotfound"]),
      (.timeout, ["deadline_exceeded"]),
    ]
    return Dictionary(names.flatMap { kind, names in names.map { ($0, kind) } }, uniquingKeysWith: { first, _ in first })
  }()

  /// - Parameters:
  ///   - words: in lower case, as the message.
  ///   - isFlagged: it tells what of the prompt it objects to.
  static func kind(_ status: Int?, _ words: [String], _ message: String, isFlagged: Bool) -> FailureKind {
    let kinds = words.compactMap { named[$0] }
    // The strongest word decides: `insufficient_quota` may stand beside `rate_limit_error`.
    for kind in [FailureKind.quota, .tooLong, .refused] where kinds.contains(kind) { return kind }
    if status == 403, isFlagged || message.contains("moderation") || message.contains("flagged") { return .refused }
    // `unavailable` and its like are also what a 400 or 404 may be called.
    if let kind = kinds.first, status.map({ kind.fits($0) }) ?? true { return kind }
    switch status {
    case 401, 403: return .auth
    case 402: return .quota
    case 404: return .notFound
    case 408, 504: return .timeout
    case 413: return .tooLong
    case 429: return .rateLimited
    case 498, 503, 529: return .overloaded
    // A conflict, one that came too early, a generation that broke behind a gateway: the next try may go well.
    case 409, 424, 425: return .server
    case .some(400..<500): return ofMistake(message)
    // Some answer 500 where the request is at fault: not worth another try.
    case .some(500...) where isMistake(words, message): return .badRequest
    case .some(300..<400): return .malformed
    case nil where isMistake(words, message): return ofMistake(message)
    default: return .server
    }
  }

  private static func ofMistake(_ message: String) -> FailureKind {
    func says(_ parts: String...) -> Bool { parts.contains { message.contains($0) } }
    if says("context length", "context size", "context window", "prompt is too long", "too many tokens", "max_model_len") {
      return .tooLong
    }
    if says("invalid model name", "model not found", "pinned to", "no such model", "unknown model") { return .notFound }
    if message.contains("model"), says("does not exist", "is not found") { return .notFound }
    if says("content management policy") { return .refused }
    if says("api key not valid", "invalid api key") { return .auth }
    return .badRequest
  }

  /// llama.cpp: a message without its role, an image for a model that sees none. llama-cpp-python: whatever pydantic objects to.
  private static func isMistake(_ words: [String], _ message: String) -> Bool {
    if words.contains(where: { ["invalid_request_error", "badrequesterror", "bad_request_error", "invalid_argument"].contains($0) }) {
      return true
    }
    if message.hasPrefix("failed to parse messages") || message.hasPrefix("image input is not supported") { return true }
    return message.prefix(40).contains(/^\d+ validation errors?/)
  }
}

extension FailureKind {
  /// Whether a name that means this kind is to be believed under a status.
  fileprivate func fits(_ status: Int) -> Bool {
    switch self {
    case .auth: status == 400 || status == 401 || status == 403
    case .rateLimited: status == 429 || status >= 500 || status == 400
    case .overloaded: status >= 429
    case .notFound: (400..<500).contains(status)
    case .timeout: status >= 408
    default: true
    }
  }
}
