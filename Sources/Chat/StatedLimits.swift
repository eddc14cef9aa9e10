/// What a server said of its own limits with an answer (`x-ratelimit-*`, `anthropic-ratelimit-*`).
public struct StatedLimits: Sendable, Equatable {
  public struct Amount: Sendable, Equatable {
    /// What it gives in all.
    public var limit: Int?
    /// What it still gives.
    public var remaining: Int
    /// Until it gives everything again; nil where it does not say.
    public var reset: Duration?

    public init(limit: Int?, remaining: Int, reset: Duration?) {
      (self.limit, self.remaining, self.reset) = (limit, remaining, reset)
    }
  }

  public var requests: Amount?
  public var tokens: Amount?
  /// From the request's start to the statement.
  public var after: Duration = .zero

  public init(requests: Amount?, tokens: Amount?) {
    (self.requests, self.tokens) = (requests, tokens)
  }
}
