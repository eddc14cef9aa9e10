import Chat
import DequeModule

/// Who may call now: a width for the session, shared by jobs, a floor for each job and each provider, a lane for each model; all of it
/// changeable at any moment. A plain value under a clock that is handed in: methods say who is granted what, `Limiter` resumes them.
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
    /// A retry that goes behind those who wait already: it stood in a server's queue for too long.
    case behind
  }

  private struct Waiter {
    var id: WaiterID
    var amount: CallAmount
    /// The row whose call it is; nil for a call that stands alone.
    var row: BegunRow?
    /// Whether a stop of its job takes it back.
    var isFresh = true
    var since: Duration
    /// A server that lets nothing through for longer than this is not waited for.
    var patience: Duration?
  }

  /// Those of one job that wait for one lane.
  private struct Line {
    var fresh = Deque<Waiter>()
    var continuing = Deque<Waiter>()
    /// Whether its head waits for its lane, not for the width: when last looked at.
    var isShut = false
    /// The job's permits for this lane, and when it last got one: the lane with the fewest comes first, so that a slow model does not
    /// sit on the whole width.
    var inUse = 0
    var lastGrant = 0
    /// Rows that have begun for this lane and have had no permit yet.
    var unsent = 0
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
    /// What the user has set for it.
    var floor = Floor()
    var isPaused = false
    /// It begins nothing new.
    var isStopped = false
    /// By lane; kept when empty, so that it is known which lanes a job uses.
    var lines: [Int: Line] = [:]
    /// When it last got a permit: breaks ties in turn.
    var lastGrant = 0
    /// The most tokens of a reply so far.
    var largestOutput = LimiterState.firstOutput
    /// Rows that have begun and have had no permit yet, of which it is not known what lane they will ask for.
    var unsent = 0
    /// Pipelines that wait to begin a row, those within a row first; and for which lane, where that is known.
    var beginning = Deque<(id: WaiterID, group: RowGroup, lane: Int?)>()

    var inUse: Int { floor.inUse }
    var mayTake: Bool { !isPaused && !floor.isFull }
    var isIdle: Bool {
      inUse == 0 && floor.own == .none && !isPaused && unsent == 0 && beginning.isEmpty
        && lines.values.allSatisfy { $0.head == nil && $0.unsent == 0 }
    }
    /// Rows that wait before a shut lane: they keep nobody else from beginning.
    var shutOut: Int { lines.values.reduce(0) { $0 + ($1.isShut ? max(0, $1.count - $1.unsent) : 0) } }
  }

  /// What a reply is reckoned at until one has come, where `max-tokens` does not say.
  private static let firstOutput = 1024

  private(set) var limits: Limits
  private(set) var inUse = 0
  private(set) var budget = TokenBudget()
  private(set) var history = LimitHistory()
  /// Launched rows of each job, while a change is being made.
  private var rows: [JobID: Int] = [:]
  private(set) var lanes: [Lane] = []
  private(set) var providers: [ProviderFloor] = []
  private var laneNumbers: [ModelName: Int] = [:]
  private var jobs: [JobID: Queue] = [:]
  private var grants = 0
  private var nextWaiter = 0

  init(_ limits: Limits) {
    self.limits = limits
    budget.limit = limits.tokenBudget
  }

  /// What the machine carries, where that is known to be little: files that it lets us open.
  private(set) var mostStreams = Int.max

  private var width: Int { if case .fixed(let width) = limits.width { min(width, mostStreams) } else { mostStreams } }

  /// - Parameter reason: for the history, which tells of it where it is less than what is wanted.
  mutating func setMostStreams(_ most: Int, reason: String, now: Duration) {
    if most == mostStreams { return }
    mostStreams = most
    machine = reason
    noteMachine(now)
  }

  private var machine = ""

  private mutating func noteMachine(_ now: Duration) {
    switch limits.width {
    case .fixed(let wanted) where wanted > mostStreams:
      history.note(LimitChange(at: now, .session, .machine(wanted: "\(wanted) →", most: mostStreams, machine), by: .program))
    case .adaptive(let range) where range.upperBound > mostStreams:
      history.note(
        LimitChange(at: now, .session, .machine(wanted: "\(limits.width.words), at most", most: mostStreams, machine), by: .program))
    default: break
    }
  }

  // MARK: asking

  enum Request {
    case granted(Permit)
    case queued(WaiterID)
    /// The budget has no room, and nothing in flight can give any back.
    case spent
    /// The job begins nothing new.
    case stopped
    /// The server lets nothing through for longer than the call would wait.
    case shut(LaneShut)
  }

  /// Whom a change concerns.
  struct Effects {
    var granted: [(WaiterID, Permit)] = []
    var spent: [WaiterID] = []
    var shut: [(WaiterID, LaneShut)] = []
    /// Who waited to begin a row, and does.
    var begun: [(WaiterID, BegunRow)] = []
    /// When to look again, where somebody waits for a moment and nothing else.
    var opening: Duration?
  }

  /// - Parameter patience: a server that lets nothing through for longer than this is not waited for; nil for however long.
  mutating func acquire(
    _ job: JobID, lane model: ModelName, _ turn: Turn, _ amount: CallAmount = CallAmount(input: 0, output: 0), row: BegunRow? = nil,
    patience: Duration? = nil, now: Duration
  ) -> Request {
    if turn == .fresh, jobs[job]?.isStopped ?? false { return .stopped }
    let lane = number(of: model)
    let isFirstInLine = jobs[job]?.lines[lane]?.head == nil
    var waiter = Waiter(id: 0, amount: amount, row: row, isFresh: turn == .fresh, since: now, patience: patience)
    if isFirstInLine {
      if let shut = shut(waiter, of: jobs[job] ?? Queue(), lane, now) { return .shut(shut) }
      if inUse < width, jobs[job]?.mayTake ?? true {
        // Whoever else waits while there is width is paused, capped or before a shut lane: he is passed by.
        switch opening(waiter, of: job, lane, now) {
        case .at(let moment) where moment <= now: return .granted(grant(job, lane, waiter, now))
        case .spent: return .spent
        case .at, .later: jobs[job, default: Queue()].lines[lane, default: Line()].isShut = true
        }
      }
    }
    nextWaiter += 1
    waiter.id = nextWaiter
    if turn == .continuing {
      jobs[job, default: Queue()].lines[lane, default: Line()].continuing.append(waiter)
    } else {
      jobs[job, default: Queue()].lines[lane, default: Line()].fresh.append(waiter)
    }
    return .queued(nextWaiter)
  }

  private mutating func number(of model: ModelName) -> Int {
    if let number = laneNumbers[model] { return number }
    let provider = providers.firstIndex { $0.name == model.provider } ?? providers.count
    if provider == providers.count { providers.append(ProviderFloor(model.provider, limits)) }
    lanes.append(Lane(model, provider: provider, limits))
    laneNumbers[model] = lanes.count - 1
    return lanes.count - 1
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

  /// A row for a model, if one may begin now.
  mutating func beginNow(_ group: RowGroup, for model: ModelName) -> BegunRow? {
    if group.isStopped.load(ordering: .relaxed) || group.parent == nil && jobs[group.job.id]?.isStopped ?? false { return nil }
    let lane = number(of: model)
    return mayBegin(group, lane) ? admit(group, lane) : nil
  }

  /// - Parameter model: whom its first call will ask for, where that is known.
  mutating func begin(_ group: RowGroup, for model: ModelName? = nil) -> Beginning {
    if group.isStopped.load(ordering: .relaxed) { return .stopped }
    if group.parent == nil, jobs[group.job.id]?.isStopped ?? false { return .stopped }
    let lane = model.map { number(of: $0) }
    if mayBegin(group, lane) { return .begun(admit(group, lane)) }
    nextWaiter += 1
    if group.parent == nil {
      jobs[group.job.id, default: Queue()].beginning.append((nextWaiter, group, lane))
    } else {
      jobs[group.job.id, default: Queue()].beginning.prepend((nextWaiter, group, lane))
    }
    return .queued(nextWaiter)
  }

  /// A pipeline begins no more rows: those who wait for that.
  mutating func stop(_ group: RowGroup) -> [WaiterID] {
    group.isStopped.store(true, ordering: .relaxed)
    let withdrawn = jobs[group.job.id]?.beginning.filter { $0.group === group }.map(\.id) ?? []
    jobs[group.job.id]?.beginning.removeAll { $0.group === group }
    return withdrawn
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
      withdrawn += queue.lines[lane]?.fresh.filter(\.isFresh).map(\.id) ?? []
      queue.lines[lane]?.fresh.removeAll(where: \.isFresh)
    }
    jobs[job] = queue
    return withdrawn
  }

  /// Nothing more is sent: all who wait.
  mutating func withdrawAll() -> [WaiterID] {
    var withdrawn: [WaiterID] = []
    for job in jobs.keys {
      withdrawn += jobs[job]?.beginning.map(\.id) ?? []
      jobs[job]?.beginning.removeAll()
      for lane in jobs[job]?.lines.keys.map({ $0 }) ?? [] {
        withdrawn += jobs[job]?.lines[lane].map { ($0.continuing + $0.fresh).map(\.id) } ?? []
        jobs[job]?.lines[lane]?.continuing.removeAll()
        jobs[job]?.lines[lane]?.fresh.removeAll()
      }
    }
    return withdrawn
  }

  /// A row begins where a permit is free. A pipeline with no row under way may always begin one: the rows around it wait for it.
  private func mayBegin(_ group: RowGroup, _ lane: Int?) -> Bool {
    guard let queue = jobs[group.job.id] else { return true }
    if queue.isPaused { return false }
    if group.underWay.load(ordering: .relaxed) == 0 { return true }
    let free = max(0, min(width - inUse, limit(of: group.job.id) - queue.inUse))
    guard let lane else { return queue.unsent - min(queue.shutOut, Self.mostShutOut) < Self.ahead + free }
    // One row stands before each lane; the others are not even rendered, but for those that can go at once.
    let line = queue.lines[lane] ?? Line()
    if line.unsent < 1 { return true }
    if line.isShut { return false }
    let room = min(free, max(0, (lanes[lane].limit ?? .max) - lanes[lane].inUse))
    return line.unsent < room && queue.unsent + queue.lines.values.reduce(0) { $0 + $1.unsent } < free
  }

  private mutating func admit(_ group: RowGroup, _ lane: Int?) -> BegunRow {
    group.underWay.wrappingAdd(1, ordering: .relaxed)
    if let lane {
      jobs[group.job.id, default: Queue()].lines[lane, default: Line()].unsent += 1
    } else {
      jobs[group.job.id, default: Queue()].unsent += 1
    }
    return BegunRow(group, lane: lane)
  }

  /// It, and the rows around it, count no more.
  private mutating func uncount(_ row: BegunRow) {
    var next: BegunRow? = row
    while let row = next, row.counts.exchange(false, ordering: .relaxed) {
      if let lane = row.lane {
        jobs[row.group.job.id]?.lines[lane]?.unsent -= 1
      } else {
        jobs[row.group.job.id]?.unsent -= 1
      }
      next = row.group.parent
    }
  }

  // MARK: what a call tells

  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, now: Duration) {
    var outcome = outcome
    // A server that comes back answers 502 or 503 until its model is there.
    if permit.looksForServer, outcome.isAway { outcome.verdict = .unreachable }
    inUse -= 1
    budget.settle(permit.isBudgeted ? permit.tokens : 0, used: outcome.tokens ?? 0)
    jobs[permit.job]?.floor.ended(permit.jobEntry, used: outcome.tokens)
    jobs[permit.job]?.lines[permit.lane]?.inUse -= 1
    if let used = outcome.tokens {
      // The first answer shows what replies are like; until then each is reckoned long.
      let output = max(1, used - permit.input)
      let before = jobs[permit.job]?.largestOutput ?? Self.firstOutput
      jobs[permit.job]?.largestOutput = before == Self.firstOutput ? output : max(before, output)
    }
    let provider = lanes[permit.lane].provider
    for change in lanes[permit.lane].ended(permit, outcome, now: now) {
      history.note(LimitChange(at: now, .model(permit.model), change, by: .program))
    }
    if let change = providers[provider].ended(permit, outcome, downWait: limits.downWait, now: now) {
      if change == .down { for lane in lanes.indices where lanes[lane].provider == provider { lanes[lane].serverWentDown(now: now) } }
      history.note(LimitChange(at: now, .provider(providers[provider].name), change, by: .program))
    }
    if jobs.count > 32 { jobs = jobs.filter { !$0.value.isIdle } }
  }

  // MARK: live changes

  /// Runs a change that somebody makes: with it is written down how many rows of each job are launched.
  mutating func counting(_ rows: [JobID: Int], _ body: (inout LimiterState) -> Void) {
    self.rows = rows
    body(&self)
    self.rows = [:]
  }

  mutating func configure(_ new: Limits, by author: ChangeAuthor, now: Duration) {
    let old = limits
    if old == new { return }
    limits = new
    budget.limit = new.tokenBudget
    for lane in lanes.indices { lanes[lane].configure(new, now: now) }
    for provider in providers.indices { providers[provider].configure(new) }
    note("concurrency", old.width.words, new.width.words, .session, author, now)
    noteRates(old.unnamed, new.unnamed, .session, author, now)
    note("token budget", words(old.tokenBudget), words(new.tokenBudget), .session, author, now)
    for name in Set(old.places.keys).union(new.places.keys).sorted() {
      let place = ModelName(name).map(LimitChange.Place.model) ?? .provider(name)
      noteRates(old.places[name] ?? .none, new.places[name] ?? .none, place, author, now)
    }
    if old.width != new.width { noteMachine(now) }
  }

  private mutating func note(
    _ name: String, _ from: String, _ to: String, _ place: LimitChange.Place, _ author: ChangeAuthor, _ now: Duration
  ) {
    if from != to { history.note(LimitChange(at: now, place, .set(name: name, from: from, to: to), by: author, rows: rows)) }
  }

  private mutating func noteRates(
    _ old: Limits.Own, _ new: Limits.Own, _ place: LimitChange.Place, _ author: ChangeAuthor, _ now: Duration
  ) {
    let none = if case .job = place { "no cap" } else { "off" }
    note("concurrency", old.concurrency.map(String.init) ?? none, new.concurrency.map(String.init) ?? none, place, author, now)
    note("rps", words(old.requestsPerSecond), words(new.requestsPerSecond), place, author, now)
    note("rpm", words(old.requestsPerMinute), words(new.requestsPerMinute), place, author, now)
    note("tpm", words(old.tokensPerMinute), words(new.tokensPerMinute), place, author, now)
  }

  private func words(_ limit: Int?) -> String { limit.map(String.init) ?? "off" }

  mutating func set(_ own: Limits.Own, for job: JobID, by author: ChangeAuthor, now: Duration) {
    let before = jobs[job]?.floor.own ?? .none
    jobs[job, default: Queue()].floor.configure(own)
    noteRates(before, own, .job(job), author, now)
  }

  func own(of job: JobID) -> Limits.Own { jobs[job]?.floor.own ?? .none }

  mutating func setPaused(_ paused: Bool, _ job: JobID, reason: String?, by author: ChangeAuthor, now: Duration) {
    guard jobs[job]?.isPaused ?? false != paused else { return }
    jobs[job, default: Queue()].isPaused = paused
    history.note(LimitChange(at: now, .job(job), paused ? .paused(reason) : .resumed, by: author, rows: rows))
  }

  mutating func note(_ change: LimitChange) { history.note(change) }

  // MARK: asked by those who watch

  /// The limit that holds for a job now: of the session or, where they bear less, of the lanes and providers that the job uses; at most
  /// its own.
  func limit(of job: JobID) -> Int {
    let queue = jobs[job]
    var limit = width
    if case .adaptive(let range) = limits.width { limit = AdaptiveLimit(range).limit }
    if let lines = queue?.lines, !lines.isEmpty {
      var ofProviders: [Int: Int] = [:]
      for lane in lines.keys {
        let provider = lanes[lane].provider
        let own = lanes[lane].limit ?? .max
        let sum = (ofProviders[provider] ?? 0).addingReportingOverflow(own)
        ofProviders[provider] = min(sum.overflow ? .max : sum.partialValue, providers[provider].floor.own.concurrency ?? .max)
      }
      let all = ofProviders.values.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
      limit = if case .adaptive = limits.width { min(width, all) } else { min(limit, all) }
    }
    return min(limit, mostStreams, queue?.floor.own.concurrency ?? .max)
  }

  /// The lanes before which a job's calls wait, and why.
  mutating func shutLanes(of job: JobID, now: Duration) -> [LaneShut] {
    guard let queue = jobs[job] else { return [] }
    return queue.lines.keys.sorted().compactMap { lane in
      guard let head = queue.lines[lane]?.head else { return nil }
      return shut(lane, for: amount(head, of: queue, lane), now)
    }
  }

  /// Why nothing goes to a model now; nil where something does.
  mutating func shut(_ model: ModelName, now: Duration) -> LaneShut? {
    guard let lane = laneNumbers[model] else { return nil }
    return shut(lane, for: 0, now)
  }

  private mutating func shut(_ lane: Int, for amount: Int, _ now: Duration) -> LaneShut? {
    let ofProvider = providers[lanes[lane].provider].shut(for: amount, now: now)
    if case .down? = ofProvider?.reason { return ofProvider }
    return lanes[lane].shut(for: amount, now: now) ?? ofProvider
  }

  /// What is known of the lanes that a job uses; of all where there is none.
  func laneStandings(of job: JobID?) -> [LaneStanding] {
    let used = job.flatMap { jobs[$0]?.lines.keys.sorted() } ?? Array(lanes.indices)
    return used.map { lane in
      let waiting = jobs.values.reduce(0) { $0 + ($1.lines[lane]?.count ?? 0) }
      return LaneStanding(
        model: lanes[lane].model, inUse: lanes[lane].inUse, limit: lanes[lane].limit, learnedRate: lanes[lane].pace.rate,
        own: lanes[lane].floor.own, ofProvider: providers[lanes[lane].provider].floor.own, waiting: waiting,
        windows: lanes[lane].windows.last)
    }
  }

  func waitsForServer(of permit: Permit) -> Bool { providers[lanes[permit.lane].provider].outage.since != nil }

  // MARK: granting

  private enum Opening {
    case at(Duration)
    /// Only the end of another call can tell.
    case later
    case spent
  }

  private mutating func opening(_ waiter: Waiter, of job: JobID, _ lane: Int, _ now: Duration) -> Opening {
    let provider = lanes[lane].provider
    let amount = amount(waiter, of: jobs[job], lane)
    switch budget.room(for: amount) {
    case .enough: break
    case .later: return .later
    case .spent: return .spent
    }
    guard let ofProvider = providers[provider].opens(for: amount, now: now), let own = lanes[lane].opens(for: amount, now: now) else {
      return .later
    }
    var moment = max(ofProvider, own)
    if let ofJob = jobs[job]?.floor.opens(for: amount, now: now) { moment = max(moment, ofJob) }
    return .at(moment)
  }

  /// What keeps a call out for longer than it would wait: the server's own word, or its absence.
  private func shut(_ waiter: Waiter, of queue: Queue, _ lane: Int, _ now: Duration) -> LaneShut? {
    let provider = providers[lanes[lane].provider]
    if let gaveUp = provider.outage.gaveUpAt, waiter.since < gaveUp {
      return LaneShut(name: provider.name, until: nil, reason: .down(since: waiter.since))
    }
    guard let patience = waiter.patience else { return nil }
    guard let shut = lanes[lane].isShut(for: amount(waiter, of: queue, lane), now: now), let until = shut.until else { return nil }
    return until - now > patience ? shut : nil
  }

  /// The tokens that are set aside for a call, where somebody counts them.
  private func amount(_ waiter: Waiter, of queue: Queue?, _ lane: Int) -> Int {
    guard
      limits.tokenBudget != nil || lanes[lane].countsTokens || providers[lanes[lane].provider].floor.countsTokens
        || queue?.floor.countsTokens ?? false
    else { return 0 }
    let amount = waiter.amount
    if let output = amount.output { return amount.input + output }
    // A guess at the reply's length does not keep a call from what is left: it takes all of that, and others wait to see.
    let guess = amount.input + (queue?.largestOutput ?? Self.firstOutput)
    if let left = budget.left, guess > left, left > amount.input { return left }
    return guess
  }

  private mutating func grant(_ job: JobID, _ lane: Int, _ waiter: Waiter, _ now: Duration) -> Permit {
    let amount = amount(waiter, of: jobs[job], lane)
    let provider = lanes[lane].provider
    if limits.tokenBudget != nil { budget.reserve(amount) }
    inUse += 1
    grants += 1
    let jobEntry = jobs[job, default: Queue()].floor.take(amount, now: now)
    jobs[job]?.lastGrant = grants
    if let output = waiter.amount.output {
      let before = jobs[job]?.largestOutput ?? Self.firstOutput
      jobs[job]?.largestOutput = max(before == Self.firstOutput ? 0 : before, output)
    }
    jobs[job]?.lines[lane, default: Line()].isShut = false
    jobs[job]?.lines[lane]?.inUse += 1
    jobs[job]?.lines[lane]?.lastGrant = grants
    if let row = waiter.row { uncount(row) }
    return Permit(
      job: job, lane: lane, model: lanes[lane].model, granted: now, tokens: amount, input: waiter.amount.input, jobEntry: jobEntry,
      providerEntry: providers[provider].floor.take(amount, now: now), taken: lanes[lane].take(amount, now: now),
      looksForServer: providers[provider].outage.took(), isBudgeted: limits.tokenBudget != nil)
  }

  /// Who comes first: the job with the fewest permits, in turn; of its lanes the one with the fewest, in turn.
  private typealias Order = (jobInUse: Int, jobGrant: Int, laneInUse: Int, laneGrant: Int)

  /// Grants whatever can be granted now.
  mutating func grantWaiting(now: Duration) -> Effects {
    var effects = Effects()
    dismissShutOut(&effects, now)
    while inUse < width {
      effects.opening = nil
      var next: (job: JobID, lane: Int, order: Order)?
      var isSpent = false
      // Jobs are few: a look at each is cheaper than keeping them sorted.
      search: for (job, queue) in jobs where queue.mayTake {
        for (lane, line) in queue.lines {
          guard let head = line.head else { continue }
          switch opening(head, of: job, lane, now) {
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
          let order = (queue.inUse, queue.lastGrant, line.inUse, line.lastGrant)
          if let best = next?.order, best <= order { continue }
          next = (job, lane, order)
        }
      }
      if isSpent { continue }
      guard let (job, lane, _) = next, let head = jobs[job]?.lines[lane]?.head else { break }
      jobs[job]?.lines[lane]?.pop()
      effects.granted.append((head.id, grant(job, lane, head, now)))
    }
    for (job, queue) in jobs where !queue.beginning.isEmpty {
      for (id, group, lane) in queue.beginning where mayBegin(group, lane) {
        jobs[job]?.beginning.removeAll { $0.id == id }
        effects.begun.append((id, admit(group, lane)))
      }
    }
    return effects
  }

  /// Those whose lane is shut for longer than they would wait.
  private mutating func dismissShutOut(_ effects: inout Effects, _ now: Duration) {
    for (job, queue) in jobs {
      for (lane, line) in queue.lines where line.isShut {
        while let head = jobs[job]?.lines[lane]?.head, let shut = shut(head, of: queue, lane, now) {
          jobs[job]?.lines[lane]?.pop()
          effects.shut.append((head.id, shut))
        }
      }
    }
  }
}
