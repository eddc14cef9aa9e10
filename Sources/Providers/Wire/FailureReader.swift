import Chat
import JSON
import Transport

/// Turns a refusal into a `Failure`, whether it comes as a status or inside an answer whose status was 200.
///
/// Servers word it as `{"error":{"message","type","code"}}` with `code` a number, text or null; `{"error":"text"}`; `[{"error":…}]`;
/// `{"object":"error","message"}`; `{"detail":…}`; `{"message":…}`; a bare text; and no JSON at all. Their words always reach the row.
enum FailureReader {
  /// A refusal with a status of its own.
  static func read(status: Int, body: [UInt8], head: ResponseHead?) -> Failure {
    if (300..<400).contains(status) {
      // A key goes to its own host and nowhere else, and what is redirected today is redirected tomorrow.
      let place = head?["location"].map { " to \($0)" } ?? ""
      var failure = Failure(.malformed, "the server redirects\(place), which is not followed", status: status)
      failure.shouldRetry = false
      return failure
    }
    var failure = failure(status: status, body)
    if let stated = head.flatMap(RetryAfter.init(head:)) { failure.retryAfter = stated.delay }
    // OpenAI's servers say outright what is worth another try; what cannot be mended by one stays as it is.
    if failure.kind.isTransient, head?["x-should-retry"] == "false" { failure.shouldRetry = false }
    return failure
  }

  /// An error inside an answer whose status said that all was well.
  static func inside(_ data: UnsafeRawBufferPointer) -> Failure { failure(status: nil, Array(data)) }

  private static func failure(status: Int?, _ body: [UInt8]) -> Failure {
    let document = (try? JSONValue(parsing: body)) ?? eventData(body).flatMap { try? JSONValue(parsing: $0) }
    let refusal = ServerWords(document)
    var message = refusal.message
    if message.isEmpty {
      let text = document?.string ?? String(decoding: body.prefix(400), as: UTF8.self)
      message = text.isEmpty ? "no message came with it" : document?.string ?? "the answer was: \(text)"
    }
    // An error inside a stream states its status, if at all, as its code.
    let meant = status ?? refusal.codes.first { (400..<600).contains($0) }
    let kind = FailureKinds.kind(meant, refusal.words, message.lowercased(), isFlagged: refusal.isFlagged)
    var failure = Failure(kind, message, status: status)
    failure.retryAfter = refusal.retryDelay.flatMap(RetryAfter.duration) ?? RetryAfter.stated(in: message)
    return failure
  }

  /// The data of a refusal that was sent as an event: `data: {…}`, `event: error` before it or not.
  private static func eventData(_ body: [UInt8]) -> [UInt8]? {
    for line in body.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }) {
      for field in ["data:", "error:"] where line.starts(with: field.utf8) { return Array(line.dropFirst(field.utf8.count)) }
    }
    return nil
  }
}

/// What a refusal's document says, whatever its shape.
private struct ServerWords {
  var message = ""
  /// Types, codes and reasons that are texts, in lower case.
  var words: [String] = []
  /// Codes that are numbers.
  var codes: [Int] = []
  /// Google's `RetryInfo`: `36s`.
  var retryDelay: String?
  /// A moderation says what it objects to.
  var isFlagged = false

  init(_ document: JSONValue?) {
    guard let document else { return }
    // Gemini answers a list of one.
    if let first = document.array?.first {
      self = ServerWords(first)
      return
    }
    let error = document["error"] ?? document["x_groq"]?["error"] ?? document["errors"]?.array?.first
    let detail = document["detail"] ?? error?["detail"]
    let texts = [
      error?["message"]?.string, error?.string, detail?.string, ServerWords.listed(detail), document["message"]?.string,
      document["msg"]?.string, document["error_msg"]?.string, document["error_message"]?.string, error?["msg"]?.string,
      ServerWords.listed(error?["message"]), detail.flatMap(ServerWords.written), error.flatMap(ServerWords.written),
      document["title"]?.string,
    ]
    message = texts.compactMap { $0 }.first { !$0.isEmpty } ?? ""
    // OpenRouter passes on what the provider behind it said.
    if let raw = error?["metadata"]?["raw"]?.string, !raw.isEmpty { message += ": \(raw)" }
    let details = error?["details"]?.array ?? []
    let names: [JSONValue?] =
      [
        error?["type"], error?["code"], error?["status"], error?["innererror"]?["code"], document["type"], document["code"],
        document["status"], document["error_type"], document["error_code"],
      ] + details.map { $0["reason"] }
    words = names.compactMap { $0?.string?.lowercased() }
    codes = names.compactMap { name in
      if case .int(let number)? = name { return number }
      return name?.string.flatMap { Int($0) }
    }
    retryDelay = details.lazy.compactMap { $0["retryDelay"]?.string }.first
    isFlagged = error?["metadata"]?["flagged_input"] != nil || error?["metadata"]?["reasons"] != nil
  }

  /// FastAPI's `[{"loc","msg"}]`.
  private static func listed(_ value: JSONValue?) -> String? {
    let texts = value?.array?.compactMap { $0["msg"]?.string ?? $0["message"]?.string ?? $0.string } ?? []
    guard !texts.isEmpty, texts.count == value?.array?.count else { return nil }
    return texts.joined(separator: "; ")
  }

  private static func written(_ value: JSONValue) -> String? { value == .null ? nil : value.text }
}
