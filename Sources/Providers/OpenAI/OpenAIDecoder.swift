import Chat
import JSON
import Transport

/// Reads answers of `/chat/completions`, streamed (`chat.completion.chunk` events) or whole, and tells which it is from the
/// answer itself: a stream request may be answered with one JSON document, and the other way round.
///
/// An answer succeeds only with a finish reason and no error event. `[DONE]`, status 200 and a clean end prove nothing: some
/// servers send all three after an error (`facts.md`, "What real servers do that breaks clients").
struct OpenAIDecoder: ReplyDecoder {
  private(set) var text: [UInt8] = []
  private(set) var isHopeless = false

  private enum Form { case unknown, stream, document }
  private var form = Form.unknown
  private var head: ResponseHead?
  private var events = SSEDecoder()
  private var buffer: [UInt8] = []
  private var chunks = ChunkReader()

  var hasBegun: Bool { form == .document || !text.isEmpty || !chunks.reasoning.isEmpty }

  mutating func begin(_ head: ResponseHead) {
    self.head = head
  }

  mutating func feed(_ bytes: UnsafeRawBufferPointer) {
    if form == .unknown { form = guess(bytes) }
    switch form {
    case .stream:
      // Two fields changed side by side: exclusive access is to each, not to the whole.
      readEvents(&events, &chunks, &text) { events, dispatch in events.feed(bytes, dispatch) }
      if events.isTooLong { isHopeless = true }
    case .document: buffer.append(contentsOf: bytes)
    case .unknown: break
    }
  }

  mutating func finish(_ error: TransportError?) -> Attempt {
    var attempt = Attempt()
    let status = head?.status ?? 0
    switch form {
    case .stream:
      // A last event without its blank line counts if it parses; if it does not, it was cut, which is no malformed event.
      let problem = chunks.problem
      readEvents(&events, &chunks, &text) { events, dispatch in events.finish(dispatch) }
      chunks.problem = problem
    case .document where (200..<300).contains(status):
      buffer.withUnsafeBytes { chunks.readDocument($0, into: &text) }
    case .document, .unknown: break
    }
    attempt.text = String(decoding: text, as: UTF8.self)
    attempt.reasoning = String(decoding: chunks.reasoning, as: UTF8.self)
    attempt.usage = chunks.usage
    attempt.finish = chunks.finish
    attempt.failure = failure(status, error)
    return attempt
  }

  private func failure(_ status: Int, _ error: TransportError?) -> Failure? {
    if error == .cancelled { return Failure(.cancelled, "cancelled") }
    if let failure = chunks.failure { return failure }
    if head != nil, !(200..<300).contains(status) {
      return FailureReader.read(status: status, body: buffer, head: head)
    }
    if chunks.finish == .contentFilter { return Failure(.refused, "the content filter stopped the reply", status: status) }
    // What breaks after the finish reason takes nothing away from the answer.
    if chunks.finish != nil { return nil }
    if events.isTooLong { return Failure(.malformed, "an event is longer than \(SSEDecoder.maximumEvent >> 20) MiB", status: status) }
    if let error, let failure = Failure(error) {
      if case .broken(let words) = error, head != nil {
        return Failure(.truncated, "the answer broke off after \(text.count) bytes of text: \(words)", status: status)
      }
      return failure
    }
    if form == .document, !Self.isJSON(buffer) { return Failure(.malformed, Self.unlike(buffer), status: status) }
    if let problem = chunks.problem { return Failure(.malformed, problem, status: status) }
    switch form {
    case .stream: return Failure(.truncated, "the stream ended without a finish reason", status: status)
    case .document: return Failure(.malformed, Self.unlike(buffer), status: status)
    case .unknown: return Failure(.malformed, "the answer was empty", status: status)
    }
  }

  private static func isJSON(_ body: [UInt8]) -> Bool {
    let first = body.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
  }

  private static func unlike(_ body: [UInt8]) -> String {
    let start = body.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }.prefix(120)
    let isBinary = body.prefix(512).contains { $0 < 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
    if isBinary { return "the answer is \(body.count) bytes of something that is no text" }
    let form = start.first == UInt8(ascii: "<") ? "a web page" : "no chat completion"
    return "the answer is \(form): \(String(decoding: start, as: UTF8.self))"
  }

  private func guess(_ bytes: UnsafeRawBufferPointer) -> Form {
    guard let first = bytes.first(where: { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }) else { return .unknown }
    if let status = head?.status, !(200..<300).contains(status) { return .document }
    switch first {
    case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "<"), UInt8(ascii: "\""): return .document
    case UInt8(ascii: "d"), UInt8(ascii: "e"), UInt8(ascii: ":"), UInt8(ascii: "i"), UInt8(ascii: "r"): return .stream
    default: return head?["content-type"]?.hasPrefix("text/event-stream") == true ? .stream : .document
    }
  }
}

private func readEvents(
  _ events: inout SSEDecoder, _ chunks: inout ChunkReader, _ text: inout [UInt8],
  _ step: (inout SSEDecoder, (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) -> Void
) {
  step(&events) { _, data in chunks.read(data, into: &text) }
}
