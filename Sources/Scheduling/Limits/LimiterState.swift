import DequeModule

/// Who may call now: a width for the session, shared by jobs, and the lane of each provider; all of it changeable at any moment. A
/// plain value under a clock that is handed in: methods say who is granted what, `Limiter` resumes them.
///
/// Laws: never more permits than the limit are granted anew; a lowered limit lets what runs finish; among jobs that wait, the one
/// with the fewest permits comes first (a job of ten is not held up by one of ten thousand); within a job, a call that goes on with
/// a row already begun comes before a new row; whoever waits while his lane is shut holds up nobody else.
struct LimiterState: Sendable {
  typealias JobID = Int
  typealias WaiterID = Int

  enum Turn: Sendable {
    /// A new row.
    case fresh
    /// A further call of a row, or a retry.
    case continuing
  }

  private struct Waiter {
    var id: WaiterID
    /// Tokens it may take, where the call is known already.
    var tokens: Int?
  }

  /// Those of one job who wait for one lane.
  private struct Line {
    var fresh = Deque<Waiter>()
    var continuing = Deque<Waiter>()
    var head: Waiter? { continuing.first ?? fresh.first }
    mutating func pop() { if continuing.popFirst() == nil { fresh.removeFirst() } }
    mutating func remove(_ id: WaiterID) -> Bool {
      if let index = fresh.firstIndex(where: { $0.id == id }) {
        fresh.remove(at: index)
      } else if let index = continuing.firstIndex(where: { $0.id == id }) {
        continuing.remove(at: index)
      } else {
        return false
      }
      return true
    }
  }

  private struct Queue {
    var inUse = 0
    var cap: Int?
    var isPaused = false
    /// By lane; kept when empty, so that it is known which lanes a job uses.
    var lines: [String: Line] = [:]
    /// When it last got a permit: breaks ties in turn.
    var lastGrant = 0
    /// The most tokens of a prompt and of a reply so far; nil until the first is known.
    var largestInput: Int?
    var largestOutput = LimiterState.firstOutput

    var mayTake: Bool { !isPaused && inUse < cap ?? .max }
    var isIdle: Bool { inUse == 0 && cap == nil && !isPaused && lines.values.allSatisfy { $0.head == nil } }
    var tokens: Int? { largestInput.map { $0 + largestOutput } }
  }

  /// What a reply is reckoned at until one has come, where `max-tokens` does not say.
  private static let firstOutput = 1024

  private(set) var limits: Limits
  private(set) var inUse = 0
  private(set) var budget = TokenBudget()
  private(set) var history = LimitHistory()
  private var lanes: [String: Lane] = [:]
  private var jobs: [JobID: Queue] = [:]
  private var grants = 0
  private var nextWaiter = 0

  init(_ limits: Limits) {
    self.limits = limits
    budget.limit = limits.tokenBudget
  }

  private var width: Int { if case .fixed(let width) = limits.width { width } else { .max } }

  // MARK: asking

  enum Request {
    case granted(Permit)
    case queued(WaiterID)
    /// The budget has no room, and nothing in flight can give any back.
    case spent
  }

  /// Whom a change concerns.
  struct Effects {
    var granted: [(WaiterID, Permit)] = []
    var spent: [WaiterID] = []
    /// When to look again, where somebody waits for a moment and nothing else.
    var opening: Duration?
  }

  mutating func acquire(_ job: JobID, lane: String, _ turn: Turn, tokens: Int? = nil, now: Duration) -> Request {
    let isFirstInLine = jobs[job]?.lines[lane]?.head == nil
    if isFirstInLine, inUse < width, jobs[job]?.mayTake ?? true {
      // Whoever else waits while there is width is paused, capped or before a shut lane: he is passed by.
      switch opening(Waiter(id: 0, tokens: tokens), of: jobs[job] ?? Queue(), lane, now) {
      case .at(let moment) where moment <= now: return .granted(grant(job, lane, tokens, now))
      case .spent: return .spent
      case .at, .later: break
      }
    }
    nextWaiter += 1
    let waiter = Waiter(id: nextWaiter, tokens: tokens)
    if turn == .fresh {
      jobs[job, default: Queue()].lines[lane, default: Line()].fresh.append(waiter)
    } else {
      jobs[job, default: Queue()].lines[lane, default: Line()].continuing.append(waiter)
    }
    return .queued(nextWaiter)
  }

