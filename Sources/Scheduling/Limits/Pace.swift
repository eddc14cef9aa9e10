import DequeModule

/// How fast calls may go to a model whose server refuses: what a refusal teaches is a rate, and sometimes a wait.
///
/// A refusal's `retry-after` is a bucket's "some time soon" or a window's "not before". One early look tells them apart: after a short
/// hold one call goes ahead; refused, another after twice as long, for a slow bucket has nothing yet. Answered, the wait meant little, and
/// calls go on at the rate that was accepted so far, which grows until the next refusal. Refused until hardly any of it is left, the wait
/// is believed: nothing goes before its end, then as many as were accepted in the last run. A wait at whose end one is refused again was
/// not meant either.
struct Pace: Sendable {
  private enum State {
    case open
    case closed(until: Duration)
    /// One call is on its way to see, since then.
    case looking(since: Duration)
  }

  /// What changed, for the history.
  enum Change: Equatable {
    case held(Duration, isEarly: Bool, isStill: Bool)
    case goesOn
    case paced(Double)
  }

  /// The first wait where no server stated one; it doubles.
  private static let shortest: Duration = .milliseconds(500)
  private static let longest: Duration = .seconds(30)
  private static let slack: Duration = .milliseconds(20)

  private var state = State.open
  /// Calls a second; nil where none was learned.
  private(set) var rate: Double?
  /// When the next call is due at that rate.
  private var due: Duration = .zero
  private var backoff = shortest
  /// Until when the server wants to be left alone.
  private var asked: Duration = .zero
  /// An early look was refused: waits mean what they say.
  private var isBelieved = false
  /// The hold now on is short of what was asked.
  private var isEarly = false
  /// How long the last early hold was; the next is twice as long.
  private var held: Duration = .zero
  /// A wait was sat out, and one was refused at its end: the server does not mean what it asks for.
  private var isDoubted = false
  /// Whether the hold now on was asked for, and not reckoned here.
  private var isAskedFor = false
  /// When the first was refused of those without an answer between them.
  private var episodeAt: Duration = .zero
  /// A server that has refused everything for so long was not a slow bucket: it is tried as if nothing were known.
  private static let longEpisode: Duration = .seconds(5)
  /// What was sent before this belongs to an episode that has been dealt with.
  private var closedAt: Duration?
  /// Whether the rate is still far below what may be: no refusal since it was learned.
  private var isFast = true
  private var grewAt: Duration = .zero
  private var isBinding = false
  /// From a call's start to its refusal.
  private var latency: Duration = .milliseconds(20)
  private var window = Window()
  /// Calls that went and have not been refused, by their start.
  private var accepted: Deque<Duration> = []
  private var told: (held: Bool, rate: Double?) = (false, nil)

  // MARK: asked

  /// The earliest moment from `now` on at which a call may go.
  mutating func opens(now: Duration) -> Duration {
    switch state {
    case .looking(let since):
      // A refusal comes soon, an answer may take minutes: whoever is not refused in time is taken in.
      let sure = since + max(.milliseconds(100), latency * 4)
      if sure > now { return sure }
      passed(now)
      return opens(now: now)
    case .closed(let until): return max(now, until)
    case .open:
      guard rate != nil, due > now else { return now }
      isBinding = true
      return due
    }
  }

  /// Until when nothing goes, where that is sure: the server has said so and an early look was refused.
  func isShut(now: Duration) -> Duration? {
    switch state {
    case .open: nil
    case .closed(let until): until > now && !isEarly ? until : nil
    case .looking: nil
    }
  }

  /// Whether it was refused last, and no rate is known that it would be taken at. A window that is used up is such a rate.
  func isRefused(now: Duration) -> Bool {
    if rate != nil || window.isAtEnd { return false }
    switch state {
    case .open: return false
    case .closed(let until): return until > now && isAskedFor
    case .looking: return isAskedFor
    }
  }

  var isLooking: Bool { if case .looking = state { true } else { false } }

  // MARK: told

