import Chat
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
    var amount: CallAmount
    /// The row whose call it is; nil for a call that stands alone.
    var row: BegunRow?
  }

  /// Those of one job who wait for one lane.
  private struct Line {
    var fresh = Deque<Waiter>()
    var continuing = Deque<Waiter>()
    /// Whether its head waits for its lane, not for the width: when last looked at.
    var isShut = false
    var head: Waiter? { continuing.first ?? fresh.first }
    var count: Int { fresh.count + continuing.count }
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
    /// It begins nothing new.
    var isStopped = false
    /// By lane; kept when empty, so that it is known which lanes a job uses.
    var lines: [String: Line] = [:]
    /// When it last got a permit: breaks ties in turn.
    var lastGrant = 0
    /// The most tokens of a reply so far.
    var largestOutput = LimiterState.firstOutput
    /// Rows that have begun and have had no permit yet.
    var unsent = 0
    /// Pipelines that wait to begin a row, those within a row first.
    var beginning = Deque<(id: WaiterID, group: RowGroup)>()

    var mayTake: Bool { !isPaused && inUse < cap ?? .max }
    var isIdle: Bool {
      inUse == 0 && cap == nil && !isPaused && unsent == 0 && beginning.isEmpty && lines.values.allSatisfy { $0.head == nil }
    }
    /// Rows that wait before a shut lane: they keep nobody else from beginning.
    var shutOut: Int { lines.values.reduce(0) { $0 + ($1.isShut ? $1.count : 0) } }
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
    /// The job begins nothing new.
    case stopped
  }

  /// Whom a change concerns.
  struct Effects {
    var granted: [(WaiterID, Permit)] = []
    var spent: [WaiterID] = []
    /// Who waited to begin a row, and does.
    var begun: [(WaiterID, BegunRow)] = []
    /// When to look again, where somebody waits for a moment and nothing else.
    var opening: Duration?
  }

  mutating func acquire(
    _ job: JobID, lane: String, _ turn: Turn, _ amount: CallAmount = CallAmount(input: 0, output: 0), row: BegunRow? = nil, now: Duration
  ) -> Request {
    if turn == .fresh, jobs[job]?.isStopped ?? false { return .stopped }
    let isFirstInLine = jobs[job]?.lines[lane]?.head == nil
    var waiter = Waiter(id: 0, amount: amount, row: row)
    if isFirstInLine, inUse < width, jobs[job]?.mayTake ?? true {
      // Whoever else waits while there is width is paused, capped or before a shut lane: he is passed by.
      switch opening(waiter, of: jobs[job] ?? Queue(), lane, now) {
      case .at(let moment) where moment <= now: return .granted(grant(job, lane, waiter, now))
      case .spent: return .spent
      case .at, .later: jobs[job, default: Queue()].lines[lane, default: Line()].isShut = true
      }
    }
    nextWaiter += 1
    waiter.id = nextWaiter
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
    if let index = queue.beginning.firstIndex(where: { $0.id == waiter }) {
      jobs[job]?.beginning.remove(at: index)
      return true
    }
    for lane in queue.lines.keys where queue.lines[lane]?.remove(waiter) == true {
      jobs[job] = queue
      return true
    }
    return false
  }

  // MARK: rows that begin

  /// Rows that may have begun beyond the permits that are free: each is rendered while the one before it waits.
  private static let ahead = 2
  /// Rows before shut lanes that are left out of account, at most.
  private static let mostShutOut = 1000

  enum Beginning {
    case begun(BegunRow)
    case queued(WaiterID)
    case stopped
  }

  mutating func begin(_ group: RowGroup) -> Beginning {
    if group.parent == nil, jobs[group.job.id]?.isStopped ?? false { return .stopped }
    if mayBegin(group) { return .begun(admit(group)) }
    nextWaiter += 1
    if group.parent == nil {
      jobs[group.job.id, default: Queue()].beginning.append((nextWaiter, group))
    } else {
      jobs[group.job.id, default: Queue()].beginning.prepend((nextWaiter, group))
    }
    return .queued(nextWaiter)
  }

  /// A row is over, or will send nothing more.
  mutating func ended(_ row: BegunRow) {
    row.group.underWay.wrappingSubtract(1, ordering: .relaxed)
    uncount(row)
  }

  /// A job begins nothing new: those who wait for that.
  mutating func withdrawFresh(of job: JobID) -> [WaiterID] {
    var queue = jobs[job] ?? Queue()
    queue.isStopped = true
    var withdrawn = queue.beginning.filter { $0.group.parent == nil }.map(\.id)
    queue.beginning.removeAll { $0.group.parent == nil }
    for lane in queue.lines.keys {
      withdrawn += queue.lines[lane]?.fresh.map(\.id) ?? []
      queue.lines[lane]?.fresh.removeAll()
    }
    jobs[job] = queue
    return withdrawn
  }

  /// A row begins where a permit is free. A pipeline with no row under way may always begin one: the rows around it wait for it.
  private func mayBegin(_ group: RowGroup) -> Bool {
    guard let queue = jobs[group.job.id] else { return true }
    if queue.isPaused { return false }
    if group.underWay.load(ordering: .relaxed) == 0 { return true }
    let free = max(0, min(width - inUse, limit(of: group.job.id) - queue.inUse))
    return queue.unsent - min(queue.shutOut, Self.mostShutOut) < Self.ahead + free
  }

  private mutating func admit(_ group: RowGroup) -> BegunRow {
    group.underWay.wrappingAdd(1, ordering: .relaxed)
    jobs[group.job.id, default: Queue()].unsent += 1
    return BegunRow(group)
  }

  /// It, and the rows around it, count no more.
  private mutating func uncount(_ row: BegunRow) {
    var next: BegunRow? = row
    while let row = next, row.counts.exchange(false, ordering: .relaxed) {
      jobs[row.group.job.id]?.unsent -= 1
      next = row.group.parent
    }
  }

  // MARK: what a call tells

  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, now: Duration) {
    inUse -= 1
    budget.settle(permit.isBudgeted ? permit.tokens : 0, used: outcome.tokens ?? 0)
    jobs[permit.job]?.inUse -= 1
    if let used = outcome.tokens {
      // The first answer shows what replies are like; until then each is reckoned long.
      let output = max(1, used - permit.input)
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

  mutating func note(_ change: LimitChange) { history.note(change) }

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
    let amount = amount(waiter, of: queue, lane)
    switch budget.room(for: amount) {
    case .enough: break
    case .later: return .later
    case .spent: return .spent
    }
    guard let moment = lanes[lane]?.opens(for: amount, now: now) else { return .later }
    return .at(moment)
  }

  /// The tokens that are set aside for a call, where somebody counts them.
  private func amount(_ waiter: Waiter, of queue: Queue, _ lane: String) -> Int {
    guard limits.countTokens || lanes[lane]?.countsTokens ?? false else { return 0 }
    let amount = waiter.amount
    if let output = amount.output { return amount.input + output }
    // A guess at the reply's length does not keep a call from what is left: it takes all of that, and others wait to see.
    let guess = amount.input + queue.largestOutput
    if let left = budget.left, guess > left, left > amount.input { return left }
    return guess
  }

  private mutating func grant(_ job: JobID, _ lane: String, _ waiter: Waiter, _ now: Duration) -> Permit {
    let amount = amount(waiter, of: jobs[job] ?? Queue(), lane)
    let taken = lanes[lane]?.take(amount, now: now)
    if limits.tokenBudget != nil { budget.reserve(amount) }
    inUse += 1
    grants += 1
    jobs[job, default: Queue()].inUse += 1
    jobs[job]?.lastGrant = grants
    if let output = waiter.amount.output, limits.countTokens {
      let before = jobs[job]?.largestOutput ?? Self.firstOutput
      jobs[job]?.largestOutput = max(before == Self.firstOutput ? 0 : before, output)
    }
    jobs[job]?.lines[lane, default: Line()].isShut = false
    if let row = waiter.row { uncount(row) }
    return Permit(
      job: job, lane: lane, granted: now, tokens: amount, input: waiter.amount.input, tokenEntry: taken?.tokenEntry,
      isProbe: taken?.isProbe ?? false, isBudgeted: limits.tokenBudget != nil)
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
          case .later:
            jobs[job]?.lines[lane]?.isShut = true
            continue
          case .spent:
            jobs[job]?.lines[lane]?.pop()
            effects.spent.append(head.id)
            isSpent = true
            break search
          case .at(let moment) where moment > now:
            effects.opening = min(effects.opening ?? moment, moment)
            jobs[job]?.lines[lane]?.isShut = true
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
      effects.granted.append((head.id, grant(job, lane, head, now)))
    }
    for (job, queue) in jobs where !queue.beginning.isEmpty {
      for (id, group) in queue.beginning where mayBegin(group) {
        jobs[job]?.beginning.removeAll { $0.id == id }
        effects.begun.append((id, admit(group)))
      }
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
