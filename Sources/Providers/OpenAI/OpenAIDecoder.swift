import Chat
import JSON
import Transport

/// Reads answers of `/chat/completions`, streamed (`chat.completion.chunk` events) or whole, and tells which it is from the
/// answer itself: a stream request may be answered with one JSON document, and the other way round.
///
/// A stream is an answer only with a finish reason of the known ones, with every event whole and sound, without an error in it, and
/// ended by its mark or a clean end of the transfer. `[DONE]`, status 200 and a clean end alone prove nothing: some servers send all three
/// after an error. A document must parse to its end and its transfer must end
/// cleanly.
///
/// Its parts are fed by one thread at a time, and none of them reaches another while it changes: each access need not be noted and
/// looked up at run time.
final class OpenAIDecoder: ReplyDecoder {
  private enum Form { case unknown, stream, document }
  @exclusivity(unchecked) private var form = Form.unknown
  private var head: ResponseHead?
  @exclusivity(unchecked) private var events = SSEDecoder()
  private var buffer: [UInt8] = []
  @exclusivity(unchecked) private var reading: AnswerReading
  /// How much of a byte-order mark has come; nil when the start is behind us.
  private var marked: Int? = 0
  private var reads = 0

  /// What is held of an answer at most, in bytes: the text with its reasoning (a million tokens), and a document. Sixteen answers
  /// without an end, side by side, stay under 200 MiB.
  private static let (maximumText, maximumDocument) = (4 << 20, 8 << 20)
  private var isTooLarge: Bool {
    reading.text.count + reading.reasoning.count > Self.maximumText || buffer.count > Self.maximumDocument
  }

  /// - Parameter keepsThink: leaves `<think>…</think>` in the text.
  init(keepsThink: Bool = false) {
    reading = AnswerReading(keepsThink: keepsThink)
  }

  /// Another that has read the same, to see what an end here would amount to.
  func copy() -> OpenAIDecoder {
    let copy = OpenAIDecoder()
    (copy.form, copy.head, copy.events, copy.buffer) = (form, head, events, buffer)
    (copy.reading, copy.marked, copy.reads) = (reading, marked, reads)
    return copy
  }

  var text: [UInt8] { reading.text }
  var hasBegun: Bool { form == .document || reading.progress > 0 }
  var progress: Int { form == .document ? reads : reading.progress }
  var isHopeless: Bool { events.isTooLong || isTooLarge || reading.failure != nil || reading.problem != nil }
  var isEnded: Bool { form == .stream && reading.isEnded }
  var hasFinished: Bool { form == .stream && reading.finish != nil }
  var isEmptyStream: Bool {
    form == .unknown && head.map { (200..<300).contains($0.status) && $0.isEventStream } ?? false
  }

  func begin(_ head: ResponseHead) {
    self.head = head
  }

  func feed(_ bytes: UnsafeRawBufferPointer) {
    let bytes = marked == nil ? bytes : withoutMark(bytes)
    guard !bytes.isEmpty else { return }
    if form == .unknown { form = guess(bytes) }
    switch form {
    case .stream:
      // Two fields changed side by side: exclusive access is to each, not to the whole.
      readEvents(&events, &reading, isWhole: true) { events, dispatch in events.feed(bytes, dispatch) }
    case .document:
      // Blanks keep a connection open, and are no more of the answer.
      if bytes.contains(where: { !Self.isBlank($0) }) { reads += 1 }
      // A document near its limit is not given room for twice that.
      if buffer.count + bytes.count > buffer.capacity, buffer.capacity > Self.maximumDocument / 4 {
        buffer.reserveCapacity(min(2 * buffer.capacity, Self.maximumDocument + bytes.count))
      }
      buffer.append(contentsOf: bytes)
    case .unknown: break
    }
  }

  func finish(_ error: TransportError?) -> Attempt {
    let status = head?.status ?? 0
    switch form {
    // A last event without its blank line counts if it parses.
    case .stream: readEvents(&events, &reading, isWhole: false) { events, dispatch in events.finish(dispatch) }
    case .document where (200..<300).contains(status) && !isTooLarge: buffer.withUnsafeBytes { reading.document($0) }
    case .document, .unknown: break
    }
    reading.close()
    let failure = failure(status, error)
    // The server declined to have it answered: that is its answer.
    let isAnswer = failure?.kind.isWrongAnswer ?? false
    let wrong = failure == nil ? reading.wrong.map { $0.with(status: status) } : isAnswer ? failure : nil
    return Attempt(
      text: String(decoding: reading.text, as: UTF8.self), reasoning: String(decoding: reading.reasoning, as: UTF8.self),
      usage: reading.usage, finish: reading.finish, toolCalls: reading.toolCalls, failure: isAnswer ? nil : failure, wrong: wrong)
  }

