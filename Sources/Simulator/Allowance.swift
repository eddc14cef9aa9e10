import Threads

/// A limit on requests as hosted servers have it: a bucket that holds a minute's worth and refills evenly, told in
/// `x-ratelimit-*-requests` with every answer; and now and then a few seconds in which everything is refused, with 429 and 529 in
/// turn and not a word about when to come back.
public struct Allowance: Sendable {
  public var requestsPerMinute: Int
  /// Whether there are such seconds: two in every thirty.
  public var bursts: Bool

  public init(requestsPerMinute: Int, bursts: Bool) {
    (self.requestsPerMinute, self.bursts) = (requestsPerMinute, bursts)
  }
}

/// The state of an allowance. Shared by all connections.
final class AllowanceBook: Sendable {
  enum Verdict: Sendable {
    case granted([(String, String)])
    case limited([(String, String)])
    case burst(status: Int)
  }

  private struct State {
    var tokens: Double
    var at: Duration = .zero
  }

  private static let burstEvery: Duration = .seconds(30)
  private static let burstLength: Duration = .seconds(2)

  private let allowance: Allowance
  private let start = ContinuousClock.now
  private let state: Mutex<State>

  /// The bucket is nearly empty to begin with, as after a busy minute: what is measured is the rate, not the first minute's gift.
  init(_ allowance: Allowance) {
    self.allowance = allowance
    state = Mutex(State(tokens: Double(min(10, allowance.requestsPerMinute))))
  }

  func take() -> Verdict {
    let now = start.duration(to: .now)
    if allowance.bursts, let number = burst(at: now) { return .burst(status: number % 2 == 0 ? 529 : 429) }
    let limit = Double(allowance.requestsPerMinute)
    let perSecond = limit / 60
    let tokens = state.withLock { state in
      state.tokens = min(limit, state.tokens + seconds(now - state.at) * perSecond)
      state.at = now
      if state.tokens >= 1 { state.tokens -= 1 } else { return -1.0 }
      return state.tokens
    }
    let left = max(0, tokens)
    let headers = [
      ("x-ratelimit-limit-requests", "\(allowance.requestsPerMinute)"), ("x-ratelimit-remaining-requests", "\(Int(left))"),
      ("x-ratelimit-reset-requests", "\(Int((limit - left) / perSecond * 1000))ms"),
    ]
    guard tokens < 0 else { return .granted(headers) }
    return .limited(headers + [("retry-after", "1")])
  }

  /// The number of the burst that is on, from 1.
  private func burst(at now: Duration) -> Int? {
    let number = Int(now / Self.burstEvery)
    return number > 0 && now - Self.burstEvery * number < Self.burstLength ? number : nil
  }

  private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
  }
}
