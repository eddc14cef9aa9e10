import Chat

/// What is done about calls that fail: whether they are sent again, and when their job stops.
public struct RetryPolicy: Sendable, Equatable {
  /// Further tries at most, after the first, of calls that a fault ended; with 0 nothing is tried again.
  public var retries = 4
  /// Of a server that asks for more than this a call gives up, and of one that has refused it for so long in all.
  public var maximumWait: Duration = .seconds(120)
  /// Errors of one kind in a row at which a job stops; nil for never.
  public var stopAfter: Int? = 20

  public init() {}

  public enum Decision: Sendable, Equatable {
    case retry(after: Duration)
    case fail(Failure)
  }
}

/// What a call has used up of its policy: tries on faults, and waits on refusals. A refusal (429, 529, overloaded) says "later", not
/// "no": it uses no try up.
public struct RetryStanding: Sendable {
  private var faults = 0
  private var refusals = 0
  /// Waits that refusals have cost.
  private var waited: Duration = .zero

  public init() {}

  /// - Parameter random: in 0..<1; spreads the wake-ups: of waits that we choose, and of those that a server asks for after a fault.
  public mutating func decide(_ policy: RetryPolicy, _ failure: Failure, random: Double) -> RetryPolicy.Decision {
    guard failure.shouldRetry ?? failure.kind.isTransient, policy.retries > 0 else { return .fail(failure) }
    return failure.isRefusal ? refused(policy, failure, random) : faulted(policy, failure, random)
  }

  private mutating func faulted(_ policy: RetryPolicy, _ failure: Failure, _ random: Double) -> RetryPolicy.Decision {
    faults += 1
    guard faults <= policy.retries else { return .fail(failure) }
    if let asked = failure.retryAfter {
      if asked > policy.maximumWait { return .fail(tooLong(failure, asked)) }
      return .retry(after: asked + spread(asked, random))
    }
    return .retry(after: Self.backoff(faults) * random)
  }

  private mutating func refused(_ policy: RetryPolicy, _ failure: Failure, _ random: Double) -> RetryPolicy.Decision {
    refusals += 1
    let wait: Duration
    if let asked = failure.retryAfter {
      if asked > policy.maximumWait { return .fail(tooLong(failure, asked)) }
      // Its lane lets one go first when that is over. A random part on top kept who was refused away when the next window opened: others
      // took its places, and he was refused again until his patience was over.
      wait = asked
    } else {
      wait = Self.backoff(refusals) * random
    }
    waited += wait
    guard waited > policy.maximumWait else { return .retry(after: wait) }
    var failure = failure
    failure.message += " (refused \(refusals) times; max-wait allows no more than \(policy.maximumWait.words) of waits)"
    return .fail(failure)
  }

  private func tooLong(_ failure: Failure, _ asked: Duration) -> Failure {
    var failure = failure
    failure.message += " (the server asks to wait \(asked.components.seconds) s, more than max-wait allows)"
    return failure
  }

  private func spread(_ asked: Duration, _ random: Double) -> Duration { min(asked / 2, .seconds(2)) * random }

  /// 0.5 s, 1 s, 2 s … 8 s.
  private static func backoff(_ number: Int) -> Duration { .milliseconds(min(500 << min(number - 1, 10), 8000)) }
}

extension Failure {
  /// Whether the server says "later". 503 says nothing of later: it may as well be a server that has failed.
  var isRefusal: Bool { (kind == .rateLimited || kind == .overloaded) && status != 503 }
}
