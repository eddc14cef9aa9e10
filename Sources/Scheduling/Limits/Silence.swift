/// A model whose server takes calls and says nothing. A first token that is late while others are being answered is a queue (see `Lane`);
/// where not a word has come to any of its calls since the late one was sent, one call at a time goes to see and the others wait, up to
/// `down-wait`.
struct Silence: Sendable {
  private enum State {
    case none
    case silent(Standing, next: Duration, isLooking: Bool)
  }

  struct Standing: Sendable, Equatable {
    /// When the first call was sent that got no word.
    var since: Duration
    /// How long that one waited.
    var within: Duration
    /// Whether it was the time of a whole call that ran out.
    var isOfWholeCall = false
    /// Calls that timed out without a word.
    var tries = 1
    /// Whether one that looked was among them.
    var hasLooked = false
  }

  /// The shortest time from one look to the next: a call that cannot even connect ends at once.
  private static let pause: Duration = .seconds(1)

  private var state = State.none
  private var lookBegan: Duration = .zero
  /// When it was given up. What was sent before says nothing new.
  private var gaveUpAt: Duration?
  private var unwaited = Unwaited()

  /// Nil where the model answers, as far as is known.
  var standing: Standing? { if case .silent(let standing, _, _) = state { standing } else { nil } }

  /// The earliest moment at which a call may go; nil while one looks.
  func opens(now: Duration) -> Duration? {
    guard case .silent(_, let next, let isLooking) = state else { return now }
    return isLooking ? nil : max(now, next)
  }

  /// Whether the call that goes now is the one that looks.
  mutating func took(now: Duration) -> Bool {
    guard case .silent(let standing, let next, false) = state else { return false }
    state = .silent(standing, next: next, isLooking: true)
    lookBegan = now
    return true
  }

  /// A call timed out, and nothing had come to any since it began.
  ///
  /// - Returns: whether that is new.
  mutating func timedOut(began: Duration, isLook: Bool, isOfWholeCall: Bool, now: Duration) -> Bool {
    guard case .silent(var standing, let next, let isLooking) = state else {
      if let gaveUpAt, began < gaveUpAt { return false }
      state = .silent(Standing(since: began, within: now - began, isOfWholeCall: isOfWholeCall), next: now, isLooking: false)
      return true
    }
    standing.tries += 1
    state = .silent(standing, next: next, isLooking: isLooking)
    if isLook { lookEnded(now) }
    return false
  }

  /// Something has come.
  ///
  /// - Returns: how long nothing had, where that was known.
  mutating func heard(now: Duration) -> Duration? {
    guard let standing else { return nil }
    state = .none
    return now - standing.since
  }

  /// The call that looked has ended without a word, in whatever way.
  mutating func lookEnded(_ now: Duration) {
    guard case .silent(var standing, _, true) = state else { return }
    standing.hasLooked = true
    state = .silent(standing, next: max(now, lookBegan + Self.pause), isLooking: false)
  }

  /// It was cancelled: another may go.
  mutating func lookLost(_ now: Duration) {
    guard case .silent(let standing, _, true) = state else { return }
    state = .silent(standing, next: now, isLooking: false)
  }

  /// The moment from which nobody waits any more; nil before one call has looked.
  func ends(_ downWait: Duration?) -> Duration? {
    guard let standing, standing.hasLooked else { return nil }
    return standing.since + (downWait ?? .zero)
  }

  /// Nobody waits any more; what is sent from now on finds out anew.
  mutating func giveUp(now: Duration) {
    state = .none
    gaveUpAt = now
  }

  mutating func seen(isWaitedFor: Bool, now: Duration) {
    if standing != nil { unwaited.seen(isWaitedFor: isWaitedFor, now: now) }
  }

  /// Somebody comes, who finds out anew where nobody has waited for long.
  mutating func asked(now: Duration) {
    if standing != nil, unwaited.asked(now: now) { state = .none }
  }
}