  /// Whether the call that goes now is one that sees.
  mutating func took(now: Duration) -> Bool {
    if accepted.count == 512 { accepted.removeFirst() }
    accepted.append(now)
    window.accepted += 1
    if let rate {
      // Grown on what goes out, not on answers: those may take minutes, a refusal does not.
      if isBinding, now - max(grewAt, closedAt ?? .zero) >= max(.milliseconds(100), latency * 2) {
        self.rate = rate * (isFast ? 1.3 : 1.02)
        (grewAt, isBinding) = (now, false)
      }
      due = max(due, now - Self.slack) + .nanoseconds(Int64(1e9 / rate))
    }
    switch state {
    case .closed:
      state = .looking(since: now)
      return true
    case .looking: return false
    case .open:
      switch window.take(now: now) {
      case .free: return false
      case .look:
        state = .looking(since: now)
        return true
      case .last(let until):
        if let until {
          isAskedFor = false
          hold(until: until, early: false, now)
        }
        return false
      }
    }
  }

  mutating func answered(began: Duration, isLook: Bool, now: Duration) -> [Change] {
    if isLook, case .looking = state { passed(now) }
    guard case .open = state else { return [] }
    var changes: [Change] = []
    if let rate, told.rate == nil || abs(rate / (told.rate ?? rate) - 1) > 0.5 {
      told.rate = rate
      changes.append(.paced(rate))
    }
    if told.held { changes.append(.goesOn) }
    told.held = false
    return changes
  }

  /// The call that looked was taken in.
  private mutating func passed(_ now: Duration) {
    // Nobody may have been there to look early: the wait was over when this one went, and says nothing of a rate.
    let began = if case .looking(let since) = state { since } else { now }
    let wasSatOut = began >= asked
    state = .open
    backoff = Self.shortest
    if window.isAtEnd {
      window.grow()
    } else if isDoubted ? now - episodeAt > Self.longEpisode : isEarly && wasSatOut && rate == nil {
      isDoubted = false
      window.reopen(now: now)
    } else if isEarly || isDoubted {
      openEarly(now, after: began - (closedAt ?? began))
    } else {
      openLate(now)
    }
  }

  /// - Parameter asked: how long the server wants to be left alone.
  mutating func refused(began: Duration, isLook: Bool, asked wait: Duration?, now: Duration) -> [Change] {
    if let index = accepted.lastIndex(of: began) { accepted.remove(at: index) }
    latency = min(.seconds(2), now - began)
    if began >= window.openedAt { window.accepted -= 1 }
    let end = now + (wait ?? backoff)
    switch state {
    case .open:
      if let closedAt, began <= closedAt { return [] }
      window.isAtEnd = false
      episodeAt = now
      return close(end, early: !isBelieved || window.wantsEarlyLook, isStill: false, now)
    case .closed(let until):
      asked = max(asked, end)
      // The look comes when the last of those sent together has been refused.
      if isEarly {
        hold(until: max(until, now + early(asked - now)), early: true, now)
      } else {
        hold(until: max(until, asked), early: false, now)
      }
      return []
    case .looking:
      guard isLook else {
        asked = max(asked, end)
        return []
      }
      if window.isAtEnd {
        window.lookedInVain()
        episodeAt = now
        return close(end, early: false, isStill: false, now)
      }
      return lookRefused(wait, end, now)
    }
  }

  private mutating func lookRefused(_ wait: Duration?, _ end: Duration, _ now: Duration) -> [Change] {
    // Where no wait was asked for, ours grows anyway.
    if isEarly, wait != nil, !isDoubted, !isBelieved, now + held * 2 < asked {
      held = held * 2
      hold(until: now + held, early: true, now)
      return []
    }
    if wait == nil { backoff = min(backoff * 2, Self.longest) }
    if !isEarly, wait != nil, isAskedFor { isDoubted = true }
    isBelieved = !isDoubted
    rate = nil
    return close(max(end, isEarly ? asked : end), early: false, isStill: true, now)
  }

  /// The call that went to see came to no end that says anything (it was cancelled): another may go.
  mutating func lookLost(now: Duration) {
    if case .looking = state { state = .closed(until: now) }
  }

  // MARK: holding and opening

  private func early(_ wait: Duration) -> Duration { max(.milliseconds(20), latency, min(wait / 8, .milliseconds(500))) }

  private mutating func hold(until: Duration, early: Bool, _ now: Duration) {
    state = .closed(until: until)
    isEarly = early
  }