  private func failure(_ status: Int, _ error: TransportError?) -> Failure? {
    if error == .cancelled, !isEnded { return Failure(.cancelled, "cancelled") }
    if let failure = reading.failure { return failure }
    if isTooLarge {
      let most = form == .stream ? "\(Self.maximumText >> 20) MiB of text" : "\(Self.maximumDocument >> 20) MiB of body"
      return Failure(.malformed, "the answer was too large: more than \(most)", status: status)
    }
    if head == nil, error == nil { return Failure(.connection, "the connection was closed within the headers") }
    if head != nil, !(200..<300).contains(status) {
      return FailureReader.read(status: status, body: buffer, head: head)
    }
    if events.isTooLong { return Failure(.malformed, "an event is longer than \(SSEDecoder.maximumEvent >> 20) MiB", status: status) }
    if form == .stream, let problem = reading.problem { return Failure(.malformed, problem, status: status) }
    if !isEnded, let failure = broken(status, error) { return failure }
    return form == .stream ? streamFailure(status) : documentFailure(status)
  }

  /// What ended the transfer, where it ended before the answer did.
  private func broken(_ status: Int, _ error: TransportError?) -> Failure? {
    guard let error, var failure = Failure(error) else { return nil }
    // Silence after the finish reason takes nothing away: only the count of tokens could have followed.
    if hasFinished, case .timedOut(.idle, _) = error { return nil }
    if case .broken(let words) = error, head != nil {
      failure = Failure(.truncated, "the answer broke off after \(reading.text.count) bytes of text: \(words)", status: status)
    }
    return failure
  }

  private func streamFailure(_ status: Int) -> Failure? {
    if reading.isCutShort, !reading.isEnded { return Failure(.truncated, "the stream ended within an event", status: status) }
    guard let finish = reading.finish else {
      let words = events.stray.isEmpty ? reading.otherWords : events.stray
      let said = words.isEmpty ? "" : "; it said: \(String(decoding: words, as: UTF8.self))"
      return Failure(.truncated, "the stream ended without a finish reason\(said)", status: status)
    }
    return stated(finish, status)
  }

  private func documentFailure(_ status: Int) -> Failure? {
    if form == .unknown { return Failure(.malformed, "the answer was empty", status: status) }
    if !Self.isJSON(buffer) { return Failure(.malformed, Self.unlike(buffer), status: status) }
    if let problem = reading.problem { return Failure(reading.isCutShort ? .truncated : .malformed, problem, status: status) }
    if !reading.hasMessage { return Failure(.malformed, Self.unlike(buffer), status: status) }
    return reading.finish.flatMap { stated($0, status) }
  }

  private func stated(_ finish: FinishReason, _ status: Int) -> Failure? {
    finish.failure.map {
      var failure = $0
      failure.status = status
      return failure
    }
  }

  private static func isJSON(_ body: [UInt8]) -> Bool {
    let first = body.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
    return first == UInt8(ascii: "{") || first == UInt8(ascii: "[") || first == UInt8(ascii: "\"")
  }

  private static func unlike(_ body: [UInt8]) -> String {
    let start = body.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }.prefix(120)
    let isBinary = body.prefix(512).contains { $0 < 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
    if isBinary { return "the answer is \(body.count) bytes of something that is no text" }
    let form = start.first == UInt8(ascii: "<") ? "a web page" : "no chat completion"
    return "the answer is \(form): \(String(decoding: start, as: UTF8.self))"
  }

  /// Passes over a byte-order mark, which reads may split.
  private func withoutMark(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    var index = 0
    while let count = marked, index < bytes.count {
      if count < mark.count, bytes[index] == mark[count] {
        index += 1
        marked = count + 1
      } else {
        marked = nil
        // The first bytes of a mark, and then none: they were something else.
        if count > 0, count < mark.count {
          form = .document
          buffer += mark[..<count]
        }
      }
    }
    return UnsafeRawBufferPointer(rebasing: bytes[index...])
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  private func guess(_ bytes: UnsafeRawBufferPointer) -> Form {
    guard let first = bytes.first(where: { !Self.isBlank($0) }) else { return .unknown }
    if let status = head?.status, !(200..<300).contains(status) { return .document }
    switch first {
    case UInt8(ascii: "{"), UInt8(ascii: "["), UInt8(ascii: "<"), UInt8(ascii: "\""): return .document
    case UInt8(ascii: "d"), UInt8(ascii: "e"), UInt8(ascii: ":"), UInt8(ascii: "i"), UInt8(ascii: "r"): return .stream
    default: return head?.isEventStream == true ? .stream : .document
    }
  }
}

extension ResponseHead {
  fileprivate var isEventStream: Bool { self["content-type"]?.lowercased().hasPrefix("text/event-stream") == true }
}

private func readEvents(
  _ events: inout SSEDecoder, _ reading: inout AnswerReading, isWhole: Bool,
  _ step: (inout SSEDecoder, (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) -> Void
) {
  step(&events) { name, data in reading.event(name, data, isWhole: isWhole) }
}

extension Failure {
  fileprivate func with(status: Int) -> Failure {
    var failure = self
    failure.status = status
    return failure
  }
}
