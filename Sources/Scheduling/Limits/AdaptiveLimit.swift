/// How many calls at once a model seems to bear, found by trying: it doubles while nothing is refused, then grows by steps, as long
/// as growth is paid for. A refusal (429, 529) cuts it to 0.8 once an episode. Server errors and time-outs pause its growth, and how
/// long answers take says nothing: a long answer is no congestion.
///
/// An episode begins with a cut and ends when a call that began after it is answered. (A fixed time would cut too slowly on a fast
/// server and too often on a slow one.)
///
/// Growth is paid for when answers or tokens a second rise by a quarter of what was widened at least. Else the server is full: the
/// limit steps back, and tries a little more every 20 s.
struct AdaptiveLimit: Sendable {
  /// Where it starts, if its range allows.
  static let start = 8
  static let usual = 1...200
  private static let cut = 0.8
  /// The first step after a cut; each further one is twice as wide.
  private static let step = 0.05
  /// Growth counts only replies that came while this share of the limit was in use.
  private static let usedShare = 0.8
  private static let growthPause: Duration = .seconds(10)
  private static let lookAgain: Duration = .seconds(20)
  /// Turns of calls that a measure takes at least to say that a width is not paid for, and at most, where chance leaves it open.
  private static let leastTurns = 2.0
  private static let mostTurns = 8.0
  /// How well a first width must be known before another is measured against it.
  private static let baseSpread = 0.12

  enum Change: Equatable {
    case grew(from: Int, to: Int, replies: Int)
    case notPaidFor(from: Int, to: Int, gain: Double, ttftBefore: Duration, ttftAfter: Duration)
  }

  private(set) var range: ClosedRange<Int>
  private(set) var limit: Int
  private var step = 1.0
  private var cleanReplies = 0
  private var cutAt: Duration?
  private var growthPausedUntil: Duration = .zero
  /// The width that growth is measured against, and what it gave; nil where nothing is known to compare with.
  private var base: (limit: Int, rates: WidthMeasure.Rates)?
  private(set) var measure: WidthMeasure
  /// The server was full once: it is widened by half at most.
  private var isFull = false
  /// The last width at which streams did not break off, where wider ones did.
  private var trusted: Int?
  /// Whether refusals come of the width, as far as they have shown.
  private var crowd = RefusedWidths()
  /// The pause before a width is looked at again at which streams broke off; it grows fourfold.
  private var cutPause: Duration = .seconds(2)

  /// - Parameter limit: where it starts; nil for the usual.
  init(_ range: ClosedRange<Int>, limit: Int? = nil, now: Duration = .zero) {
    self.range = range
    self.limit = min(max(limit ?? Self.start, range.lowerBound), range.upperBound)
    measure = WidthMeasure(limit: self.limit, since: now, number: 0, isFirst: true)
  }

  mutating func setRange(_ range: ClosedRange<Int>, now: Duration) {
    self.range = range
    let moved = min(max(limit, range.lowerBound), range.upperBound)
    if moved != limit { move(to: moved, now) }
  }

  private mutating func move(to new: Int, _ now: Duration) {
    limit = new
    cleanReplies = 0
    measure = WidthMeasure(limit: new, since: now, number: measure.number + 1)
  }

  /// Returns the measure under which the call began.
  mutating func took(now: Duration) -> Int {
    measure.took(now: now)
    return measure.number
  }

  /// A call was taken in that began beside so many others.
  mutating func tookIn(beside others: Int) { crowd.tookIn(beside: others) }

  /// - Parameters:
  ///   - began: when the call was sent, and under which measure.
  ///   - inUse: calls under way when it ended, itself included.
  mutating func ended(began: Duration, under number: Int, answer: CallOutcome.Answer?, inUse: Int, now: Duration) -> Change? {
    let isUsed = Double(inUse) >= Self.usedShare * Double(limit)
    measure.ended(began: began, under: number, answer: isUsed ? answer : nil, now: now)
    guard answer != nil else { return nil }
    if let cutAt, began >= cutAt { self.cutAt = nil }
    guard isUsed else { return nil }
    cleanReplies += 1
    if let change = stepBack(now) { return change }
    guard now >= growthPausedUntil, cleanReplies >= limit, limit < range.upperBound else { return nil }
    let isMeasured = base.map { Double(limit) >= 1.25 * Double($0.limit) } ?? true
    if isMeasured {
      // A first width that seems slower than it is would make the next one seem paid for.
      guard let rates = measure.rates(now: now, counting: base != nil), isPaidFor(rates) else { return nil }
      base = (limit, rates)
    }
    let replies = cleanReplies
    let from = limit
    if trusted != nil { trusted = limit }
    let grown = limit + max(1, Int(Double(limit) * (isFull ? min(step, 0.5) : step)))
    step = min(1, step * 2)
    move(to: min(grown, range.upperBound), now)
    return .grew(from: from, to: limit, replies: replies)
  }

