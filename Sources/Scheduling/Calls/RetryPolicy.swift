import Chat

/// Whether a failed call is sent again, and when.
public struct RetryPolicy: Sendable, Equatable {
  /// Further tries at most, after the first.
  public var retries = 4
  /// A server that asks for more than this gets no further try: the row fails and says so.
  public var maximumWait: Duration = .seconds(120)

  public init() {}

  public enum Decision: Sendable, Equatable {
    case retry(after: Duration)
    case fail(Failure)
  }

  /// - Parameters:
  ///   - attempts: tries so far, from 1.
  ///   - random: in 0..<1; spreads the wake-ups, so that all who were refused together do not come back together.
  public func decide(_ failure: Failure, attempts: Int, random: Double) -> Decision {
    guard failure.shouldRetry ?? failure.kind.isTransient, attempts <= retries else { return .fail(failure) }
    let backoff = min(0.5 * Double(1 << min(attempts - 1, 10)), 8)
    guard let asked = failure.retryAfter else { return .retry(after: .milliseconds(Int(backoff * random * 1000))) }
    guard asked <= maximumWait else {
      var failure = failure
      let seconds = asked.components.seconds
      failure.message += " (the server asks to wait \(seconds) s, more than max-wait allows)"
      return .fail(failure)
    }
    // What the server asks for is a minimum.
    return .retry(after: asked + .milliseconds(Int(min(backoff, 2) * random * 1000)))
  }
}
