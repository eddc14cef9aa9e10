/// When a provider refuses call after call, nothing goes to it for a while, and then one call goes ahead to see.
///
/// One refusal concerns its call alone, which waits and comes back. Three in a row without an answer between them say that all
/// others would be refused as well.
struct Refusals: Sendable {
  private static let inARow = 3
  private static let shortest: Duration = .milliseconds(500)
  private static let longest: Duration = .seconds(30)

  private enum State {
    case open
    case closed(until: Duration)
    /// One call is on its way.
    case trying
  }

  private var state = State.open
  private var count = 0
  private var backoff = shortest
  private var closedAt: Duration = .zero

  /// The earliest moment from `now` on at which a call may go; nil while one is on its way to see.
  func opens(now: Duration) -> Duration? {
    switch state {
    case .open: now
    case .closed(let until): max(now, until)
    case .trying: nil
    }
  }

  /// Whether the call that goes now is the one that sees.
  mutating func took() -> Bool {
    guard case .closed = state else { return false }
    state = .trying
    return true
  }

  /// Returns whether it opened.
  mutating func answered(began: Duration) -> Bool {
    count = 0
    switch state {
    case .open:
      backoff = Self.shortest
      return false
    case .closed, .trying:
      // What began before says nothing of now.
      guard began >= closedAt, case .trying = state else { return false }
      state = .open
      backoff = Self.shortest
      return true
    }
  }

  /// - Parameter asked: how long the server wants to be left alone.
  /// - Returns: how long nothing goes to it now, where that is new.
  mutating func refused(began: Duration, isProbe: Bool, asked: Duration?, now: Duration) -> Duration? {
    switch state {
    case .open:
      count += 1
      guard count >= Self.inARow else { return nil }
      return close(max(asked ?? .zero, backoff), now)
    case .closed(let until):
      if let asked, now + asked > until { state = .closed(until: now + asked) }
      return nil
    case .trying:
      guard isProbe else { return nil }
      backoff = min(backoff * 2, Self.longest)
      return close(max(asked ?? .zero, backoff), now)
    }
  }

  /// The call that went to see came to no end that says anything (it was cancelled): another may go.
  mutating func probeLost(now: Duration) {
    if case .trying = state { state = .closed(until: now) }
  }

  private mutating func close(_ wait: Duration, _ now: Duration) -> Duration {
    state = .closed(until: now + wait)
    closedAt = now
    count = 0
    return wait
  }
}
