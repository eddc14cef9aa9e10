import Chat
import JSON

/// An answer as far as its events, or its document, have told. It knows nothing of HTTP: the decoder tells it what came, and asks
/// what it amounts to.
struct AnswerReading {
  /// The text so far.
  private(set) var text: [UInt8] = []
  private(set) var reasoning: [UInt8] = []
  private(set) var toolCalls = 0
  private(set) var usage: Usage?
  private(set) var finish: FinishReason?
  /// `[DONE]` has come.
  private(set) var isDone = false
  /// What the server said went wrong, in the answer itself.
  private(set) var failure: Failure?
  /// What came is not what a model server sends.
  private(set) var problem: String?
  /// The last event, or the document, ends in its middle.
  private(set) var isCutShort = false
  /// Whether a message of ours was there at all.
  private(set) var hasMessage = false
  /// How many events (of a document: reads) brought something of the answer.
  private(set) var progress = 0

  private var refusal: [UInt8] = []
  private var hasUsageAtEnd = false
  private var half: UInt16?
  private var reasoningHalf: UInt16?
  /// What an event of a name that is not ours said, where that is no chunk.
  private(set) var otherWords: [UInt8] = []
  private var think: ThinkSplitter
  private var chunk = ChunkReader()
  private var template = ChunkTemplate()

  init(keepsThink: Bool) {
    think = ThinkSplitter(keeps: keepsThink)
  }

  /// Nothing that can still come changes what the row says: `[DONE]`, or the finish reason and then the count of tokens.
  var isEnded: Bool { isDone || finish != nil && hasUsageAtEnd }

  /// Takes one event in.
  ///
  /// - Parameter isWhole: whether its blank line came; without it, what does not parse was cut rather than malformed.
  mutating func event(_ name: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer, isWhole: Bool) {
    guard failure == nil, problem == nil else { return }
    let isPlain = half == nil && reasoningHalf == nil && !isDone && name.isEmpty
    if isPlain, let content = template.content(of: data) {
      guard !content.isEmpty else { return }
      progress += 1
      think.take(content, text: &text, reasoning: &reasoning)
      return
    }
    let data = trimmed(data)
    let isError = name.spells("error")
    if isError, !isDone {
      // "error" is also the name under which whole documents are told of that were cut.
      failure = FailureReader.inside(data)
      return
    }
    if data.isEmpty { return }
    if isDoneMark(data) {
      isDone = true
      return
    }
    do {
      try chunk.read(data, half: half, reasoningHalf: reasoningHalf)
    } catch {
      // After the end only usage is read; and what other events say is nobody's business here.
      if isDone { return }
      if !name.isEmpty, !name.spells("message") {
        // Where nothing else tells why there is no answer, that may.
        let word = String(decoding: name, as: UTF8.self).lowercased()
        if ["err", "exception", "fail"].contains(where: word.contains) {
          otherWords = Array(name.prefix(40)) + Array(": ".utf8) + Array(data.prefix(200))
        }
        return
      }
      if !isWhole {
        isCutShort = true
      } else {
        problem = "an event is not the JSON of a chat completion (\(error)): \(String(decoding: data.prefix(120), as: UTF8.self))"
      }
      return
    }
    if isPlain, let content = chunk.onlyContent { template.learn(data, content) }
    take(data)
  }

  mutating func document(_ data: UnsafeRawBufferPointer) {
    do {
      try chunk.read(data, half: nil, reasoningHalf: nil)
    } catch {
      isCutShort = error.isEarlyEnd
      problem = "the answer is not the JSON of a chat completion (\(error)): \(String(decoding: data.prefix(120), as: UTF8.self))"
      return
    }
    take(data)
    if !chunk.hasChoices, chunk.hasWords, failure == nil { failure = FailureReader.inside(data) }
    hasMessage = chunk.choice.hasMessage
  }

  private mutating func take(_ data: UnsafeRawBufferPointer) {
    if let counted = chunk.usage {
      usage = counted
      if finish != nil || chunk.choice.finish != nil { hasUsageAtEnd = true }
    }
    if isDone { return }
    if chunk.saysError { failure = FailureReader.inside(data) }
    guard chunk.hasChoice else { return }
    let choice = chunk.choice
    let brings = !choice.content.isEmpty || !choice.refusal.isEmpty || !choice.reasoning.isEmpty || choice.toolCalls > 0
    if brings { progress += 1 }
    reasoning += choice.reasoning
    refusal += choice.refusal
    toolCalls += choice.toolCalls
    (half, reasoningHalf) = (choice.half, choice.reasoningHalf)
    if !choice.content.isEmpty { think.take(choice.content, text: &text, reasoning: &reasoning) }
    // A filter may speak after the end; what it stopped, and what ended in an error, stays so.
    if let word = choice.finish, finish != .contentFilter, finish?.failure == nil || finish?.failure?.shouldRetry == false {
      finish = FinishReason(word)
    }
  }

  /// No more comes.
  mutating func close() {
    if half != nil { think.take(Self.replacement, text: &text, reasoning: &reasoning) }
    if reasoningHalf != nil { reasoning += Self.replacement }
    (half, reasoningHalf) = (nil, nil)
    think.finish(text: &text, reasoning: &reasoning)
    // The words of a refusal are what the model said.
    if text.isEmpty { text = refusal }
  }

  /// How the answer differs from what was asked for; nil where it does not.
  var wrong: Failure? {
    if !refusal.isEmpty { return Failure(.refused, String(decoding: refusal, as: UTF8.self)) }
    if finish == .contentFilter { return Failure(.refused, "the content filter stopped the reply") }
    guard text.isEmpty, toolCalls == 0 else { return nil }
    let hasThought = !reasoning.isEmpty || usage?.reasoning ?? 0 > 0
    switch finish {
    case .length where hasThought: return Failure(.empty, "reasoning only; raise max-tokens")
    case .stop where reasoning.isEmpty, nil where reasoning.isEmpty: return Failure(.empty, "the model stopped without a word")
    default: return nil
    }
  }

  private static let replacement = Array("\u{FFFD}".utf8)
}

private func trimmed(_ data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
  func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
  guard let first = data.firstIndex(where: { !isBlank($0) }), let last = data.lastIndex(where: { !isBlank($0) }) else {
    return UnsafeRawBufferPointer(start: nil, count: 0)
  }
  return UnsafeRawBufferPointer(rebasing: data[first...last])
}

/// `[DONE]`, in whatever case, in quotes or not.
private func isDoneMark(_ data: UnsafeRawBufferPointer) -> Bool {
  guard data.count == 6 || data.count == 8 else { return false }
  switch String(decoding: data, as: UTF8.self).lowercased() {
  case "[done]", "\"[done]\"": return true
  default: return false
  }
}
