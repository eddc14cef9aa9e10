/// A call as it goes out: its messages are made and its settings fixed. It never changes, so a reply that keeps it can be sent again
/// just as it was.
public final class PreparedCall: Sendable {
  public let request: ChatRequest
  /// What the request was made from, for whoever made it.
  public let settings: (any CallSettings)?
  /// What it may take of rates and budgets.
  public let amount: CallAmount

  public init(_ request: ChatRequest, settings: (any CallSettings)? = nil) {
    self.request = request
    self.settings = settings
    amount = CallAmount(input: request.estimatedTokens, output: request.sampling.maxTokens)
  }
}

/// The settings of a call, in whatever form its maker keeps them.
public protocol CallSettings: AnyObject, Sendable {}

/// What a call may take, in tokens.
public struct CallAmount: Sendable, Equatable {
  /// Reckoned from the prompt.
  public var input: Int
  /// The most a reply may have; nil where nobody says.
  public var output: Int?

  public init(input: Int, output: Int?) {
    (self.input, self.output) = (input, output)
  }
}

extension ChatRequest {
  /// Tokens of the prompt, reckoned rather too high than too low: three bytes a token, and some for each turn.
  var estimatedTokens: Int { messages.reduce(3) { $0 + $1.text.utf8.count / 3 + 5 } }
}