  // MARK: growth that is paid for

  private func gain(_ rates: WidthMeasure.Rates, over base: WidthMeasure.Rates) -> Double {
    let answers = rates.answers / base.answers - 1
    return base.tokens > 0 ? max(answers, rates.tokens / base.tokens - 1) : answers
  }

  /// What growth must have brought, from a base.
  private func price(_ base: Int) -> Double { Double(limit - base) / Double(base) / 4 }

  private func doubt(_ rates: WidthMeasure.Rates, _ base: WidthMeasure.Rates) -> Double {
    (rates.spread * rates.spread + base.spread * base.spread).squareRoot()
  }

  private func isPaidFor(_ rates: WidthMeasure.Rates) -> Bool {
    guard let base else {
      return measure.answers >= min(limit, 8) && rates.spread <= Self.baseSpread || measure.answers >= Int(Self.mostTurns) * limit
    }
    let gain = gain(rates, over: base.rates)
    // While nothing speaks against it, the first calls of a wider limit are enough; where it was full once, they are not.
    guard isFull ? measure.turns >= Self.leastTurns : measure.answers >= limit - base.limit else { return false }
    // Chance must not be why, however often one looks.
    return gain - (measure.turns < Self.mostTurns ? 2 * doubt(rates, base.rates) : 0) >= price(base.limit)
  }

  /// Back to the base, where this width has brought too little, and chance is not why.
  private mutating func stepBack(_ now: Duration) -> Change? {
    // Counting those that still run would make a width look slower than it is.
    guard let base, Double(limit) >= 1.25 * Double(base.limit), measure.turns >= Self.leastTurns,
      let rates = measure.rates(now: now, counting: false)
    else { return nil }
    let gain = gain(rates, over: base.rates)
    guard gain + (measure.turns < Self.mostTurns ? doubt(rates, base.rates) : 0) < price(base.limit) else { return nil }
    let from = limit
    self.base = nil
    isFull = true
    growthPausedUntil = max(growthPausedUntil, now + Self.lookAgain)
    move(to: max(base.limit, range.lowerBound), now)
    return .notPaidFor(from: limit, to: from, gain: gain, ttftBefore: base.rates.ttft, ttftAfter: rates.ttft)
  }

  // MARK: cuts

  /// - Parameters:
  ///   - others: calls beside which the refused one began.
  ///   - began: when it did.
  /// - Returns: whether the limit was cut: not while no call that began after the last cut has been answered, nor where refusals come
  ///   at any width: then a rate is why, and `Pace` keeps to it.
  mutating func refused(beside others: Int, began: Duration, now: Duration) -> Bool {
    crowd.refused(beside: others, began: began, now: now)
    if crowd.isNoMatter { return false }
    step = Self.step
    cleanReplies = 0
    guard cutAt == nil, limit > range.lowerBound else { return false }
    cutAt = now
    base = nil
    move(to: max(range.lowerBound, min(limit - 1, Int(Double(limit) * Self.cut))), now)
    return true
  }

  /// A first-token time-out while so many others were answered within its time: the queue is too long. So many as are answered in
  /// half that time wait half of it. Where answers are so long that none has ended within its time, the half of the width is tried.
  ///
  /// - Returns: whether the limit was cut.
  mutating func queued(began: Duration, answered: Int, now: Duration) -> Bool {
    step = Self.step
    cleanReplies = 0
    guard cutAt.map({ began >= $0 }) ?? true, limit > range.lowerBound else { return false }
    cutAt = now
    base = nil
    isFull = true
    growthPausedUntil = max(growthPausedUntil, now + Self.lookAgain)
    move(to: max(range.lowerBound, min(limit - 1, (answered > 0 ? answered : limit) / 2)), now)
    return true
  }

  /// Streams broke off side by side, and one alone did not: so many from now on. Another width is looked at after a pause that grows
  /// each time.
  mutating func narrow(to width: Int, now: Duration) {
    base = nil
    step = 1
    isFull = false
    growthPausedUntil = now + cutPause
    cutPause = min(cutPause * 4, .seconds(300))
    cutAt = now
    move(to: min(max(width, range.lowerBound), range.upperBound), now)
    trusted = limit
  }

  /// A stream broke off beside others: where the width was narrowed for that before and has just been widened, back at once.
  ///
  /// - Returns: the widths, where it went back.
  mutating func cut(under number: Int, now: Duration) -> (from: Int, to: Int)? {
    guard let trusted, limit > trusted, number == measure.number, cleanReplies < limit else { return nil }
    let from = limit
    narrow(to: trusted, now: now)
    return (from, limit)
  }

  /// A server error or a time-out. Returns whether growth is paused anew.
  mutating func troubled(now: Duration) -> Bool {
    cleanReplies = 0
    defer { growthPausedUntil = max(growthPausedUntil, now + Self.growthPause) }
    return now >= growthPausedUntil
  }
}