  private mutating func close(_ end: Duration, early isLookEarly: Bool, isStill: Bool, _ now: Duration) -> [Change] {
    asked = end
    closedAt = now
    isAskedFor = true
    let wait = end - now
    let look = max(early(wait), rate.map { .nanoseconds(Int64(1e9 / $0)) } ?? .zero)
    held = look
    // A wait shorter than a look is waited for.
    hold(until: isLookEarly && look < wait ? now + look : end, early: isLookEarly && look < wait, now)
    guard wait >= .seconds(1) else { return [] }
    defer { told.held = true }
    return told.held && !isStill ? [] : [.held(isEarly ? look : wait, isEarly: isEarly, isStill: isStill)]
  }

  /// The look was answered long before the wait was over: a bucket, to which calls go at the rate that it took.
  ///
  /// - Parameter hold: since the refusal; in that time it refilled by one call at least.
  private mutating func openEarly(_ now: Duration, after hold: Duration) {
    isBelieved = false
    isDoubted = false
    window = Window(openedAt: now)
    let taken = acceptedPerSecond(at: closedAt ?? now)
    if let rate {
      isFast = false
      self.rate = max(0.02, min(rate * 0.85, taken.isSure ? taken.rate * 0.98 : rate * 0.85))
    } else {
      rate = max(0.02, taken.rate, hold > .zero ? 0.5 / hold.seconds : 0)
      isFast = true
    }
    grewAt = now
    due = now + .nanoseconds(Int64(1e9 / (rate ?? 1)))
  }

  /// The wait was sat out: as many may go as were accepted in the last run.
  private mutating func openLate(_ now: Duration) {
    if isBelieved { window.reopen(now: now) } else { openEarly(now, after: .zero) }
  }

  private func acceptedPerSecond(at moment: Duration) -> (rate: Double, isSure: Bool) {
    func count(_ span: Duration) -> Int { accepted.reversed().drop { $0 > moment }.prefix { $0 > moment - span }.count }
    for span in [Duration.milliseconds(500), .seconds(5)] {
      let count = count(span)
      if count >= 10 { return (Double(count) / span.seconds, count > 10) }
    }
    let first = accepted.first ?? moment
    return (Double(max(1, count(.seconds(60)))) / min(60, max(5, (moment - first).seconds)), false)
  }
}

extension Pace {
  /// A run between two believed holds: how many were accepted in it, and how many may go in this one.
  private struct Window {
    enum Take {
      case free, look
      case last(until: Duration?)
    }

    var openedAt: Duration = .zero
    var accepted = 0
    /// The next call to go, or the one on its way, looks whether there is more than the last window gave.
    var isAtEnd = false
    private var number = 0
    /// How many may go before one looks; nil for any.
    private var left: Int?
    private var step = 0
    private var size = 0
    private var period: Duration?
    private var isSteady = false
    /// Every so many windows one call looks whether there is more.
    private var skips = 1
    private var sinceLook = 0

    init(openedAt: Duration = .zero) {
      self.openedAt = openedAt
    }

    /// Now and then an early look asks whether waits are still to be believed.
    var wantsEarlyLook: Bool { number > 0 && number % 8 == 0 }

    mutating func take(now: Duration) -> Take {
      guard let left else { return .free }
      if left > 0 {
        self.left = left - 1
        guard left == 1, isSteady, let period, sinceLook < skips else { return .free }
        // It is known when the next one begins.
        return .last(until: max(now, openedAt + period))
      }
      isAtEnd = true
      return .look
    }

    /// There is more: twice as much without a look.
    mutating func grow() {
      isAtEnd = false
      (skips, sinceLook) = (1, 0)
      step *= 2
      // What the last run had comes first.
      left = accepted < size ? size - accepted : step > 4 * max(size, 64) ? nil : step
    }

    mutating func lookedInVain() {
      isAtEnd = false
      (skips, sinceLook) = (min(skips * 2, 16), 0)
    }

    /// A hold is over; the call that went first was answered.
    mutating func reopen(now: Duration) {
      let last = now - openedAt
      if number > 0 {
        isSteady = period.map { abs(($0 - last).seconds) < 0.1 * last.seconds } ?? false
        period = last
      }
      // The call that went first was counted to the last run.
      size = max(1, accepted - 1)
      number += 1
      sinceLook += 1
      // What the first run had may have been saved up.
      let first = number == 1 ? max(1, size / 4) : size
      left = max(0, first - 1)
      step = first
      isAtEnd = false
      (openedAt, accepted) = (now, 1)
    }
  }
}
