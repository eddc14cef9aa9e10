import Chat
import DequeModule

/// What governs the calls to one model: what the user has set for it, a width that finds itself, rates stated by the server, a pace
/// learned from refusals. It runs under a clock that is handed in.
struct Lane: Sendable {
  let model: ModelName
  /// Its provider's number among the floors.
  let provider: Int
  private(set) var floor: Floor
  /// The width that finds itself: with `auto`, or where the server has shown that it bears less than is set.
  private(set) var adaptive: AdaptiveLimit?
  private var width: Limits.Width
  private var statedRequests: StatedRate?
  private var statedTokens: StatedRate?
  private(set) var pace = Pace()
  private var cuts = CutWatch()
  private(set) var silence = Silence()
  /// Of all its calls: told as answers come.
  let activity = ReplyActivity()
  /// When it last answered anything, a refusal or an error too.
  private var heardAt: Duration?
  var hasSpoken: Bool { heardAt != nil }
  /// Since when it has refused every call, where nothing else has ended since.
  private(set) var refusedSince: Duration?
  /// Jobs that wait for it no longer.
  var givenUp = GivenUp()
  /// The last grants, to tell what a server cannot have counted when it made its statement.
  private var grants: Deque<(at: Duration, tokens: Int)> = []
  /// The last answers, by their end.
  private var answers: Deque<Duration> = []
  private(set) var windows = LaneWindows()
  /// What last refused, for those who ask why nothing goes.
  private var lastRefusal = ""
  /// The same, with the wait that it asked for.
  private(set) var refusal = LimitChange.Sign("")

  init(_ model: ModelName, provider: Int, _ limits: Limits) {
    (self.model, self.provider, width) = (model, provider, limits.width)
    floor = Floor(limits.own(of: model))
    configure(limits, now: .zero)
  }

  mutating func configure(_ limits: Limits, now: Duration) {
    width = limits.width
    floor.configure(limits.own(of: model))
    switch limits.width {
    case .fixed(let fixed):
      // What a server has shown lies under what is set, as long as it is narrower.
      if let limit = adaptive?.limit, isNarrowed, limit < fixed { adaptive?.setRange(1...fixed, now: now) } else { adaptive = nil }
    case .adaptive(let range):
      if adaptive == nil { adaptive = AdaptiveLimit(range, now: now) } else { adaptive?.setRange(range, now: now) }
      isNarrowed = false
    }
  }

  /// Whether the width was narrowed under one that is set.
  private var isNarrowed = false

  /// How soon one looks again whether a call that looks is being answered.
  static let glance: Duration = .milliseconds(500)

  var inUse: Int { floor.inUse }
  var countsTokens: Bool { floor.countsTokens || statedTokens != nil }

  /// Calls at once that it bears now; nil for whatever the session says.
  @inline(__always)
  var limit: Int? {
    let found = cuts.isAlone || silence.standing != nil ? 1 : adaptive?.limit
    guard let set = floor.own.concurrency else { return found }
    guard let found else { return set }
    return min(found, set)
  }

  /// What it bears as far as is known, whoever goes alone just now: for the history.
  private var held: Int {
    let set = if case .fixed(let fixed) = width { fixed } else { Int.max }
    return min(adaptive?.limit ?? set, floor.own.concurrency ?? .max)
  }

  // MARK: asked

  /// The moment from which a call of so many tokens may go; nil where only the end of another call can tell.
  mutating func opens(for amount: Int, now: Duration) -> Duration? {
    // While one looks, whether it is being answered is seen to now and then.
    guard let looks = silence.opens(now: now) else { return now + Self.glance }
    if floor.isFull { return nil }
    if let adaptive, inUse >= adaptive.limit { return nil }
    if cuts.isAlone, inUse > 0 || !cuts.mayTake { return nil }
    var opening = max(looks, pace.opens(now: now), floor.opens(for: amount, now: now))
    if let statedRequests { opening = max(opening, statedRequests.opens(for: 1, now: now)) }
    if let statedTokens { opening = max(opening, statedTokens.opens(for: amount, now: now)) }
    return opening
  }

