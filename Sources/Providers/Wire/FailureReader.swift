import Chat
import JSON
import Transport

/// Turns a refusal into a `Failure`. Servers word it in five shapes: `{"error":{"message","type","code"}}` with `code` a number,
/// text or null; `{"error":"text"}`; `{"detail":…}`; `{"message":…}`; and no JSON at all.
enum FailureReader {
  static func read(status: Int, body: [UInt8], head: ResponseHead?) -> Failure {
    if (300..<400).contains(status) {
      // A key goes to its own host and nowhere else, and what is redirected today is redirected tomorrow.
      let place = head?["location"].map { " to \($0)" } ?? ""
      var failure = Failure(.malformed, "the server redirects\(place), which is not followed", status: status)
      failure.shouldRetry = false
      return failure
    }
    var failure = failure(status: status, document: try? JSONValue(parsing: body))
    if failure.message.isEmpty {
      let text = String(decoding: body.prefix(400), as: UTF8.self)
      failure = Failure(failure.kind, text.isEmpty ? "no message came with it" : "the answer was: \(text)", status: status)
    }
    failure.retryAfter = head.flatMap(RetryAfter.init(head:))?.delay
    // OpenAI's servers say outright what is worth another try; what cannot be mended by one stays as it is.
    if failure.kind.isTransient, head?["x-should-retry"] == "false" { failure.shouldRetry = false }
    return failure
  }

  /// - Parameter status: nil for an error that came inside a stream whose status was 200.
  static func failure(status: Int?, document: JSONValue?) -> Failure {
    let error = document?["error"]
    let message =
      error?["message"]?.string ?? error?.string ?? document?["detail"]?.string ?? document?["detail"]?.text
      ?? document?["message"]?.string ?? error?.text ?? ""
    let words = [error?["type"], error?["code"], document?["type"]].compactMap { $0?.string }
    // An error inside a stream states its status, if at all, as its code.
    var code = status
    if code == nil, case .int(let number)? = error?["code"] { code = number }
    if code == nil, let text = error?["code"]?.string { code = Int(text) }
    return Failure(kind(code, words, message.lowercased()), message, status: status)
  }

  private static func kind(_ status: Int?, _ words: [String], _ message: String) -> FailureKind {
    func says(_ names: String...) -> Bool { names.contains { name in words.contains(name) } }
    if says("insufficient_quota", "billing_hard_limit_reached", "billing_not_active") { return .quota }
    if says("context_length_exceeded", "exceed_context_size_error") { return .tooLong }
    if says("content_filter", "content_policy_violation") { return .refused }
    if says("overloaded_error") { return .overloaded }
    if says("model_not_found") { return .notFound }
    switch status {
    case 401, 403: return .auth
    case 402: return .quota
    case 404: return .notFound
    case 408, 504: return .timeout
    case 413: return .tooLong
    case 429: return .rateLimited
    case 503, 529: return .overloaded
    case .some(400..<500):
      if message.contains("maximum context length") || message.contains("context size") { return .tooLong }
      if message.contains("invalid model name") || message.contains("model not found") { return .notFound }
      return .badRequest
    // llama.cpp answers 500 where a message lacks its role: the client's mistake, not worth another try.
    case .some(500...) where says("invalid_request_error") || message.hasPrefix("failed to parse messages"): return .badRequest
    case .some(300..<400): return .malformed
    default: return .server
    }
  }
}
