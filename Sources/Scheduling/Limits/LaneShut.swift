import Chat

/// Why nothing goes to a lane now, and until when: for the progress line, `why`, and whoever wants to know which rows cannot go.
public struct LaneShut: Sendable, Equatable {
  public enum Reason: Sendable, Equatable {
    /// The server says that so many are left.
    case requestsLeft(Int)
    case tokensLeft(Int)
    /// It refuses; one call goes to see when the wait is over.
    case refused(status: String)
    /// A rate that the user has set, and for whom.
    case rate(LimitSetting, of: Owner)
    /// A rate that refusals taught, in calls a second.
    case learnedRate(Double)
    /// The server is down since then.
    case down(since: Duration)
    /// Its streams broke off: one call at a time looks.
    case alone
    /// It takes calls and says nothing: one at a time looks.
    case silent(Silent)
    /// It has refused every call since then.
    case refusing(status: String, since: Duration)
  }

  public enum Owner: Sendable, Equatable {
    /// The job whose calls wait.
    case job
    /// A provider or a model of this name.
    case place(String)
  }

  public struct Silent: Sendable, Equatable {
    /// When the first call was sent that got no word, and how long that one waited.
    public var since: Duration
    public var within: Duration
    /// Calls that timed out without a word.
    public var tries: Int
    /// Whether it was the time of a whole call that ran out, not that of its first token.
    public var isOfWholeCall = false
  }

  /// `openai/gpt-5`, or the provider where all its models wait.
  public var name: String
  /// On the session's timekeeper; nil until a call that looks has ended.
  public var until: Duration?
  public var reason: Reason

  public init(name: String, until: Duration?, reason: Reason) {
    (self.name, self.until, self.reason) = (name, until, reason)
  }

  /// Whether it is not known until when.
  var isWithoutEnd: Bool {
    switch reason {
    case .down, .silent, .alone, .refusing: true
    case .requestsLeft, .tokensLeft, .refused, .rate, .learnedRate: false
    }
  }

  /// Whether it is shut for long enough to be told: a rate's next moment is not.
  public func isNews(now: Duration) -> Bool {
    switch reason {
    case .down, .alone, .silent, .refusing: true
    case .learnedRate: false
    default: until.map { $0 - now >= .seconds(1) } ?? true
    }
  }

  /// `openai/a: 0 requests left until 14:02:10`
  ///
  /// - Parameter clock: a moment so far ahead, as a clock shows it.
  public func text(now: Duration, clock: (Duration) -> String) -> String {
    let end = until.map { " until \(clock($0 - now))" } ?? ", one call looks"
    switch reason {
    case .requestsLeft(let left): return "\(name): \(left) requests left\(end)"
    case .tokensLeft(let left): return "\(name): \(left) tokens left\(end)"
    case .refused(let status): return "\(name): \(status)\(end)"
    case .rate(let rate, _): return "\(name): \(rate.words)\(end)"
    case .learnedRate(let rate): return "\(name): \(rate.rateWords) at most, as its refusals taught"
    case .down(let since): return "\(name) is down, waiting (\(Int((now - since).seconds)) s)"
    case .alone: return "\(name) cuts its streams: one call looks alone"
    case .silent(let silence):
      return "\(name) does not answer (tries timed out: \(silence.tries)), waiting (\(Int((now - silence.since).seconds)) s)"
    case .refusing(let status, let since): return "\(name): \(status) to every call for \((now - since).words)"
    }
  }
}

/// What is known of one lane.
public struct LaneStanding: Sendable {
  public var model: ModelName
  public var inUse: Int
  /// Calls at once that it bears now, found or set; nil where nothing but the session's limit holds.
  public var limit: Int?
  /// Why one call at a time goes to it, where it takes calls and says nothing.
  public var silent: LaneShut?
  /// Calls a second that refusals taught.
  public var learnedRate: Double?
  /// What is set for the model, and for its provider (the unnamed rates included).
  public var own: Limits.Own
  public var ofProvider: Limits.Own
  public var waiting: Int
  public var windows: [LaneWindows.Window]
}

extension LaneShut.Silent {
  init(_ standing: Silence.Standing) {
    self.init(since: standing.since, within: standing.within, tries: standing.tries, isOfWholeCall: standing.isOfWholeCall)
  }
}
