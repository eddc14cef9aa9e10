/// One turn of a conversation.
public struct Message: Sendable, Equatable {
  public enum Role: String, Sendable { case system, user, assistant }

  public var role: Role
  public var text: String

  public init(_ role: Role, _ text: String) {
    self.role = role
    self.text = text
  }
}

/// How a model is asked to sample; nil leaves the server's default.
public struct Sampling: Sendable, Equatable {
  /// 0…2.
  public var temperature: Double?
  /// 0…1.
  public var topP: Double?
  /// Tokens of the answer at most.
  public var maxTokens: Int?
  public var seed: Int?
  public var stop: [String] = []

  public init() {}
}

/// How long each part of a call may take; nil is no limit.
public struct Timeouts: Sendable, Equatable {
  public var connect: Duration? = .seconds(10)
  /// From the request to the first token of a stream, or the first byte of a whole answer.
  public var firstToken: Duration? = .seconds(120)
  /// Between two reads of the answer.
  public var idle: Duration? = .seconds(60)
  public var total: Duration?

  public init() {}
}

/// A member that the user adds to a request's body.
public struct BodyMember: Sendable, Equatable {
  public var name: String
  /// Its value as JSON text.
  public var json: String

  public init(name: String, json: String) {
    (self.name, self.json) = (name, json)
  }
}

/// A header that the user adds to requests. Its value may be a key: it is shown nowhere.
public struct RequestHeader: Sendable, Equatable {
  public var name: String
  public var value: Secret

  public init(name: String, value: Secret) {
    (self.name, self.value) = (name, value)
  }
}

/// What is asked of a model, in no dialect.
public struct ChatRequest: Sendable, Equatable {
  public var model: ModelName
  public var messages: [Message]
  public var sampling = Sampling()
  public var timeouts = Timeouts()
  /// Whether the answer comes as a stream of deltas or whole.
  public var streams = true
  /// Which of a provider's addresses and keys it goes by, where they were changed meanwhile; nil for today's.
  public var directory: Int?
  /// Whether `<think>…</think>` at the start of an answer stays in its text.
  public var keepsThink = false
  /// Added to the body; one of a name that we would write ourselves stands in its place.
  public var members: [BodyMember] = []
  /// Added to the headers, likewise.
  public var headers: [RequestHeader] = []

  public init(model: ModelName, messages: [Message]) {
    self.model = model
    self.messages = messages
  }
}
