/// What came back for one prompt, after all tries.
public struct Reply: Sendable {
  /// What was sent, as it was sent.
  public var call: PreparedCall
  /// The last try's.
  public var attempt: Attempt
  /// How often it was sent.
  public var attempts: Int
  /// Time spent waiting for leave to send, and between tries.
  public var queued: Duration
  /// Time spent waiting between tries.
  public var waited: Duration = .zero
  /// Whether a second call was sent beside the first, which was late.
  public var hedged = false
  /// Whether the answer was there already, and nothing was sent.
  public var isFromMemory = false
  /// Whether a file tells of it: no call of this session has told that it failed.
  public var isFromFile = false

  public init(call: PreparedCall, attempt: Attempt, attempts: Int, queued: Duration) {
    self.call = call
    self.attempt = attempt
    self.attempts = attempts
    self.queued = queued
  }

  public init(model: ModelName, messages: [Message], attempt: Attempt, attempts: Int, queued: Duration) {
    self.init(call: PreparedCall(ChatRequest(model: model, messages: messages)), attempt: attempt, attempts: attempts, queued: queued)
  }

  public var model: ModelName { call.request.model }
  /// The last user turn reads as `prompt`.
  public var messages: [Message] { call.request.messages }
  public var text: String { attempt.text }
  public var failure: Failure? { attempt.failure }
  /// Whether there is an answer, right or wrong.
  public var succeeded: Bool { attempt.failure == nil }
  /// What `reply.error` reads: why there is no answer, or how it is wrong.
  public var error: Failure? { attempt.failure ?? attempt.wrong }

  /// Words for logs and tables: the last thing the user side said.
  public var prompt: String { messages.last { $0.role == .user }?.text ?? "" }
}
