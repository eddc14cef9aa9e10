/// What the user has set. Every one acts at once.
public struct Limits: Sendable, Equatable {
  public enum Width: Sendable, Equatable {
    /// Calls at once in the session.
    case fixed(Int)
    /// Found for each provider, within a range.
    case adaptive(ClosedRange<Int>)
  }

  public var width: Width
  /// Requests a second and a minute, tokens a minute, for each provider; nil for no limit.
  public var requestsPerSecond: Int?
  public var requestsPerMinute: Int?
  public var tokensPerMinute: Int?
  /// Tokens that the session may use in all.
  public var tokenBudget: Int?

  public init(width: Width = .fixed(8)) {
    self.width = width
  }

  /// The range of `auto` where none is given.
  public static let adaptive = Width.adaptive(AdaptiveLimit.usual)

  /// Whether calls must say how many tokens they may take before they are sent.
  var countTokens: Bool { tokensPerMinute != nil || tokenBudget != nil }
}
