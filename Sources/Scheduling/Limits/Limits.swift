import Chat

/// What the user has set. Every one acts at once.
public struct Limits: Sendable, Equatable {
  public enum Width: Sendable, Equatable {
    /// Calls at once in the session.
    case fixed(Int)
    /// Found for each model, within a range.
    case adaptive(ClosedRange<Int>)
  }

  /// What is set for one place alone: a provider, a model or a job. Nil for no limit of its own.
  public struct Own: Sendable, Equatable {
    public var concurrency: Int?
    public var requestsPerSecond: Int?
    public var requestsPerMinute: Int?
    public var tokensPerMinute: Int?

    public init() {}

    public static let none = Own()
  }

  public var width: Width
  /// Requests a second and a minute, tokens a minute, for each provider that has none of its own; nil for no limit.
  public var requestsPerSecond: Int?
  public var requestsPerMinute: Int?
  public var tokensPerMinute: Int?
  /// Tokens that the session may use in all.
  public var tokenBudget: Int?
  /// How long rows wait for a server that is down and has answered before; nil for not at all.
  public var downWait: Duration? = .seconds(300)
  /// What is set for a provider (`openai`) or a model (`openai/gpt-5`).
  public var places: [String: Own] = [:]

  public init(width: Width = .fixed(8)) {
    self.width = width
  }

  /// The range of `auto` where none is given.
  public static let adaptive = Width.adaptive(AdaptiveLimit.usual)

  /// What holds for a provider as a whole: its own rates, and the unnamed ones where it has none.
  func own(ofProvider provider: String) -> Own {
    var own = places[provider] ?? .none
    own.requestsPerSecond = own.requestsPerSecond ?? requestsPerSecond
    own.requestsPerMinute = own.requestsPerMinute ?? requestsPerMinute
    own.tokensPerMinute = own.tokensPerMinute ?? tokensPerMinute
    return own
  }

  /// The rates that hold for each provider that has none of its own.
  var unnamed: Own {
    var own = Own()
    (own.requestsPerSecond, own.requestsPerMinute, own.tokensPerMinute) = (requestsPerSecond, requestsPerMinute, tokensPerMinute)
    return own
  }

  func own(of model: ModelName) -> Own { places.isEmpty ? .none : places[model.description] ?? .none }
}

extension Limits.Width {
  /// As `set concurrency` takes it.
  public var words: String {
    switch self {
    case .fixed(let width): "\(width)"
    case .adaptive(AdaptiveLimit.usual): "auto"
    case .adaptive(let range): "auto \(range.lowerBound)..\(range.upperBound)"
    }
  }
}