  /// Until when the server itself lets nothing through, and why; nil where it does, or where that is not sure.
  @inline(__always)  // else the lane is copied to be asked
  func isShut(for amount: Int, now: Duration) -> LaneShut? {
    var last: (until: Duration, reason: LaneShut.Reason)?
    if let until = pace.isShut(now: now), until > now { last = (until, .refused(status: lastRefusal)) }
    if let statedRequests {
      let until = statedRequests.opens(for: 1, now: now)
      if until > max(now, last?.until ?? now) { last = (until, .requestsLeft(statedRequests.left(now))) }
    }
    if let statedTokens {
      let until = statedTokens.opens(for: amount, now: now)
      if until > max(now, last?.until ?? now) { last = (until, .tokensLeft(statedTokens.left(now))) }
    }
    guard let last else { return nil }
    return LaneShut(name: model.description, until: last.until, reason: last.reason)
  }

  /// Whether it takes calls and says nothing, or refuses what it gets.
  func turnsAway(now: Duration) -> Bool { silence.standing != nil || pace.isRefused(now: now) }

  /// What one waits for where it takes calls and says nothing.
  var silent: LaneShut? {
    silence.standing.map {
      LaneShut(name: model.description, until: nil, reason: .silent(.init($0)))
    }
  }

  /// The moment from which a row waits no longer that has waited since then: everything has been refused for as long as it has patience.
  func runsOut(waiting since: Duration, patience: Duration) -> Duration? { refusedSince.map { max($0, since) + patience } }

  /// Why one that has no more patience goes no more.
  var refusing: LaneShut? {
    refusedSince.map { LaneShut(name: model.description, until: nil, reason: .refusing(status: lastRefusal, since: $0)) }
  }

  /// Why a call of so many tokens does not go now, whoever says so.
  mutating func shut(for amount: Int, now: Duration) -> LaneShut? {
    if let silent { return silent }
    if cuts.isAlone { return LaneShut(name: model.description, until: nil, reason: .alone) }
    if let shut = isShut(for: amount, now: now) { return shut }
    if let rate = floor.binding(for: amount, now: now) {
      return LaneShut(
        name: model.description, until: floor.opens(for: amount, now: now), reason: .rate(rate, of: .place(model.description)))
    }
    if pace.isLooking { return LaneShut(name: model.description, until: nil, reason: .refused(status: lastRefusal)) }
    let until = pace.opens(now: now)
    guard until > now else { return nil }
    return LaneShut(name: model.description, until: until, reason: pace.rate.map { .learnedRate($0) } ?? .refused(status: lastRefusal))
  }

  // MARK: told

  /// What was taken of it for one call.
  struct Taken {
    var tokenEntry: Int?
    var looksForPace: Bool
    var looksAlone: Bool
    var looksForWord: Bool
    /// What had come to the lane's calls when it began.
    var activity: Int
    /// The measure of its width under which it began.
    var measure: Int
    /// Calls that were under way then.
    var others: Int
  }

  mutating func take(_ amount: Int, now: Duration) -> Taken {
    let entry = floor.take(amount, now: now)
    statedRequests?.take(1, now: now)
    statedTokens?.take(amount, now: now)
    if grants.count == 4096 { grants.removeFirst() }
    grants.append((now, amount))
    let measure = adaptive?.took(now: now)
    let others = inUse - 1
    return Taken(
      tokenEntry: entry, looksForPace: pace.took(now: now), looksAlone: cuts.took(), looksForWord: silence.took(now: now),
      activity: activity.count, measure: measure ?? -1, others: others)
  }