  /// Takes a waiter out of the queue; false if he has been answered already.
  mutating func cancel(_ waiter: WaiterID, of job: JobID) -> Bool {
    guard var queue = jobs[job] else { return false }
    for lane in queue.lines.keys where queue.lines[lane]?.remove(waiter) == true {
      jobs[job] = queue
      return true
    }
    return false
  }

  // MARK: what a call tells

  /// Whether calls of a permit's lane must say how many tokens they may take.
  func countsTokens(_ permit: Permit) -> Bool { limits.countTokens || lanes[permit.lane]?.countsTokens ?? false }

  /// The call is known now: its prompt's tokens, and the most its reply may have.
  ///
  /// - Returns: nil where it may go; else what it must wait for, with a new permit.
  mutating func extend(_ permit: inout Permit, input: Int, output: Int?, now: Duration) -> Int? {
    var queue = jobs[permit.job] ?? Queue()
    queue.largestInput = max(queue.largestInput ?? 0, input)
    var amount = input + (output ?? queue.largestOutput)
    // A guess at the reply's length does not keep a call from what is left: it takes all of that, and others wait to see.
    if output == nil, let left = budget.left(besides: permit.isBudgeted ? permit.tokens : 0), amount > left, left > input { amount = left }
    if let output { queue.largestOutput = max(queue.largestOutput == Self.firstOutput ? 0 : queue.largestOutput, output) }
    jobs[permit.job] = queue
    let more = amount - permit.tokens
    if more > 0, budget.room(for: more) != .enough { return amount }
    guard lanes[permit.lane]?.extend(permit, to: amount, now: now) ?? true else { return amount }
    if permit.isBudgeted { budget.reserve(more) }
    permit.tokens = amount
    return nil
  }

  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, now: Duration) {
    inUse -= 1
    budget.settle(permit.isBudgeted ? permit.tokens : 0, used: outcome.tokens ?? 0)
    jobs[permit.job]?.inUse -= 1
    if let used = outcome.tokens, let input = jobs[permit.job]?.largestInput {
      // The first answer shows what replies are like; until then each is reckoned long.
      let output = max(1, used - input)
      let before = jobs[permit.job]?.largestOutput ?? Self.firstOutput
      jobs[permit.job]?.largestOutput = before == Self.firstOutput ? output : max(before, output)
    }
    for change in lanes[permit.lane]?.ended(permit, outcome, now: now) ?? [] {
      history.note(LimitChange(at: now, lane: permit.lane, job: nil, text: change))
    }
    if jobs.count > 32 { jobs = jobs.filter { !$0.value.isIdle } }
  }

  // MARK: live changes

  mutating func configure(_ new: Limits, now: Duration) {
    let old = limits
    if old == new { return }
    limits = new
    budget.limit = new.tokenBudget
    for name in lanes.keys { lanes[name]?.configure(new) }
    func note(_ what: String, _ before: String, _ after: String) {
      if before != after { history.note(LimitChange(at: now, text: "\(what)\(before) → \(after): set")) }
    }
    note("", old.width.words, new.width.words)
    func words(_ limit: Int?) -> String { limit.map(String.init) ?? "off" }
    note("rps ", words(old.requestsPerSecond), words(new.requestsPerSecond))
    note("rpm ", words(old.requestsPerMinute), words(new.requestsPerMinute))
    note("tpm ", words(old.tokensPerMinute), words(new.tokensPerMinute))
    note("token budget ", words(old.tokenBudget), words(new.tokenBudget))
  }

  mutating func setCap(_ cap: Int?, of job: JobID, now: Duration) {
    func words(_ cap: Int?) -> String { cap.map(String.init) ?? "no cap" }
    let before = jobs[job]?.cap
    jobs[job, default: Queue()].cap = cap
    if before != cap { history.note(LimitChange(at: now, job: job, text: "\(words(before)) → \(words(cap)): set for this job")) }
  }

  mutating func setPaused(_ paused: Bool, _ job: JobID, reason: String, now: Duration) {
    guard jobs[job]?.isPaused ?? false != paused else { return }
    jobs[job, default: Queue()].isPaused = paused
    history.note(LimitChange(at: now, job: job, text: reason))
  }

  // MARK: asked by those who watch

  /// The limit that holds for a job now: of the session or, where it finds itself, of the lanes that the job uses; at most its cap.
  func limit(of job: JobID) -> Int {
    let queue = jobs[job]
    var limit = width
    if case .adaptive(let range) = limits.width {
      let own = queue?.lines.keys.compactMap { lanes[$0]?.adaptive?.limit } ?? []
      limit = own.isEmpty ? AdaptiveLimit(range).limit : own.reduce(0, +)
    }
    return min(limit, queue?.cap ?? .max)
  }

  // MARK: granting

  private enum Opening {
    case at(Duration)
    /// Only the end of another call can tell.
    case later
    case spent
  }

  private mutating func opening(_ waiter: Waiter, of queue: Queue, _ lane: String, _ now: Duration) -> Opening {
    if lanes[lane] == nil { lanes[lane] = Lane(lane, limits) }
    var amount = waiter.tokens ?? queue.tokens ?? 1
    if limits.countTokens || lanes[lane]?.countsTokens ?? false {
      // What a job's calls take is not known before its first: that one goes alone until it has said so.
      if waiter.tokens == nil, queue.tokens == nil, queue.inUse > 0 { return .later }
    } else {
      amount = 0
    }
    switch budget.room(for: amount) {
    case .enough: break
    case .later: return .later
    case .spent: return .spent
    }
    guard let moment = lanes[lane]?.opens(for: amount, now: now) else { return .later }
    return .at(moment)
  }

  private mutating func grant(_ job: JobID, _ lane: String, _ tokens: Int?, _ now: Duration) -> Permit {
    let counts = limits.countTokens || lanes[lane]?.countsTokens ?? false
    let amount = counts ? tokens ?? jobs[job]?.tokens ?? 1 : 0
    let taken = lanes[lane]?.take(amount, now: now)
    if limits.tokenBudget != nil { budget.reserve(amount) }
    inUse += 1
    grants += 1
    jobs[job, default: Queue()].inUse += 1
    jobs[job]?.lastGrant = grants
    if jobs[job]?.lines[lane] == nil { jobs[job]?.lines[lane] = Line() }
    return Permit(
      job: job, lane: lane, granted: now, tokens: amount, tokenEntry: taken?.tokenEntry, isProbe: taken?.isProbe ?? false,
      isBudgeted: limits.tokenBudget != nil)
  }

  /// Grants whatever can be granted now.
  mutating func grantWaiting(now: Duration) -> Effects {
    var effects = Effects()
    while inUse < width {
      effects.opening = nil
      var next: (job: JobID, lane: String, queue: Queue)?
      var isSpent = false
      // Jobs are few: a look at each is cheaper than keeping them sorted.
      search: for (job, queue) in jobs where queue.mayTake {
        for (lane, line) in queue.lines {
          guard let head = line.head else { continue }
          switch opening(head, of: queue, lane, now) {
          case .later: continue
          case .spent:
            jobs[job]?.lines[lane]?.pop()
            effects.spent.append(head.id)
            isSpent = true
            break search
          case .at(let moment) where moment > now:
            effects.opening = min(effects.opening ?? moment, moment)
            continue
          case .at: break
          }
          if let best = next?.queue, (best.inUse, best.lastGrant) <= (queue.inUse, queue.lastGrant) { continue }
          next = (job, lane, queue)
        }
      }
      if isSpent { continue }
      guard let (job, lane, queue) = next, let head = queue.lines[lane]?.head else { break }
      jobs[job]?.lines[lane]?.pop()
      effects.granted.append((head.id, grant(job, lane, head.tokens, now)))
    }
    return effects
  }
}

extension Limits.Width {
  /// As `set concurrency` takes it.
  public var words: String {
    switch self {
    case .fixed(let width): "\(width)"
    case .adaptive(AdaptiveLimit.usual): "auto"
    case .adaptive(let range): "auto \(range.lowerBound)..\(range.upperBound)"
    }
  }
}
