/// Tokens as the server counted them. Chunks of a stream are not tokens; only `usage` says. What a server does not state is nil.
public struct Usage: Sendable, Equatable {
  /// Of the prompt in all, whatever of it came from a cache.
  public var input: Int
  /// Of the answer in all, reasoning included.
  public var output: Int
  /// Of the prompt's, those read from a cache and those written to one.
  public var cacheRead: Int?
  public var cacheWrite: Int?
  /// Of the answer's, those that were reasoning.
  public var reasoning: Int?
  /// What the call cost in US dollars, where the server says so itself.
  public var cost: Double?

  public init(
    input: Int, output: Int, cacheRead: Int? = nil, cacheWrite: Int? = nil, reasoning: Int? = nil, cost: Double? = nil
  ) {
    (self.input, self.output) = (input, output)
    (self.cacheRead, self.cacheWrite, self.reasoning, self.cost) = (cacheRead, cacheWrite, reasoning, cost)
  }
}