  /// Takes the end of a call in; returns what it changed.
  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, now: Duration) -> [LimitChange.What] {
    let inUse = inUse
    defer { floor.ended(permit.taken.tokenEntry, used: outcome.tokens) }
    if let stated = outcome.stated, let heard = outcome.heard { hear(stated, heard, since: permit.granted) }
    // Without a closure, which would be handed a copy of the whole lane.
    let limit = if let limit { limit } else { held }
    windows.ended(outcome, began: permit.granted, limit: limit, now: now)
    var changes = heard(permit, outcome, now)
    let answer: CallOutcome.Answer? = if case .answered(let answer) = outcome.verdict { answer } else { nil }
    if answer != nil {
      if answers.count == 512 { answers.removeFirst() }
      answers.append(now)
      adaptive?.tookIn(beside: permit.taken.others)
      if let change = cuts.answered(began: permit.granted, isLook: permit.taken.looksAlone, now: now) { changes += took(change, now) }
    } else if outcome.verdict != .cut, permit.taken.looksAlone,
      let change = cuts.lookLost(isCancelled: outcome.verdict == .silent, now: now)
    {
      changes += took(change, now)
    }
    switch adaptive?.ended(began: permit.granted, under: permit.taken.measure, answer: answer, inUse: inUse, now: now) {
    case .grew(let from, let to, let replies): changes.append(.grew(from: from, to: to, replies: replies))
    case .notPaidFor(let from, let to, let gain, let before, let after):
      changes.append(.notPaidFor(from: from, to: to, gain: gain, ttftBefore: before, ttftAfter: after))
    case nil: break
    }
    forgetNarrowing()
    switch outcome.verdict {
    case .answered, .other:
      // Named first: an argument that changes the lane would have it copied before.
      let said = pace.answered(began: permit.granted, isLook: permit.taken.looksForPace, now: now)
      changes += told(said, outcome)
    case .refused(let asked):
      lastRefusal = outcome.words
      refusal = outcome.sign
      if !outcome.holdsOthers, inUse > 1 { narrowIfFixed(from: inUse, now) }
      let before = adaptive?.limit ?? 0
      // Once an episode, until refusals have shown that they come at any width.
      if adaptive?.refused(beside: permit.taken.others, began: permit.granted, now: now) == true {
        changes.append(.refused(from: before, to: adaptive?.limit ?? 0, outcome.sign))
      }
      if !outcome.holdsOthers {
        if permit.taken.looksForPace { pace.lookLost(now: now) }
        break
      }
      let said = pace.refused(began: permit.granted, isLook: permit.taken.looksForPace, asked: asked, now: now)
      changes += told(said, outcome)
    case .cut:
      if permit.taken.looksForPace { pace.lookLost(now: now) }
      if inUse > 1, let (from, to) = adaptive?.cut(under: permit.taken.measure, now: now) {
        cuts.restart(now)
        changes.append(.narrowed(from: from, to: to, isSure: true))
        break
      }
      let change = cuts.cut(
        began: permit.granted, isLook: permit.taken.looksAlone, inUse: inUse, mayWait: outcome.mayRetry, now: now)
      if let change { changes += took(change, now) }
    case .queued:
      if permit.taken.looksForPace { pace.lookLost(now: now) }
      let answered = answers.reversed().prefix { $0 >= permit.granted }.count
      guard answered > 0 || activity.count != permit.taken.activity else {
        changes += unanswered(permit, outcome, now)
        break
      }
      let before = held
      // A queue of one is not shortened.
      if inUse > 1 { narrowIfFixed(from: inUse, now) }
      if adaptive?.queued(began: permit.granted, answered: answered, now: now) == true {
        changes.append(.queued(from: before, to: adaptive?.limit ?? 0, answered: answered, within: now - permit.granted))
      }
    case .troubled:
      if permit.taken.looksForPace { pace.lookLost(now: now) }
      changes += troubled(outcome, now)
    case .silent, .unreachable:
      if permit.taken.looksForPace { pace.lookLost(now: now) }
    }
    return changes
  }

  /// The server went down: what broke off then says nothing of this model.
  mutating func serverWentDown(now: Duration) -> LimitChange.What? {
    let change: LimitChange.What? = cuts.isAlone ? .cutsWereItsEnd(restored: held) : nil
    cuts.restart(now)
    refusedSince = nil
    return change
  }

  /// Whether something has come, where nothing had for long: before a call has ended.
  mutating func glance(now: Duration) -> LimitChange.What? {
    guard silence.standing != nil, activity.count != quietCount else { return nil }
    heardAt = now
    givenUp.removeAll()
    return silence.heard(now: now).map { .back(after: $0) }
  }

  mutating func seen(isWaitedFor: Bool, now: Duration) { silence.seen(isWaitedFor: isWaitedFor, now: now) }
  mutating func asked(now: Duration) { silence.asked(now: now) }

  /// Nobody waits any more for it to say something, where that is so by now.
  mutating func silenceEnds(_ downWait: Duration?, now: Duration) -> (LaneShut, LimitChange.What)? {
    guard let ends = silence.ends(downWait), ends <= now, let shut = silent, let standing = silence.standing else { return nil }
    silence.giveUp(now: now)
    return (shut, .silentTooLong(after: now - standing.since, tries: standing.tries))
  }

  // MARK: learning

  /// What the activity was when it fell silent.
  private var quietCount = 0

  /// Takes in whether the server said anything, and whether it was a refusal.
  private mutating func heard(_ permit: Permit, _ outcome: CallOutcome, _ now: Duration) -> [LimitChange.What] {
    switch outcome.verdict {
    case .refused: refusedSince = refusedSince ?? now
    case .silent:
      if permit.taken.looksForWord { silence.lookLost(now) }
      return []
    case .answered, .other:
      refusedSince = nil
      givenUp.removeAll()
    case .troubled, .cut, .queued, .unreachable:
      refusedSince = nil
      guard outcome.heardStatus else {
        if permit.taken.looksForWord, outcome.verdict != .queued { silence.lookEnded(now) }
        return []
      }
    }
    heardAt = now
    return silence.heard(now: now).map { [.back(after: $0)] } ?? []
  }

  /// A call timed out, and nothing had come to any other since it began.
  private mutating func unanswered(_ permit: Permit, _ outcome: CallOutcome, _ now: Duration) -> [LimitChange.What] {
    if let heardAt, heardAt > permit.granted {
      if permit.taken.looksForWord { silence.lookEnded(now) }
      return troubled(outcome, now)
    }
    let isNew = silence.timedOut(
      began: permit.granted, isLook: permit.taken.looksForWord, isOfWholeCall: outcome.isOfWholeCall, now: now)
    guard isNew else { return [] }
    quietCount = activity.count
    return [.silent(within: now - permit.granted)]
  }

  private mutating func troubled(_ outcome: CallOutcome, _ now: Duration) -> [LimitChange.What] {
    guard adaptive?.troubled(now: now) == true, let limit = adaptive?.limit else { return [] }
    return [.growthPaused(at: limit, for: .seconds(10), outcome.sign)]
  }

  private func told(_ changes: [Pace.Change], _ outcome: CallOutcome) -> [LimitChange.What] {
    // Named first: a closure that reads the lane is handed a copy of it.
    let words = lastRefusal
    return changes.map { change in
      switch change {
      case .held(let wait, let isEarly, let isStill): .held(for: wait, isEarly: isEarly, isStill: isStill, outcome.sign)
      case .goesOn: .goesOn
      case .paced(let rate): .paced(perSecond: rate, LimitChange.Sign(words))
      }
    }
  }

  private mutating func took(_ change: CutWatch.Change, _ now: Duration) -> [LimitChange.What] {
    let held = held
    switch change {
    case .looksAlone(let cut, let of): return [.looksAlone(from: held, cut: cut, of: of)]
    case .widthIsNotWhy: return [.widthIsNotWhy(restored: held)]
    case .lookGivenUp(let looks): return [.lookGivenUp(restored: held, looks: looks)]
    case .narrowed(let from, let to, let isSure):
      narrowIfFixed(from: from, now)
      adaptive?.narrow(to: to, now: now)
      return [.narrowed(from: held, to: adaptive?.limit ?? to, isSure: isSure)]
    }
  }

  private mutating func narrowIfFixed(from inUse: Int, _ now: Duration) {
    guard adaptive == nil, case .fixed(let fixed) = width else { return }
    adaptive = AdaptiveLimit(1...fixed, limit: min(fixed, inUse), now: now)
    isNarrowed = true
  }

  /// A width that has grown back to what is set is the setting's again.
  private mutating func forgetNarrowing() {
    if isNarrowed, let adaptive, adaptive.limit >= adaptive.range.upperBound { (self.adaptive, isNarrowed) = (nil, false) }
  }

  /// A server counts when a request comes, and may send what it counted much later, with the first token: what was granted after the
  /// call itself is not in it for sure.
  private mutating func hear(_ stated: StatedLimits, _ heard: Duration, since granted: Duration) {
    let since = grants.reversed().prefix { $0.at > granted }
    if let amount = stated.requests, statedRequests?.isOlder(than: heard) ?? true {
      statedRequests = StatedRate(amount, heard: heard, takenSince: since.count) ?? statedRequests
    }
    if let amount = stated.tokens, statedTokens?.isOlder(than: heard) ?? true {
      statedTokens = StatedRate(amount, heard: heard, takenSince: since.reduce(0) { $0 + $1.tokens }) ?? statedTokens
    }
  }
}
