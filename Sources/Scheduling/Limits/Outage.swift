import Chat

/// A server that is down: nobody can connect to a host that has answered before. One call looks every few seconds, the others wait.
struct Outage: Sendable {
  private enum State {
    case up
    case down(since: Duration, next: Duration, isLooking: Bool)
  }

  enum Change: Equatable {
    case down
    case back(Duration)
    case gaveUp(Duration)
  }

  private var state = State.up
  /// When it last answered anything.
  private var answeredAt: Duration?
  /// What came to the call that looks.
  private var look: (began: Duration, activity: ReplyActivity)?
  /// When it was given up. What was sent before says nothing new.
  private var gaveUpAt: Duration?
  private var unwaited = Unwaited()

  /// Since when it is down and waited for.
  var since: Duration? { if case .down(let since, _, _) = state { since } else { nil } }

  /// The earliest moment at which a call may go; nil while one looks.
  func opens(now: Duration) -> Duration? {
    guard case .down(_, let next, let isLooking) = state else { return now }
    return isLooking ? nil : max(now, next)
  }

  /// - Parameter activity: of the model that is called.
  /// - Returns: what the call tells of its answer, where it is the one that looks.
  mutating func took(_ activity: ReplyActivity, now: Duration) -> ReplyActivity? {
    guard case .down(let since, let next, false) = state else { return nil }
    state = .down(since: since, next: next, isLooking: true)
    let own = ReplyActivity(within: activity)
    look = (now, own)
    return own
  }

  /// Whether the call that looks is being answered, though it has not ended.
  mutating func isAnswering(now: Duration) -> Change? {
    guard case .down(_, _, true) = state, let look, look.activity.count > 0 else { return nil }
    return answered(began: look.began, now: now)
  }

  /// Whatever it answered: it is there.
  mutating func answered(began: Duration, now: Duration) -> Change? {
    answeredAt = now
    switch state {
    case .up: return nil
    case .down(let since, _, _):
      // What was under way when it went down says nothing of now.
      guard began >= since else { return nil }
      state = .up
      return .back(now - since)
    }
  }

  /// Nobody could connect.
  ///
  /// - Parameters:
  ///   - began: of that call. Where another was answered since, the server is there, and busy.
  ///   - waits: for how long it is waited for; nil where the call's settings or the session's say not at all.
  mutating func unreachable(began: Duration, isLook: Bool, waits: Duration?, now: Duration) -> Change? {
    guard let answeredAt, answeredAt <= began || isLook else { return nil }
    switch state {
    case .up:
      if let gaveUpAt, began < gaveUpAt { return nil }
      guard waits != nil else { return nil }
      state = .down(since: now, next: now + .seconds(1), isLooking: false)
      return .down
    case .down(let since, let next, let isLooking):
      guard now - since < waits ?? .zero else {
        state = .up
        gaveUpAt = now
        return .gaveUp(now - since)
      }
      guard isLook else {
        state = .down(since: since, next: next, isLooking: isLooking)
        return nil
      }
      state = .down(since: since, next: now + (now - since < .seconds(30) ? .seconds(2) : .seconds(5)), isLooking: false)
      return nil
    }
  }

  mutating func seen(isWaitedFor: Bool, now: Duration) {
    if since != nil { unwaited.seen(isWaitedFor: isWaitedFor, now: now) }
  }

  /// Somebody comes, who finds out anew where nobody has waited for long.
  mutating func asked(now: Duration) {
    if since != nil, unwaited.asked(now: now) { state = .up }
  }

  /// The call that looked was cancelled: another may go.
  mutating func lookLost(now: Duration) {
    if case .down(let since, _, true) = state { state = .down(since: since, next: now, isLooking: false) }
  }
}
