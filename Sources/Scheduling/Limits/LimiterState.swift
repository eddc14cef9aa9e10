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

  private typealias Waiter = JobQueue.Waiter

  private(set) var limits: Limits
  private(set) var inUse = 0
  private(set) var budget = TokenBudget()
  private(set) var history = LimitHistory()
  /// Launched rows of each job, while a change is being made.
  private var rows: [JobID: Int] = [:]
  private(set) var lanes: [Lane] = []
  private(set) var providers: [ProviderFloor] = []
  /// Jobs are few: a look at each is cheaper than keeping them sorted, or hashed.
  private var queues: [JobQueue] = []
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

  /// - Parameters:
  ///   - refused: when the call was first refused: what it waited since counts.
  ///   - patience: a server that lets nothing through for longer than this is not waited for; nil for however long.
  mutating func acquire(
    _ job: JobID, lane model: ModelName, _ turn: Turn, _ amount: CallAmount = CallAmount(input: 0, output: 0), row: BegunRow? = nil,
    refused: Duration? = nil, patience: Duration? = nil, now: Duration
  ) -> Request {
    let queue = place(of: job)
    if turn == .fresh, queues[queue].isStopped { return .stopped }
    let lane = number(of: model)
    let line = queues[queue].place(of: lane)
    var waiter = Waiter(id: 0, amount: amount, row: row, isFresh: turn == .fresh, since: now, refused: refused, patience: patience)
    if queues[queue].lines[line].isEmpty {
      if let shut = shut(waiter, of: queue, lane, now) {
        if case .refusing(_, let since) = shut.reason { noteRefusing(queue, lane, shut, since, now) }
        return .shut(shut)
      }
      if inUse < width, queues[queue].mayTake {
        // Whoever else waits while there is width is paused, capped or before a shut lane: he is passed by.
        switch opening(waiter, of: queue, lane, now) {
        case .at(let moment) where moment <= now: return .granted(grant(queue, line, waiter, now))
        case .spent: return .spent
        case .at, .later: queues[queue].lines[line].isShut = true
        }
      }
    }
    nextWaiter += 1
    waiter.id = nextWaiter
    if turn == .continuing {
      queues[queue].lines[line].continuing.append(waiter)
    } else {
      queues[queue].lines[line].fresh.append(waiter)
    }
    return .queued(nextWaiter)
  }

  /// Jobs that are over are forgotten, those too whose rows never asked for a permit.
  private mutating func forgetIdle() {
    if queues.count > 32 { queues.removeAll(where: \.isIdle) }
  }

  /// The index of a job's queue; nil where it has none.
  private func queue(of job: JobID) -> Int? {
    for index in queues.indices where queues[index].job == job { return index }
    return nil
  }

  /// The same; one is made where there is none.
  private mutating func place(of job: JobID) -> Int {
    if let index = queue(of: job) { return index }
    queues.append(JobQueue(job: job))
    return queues.count - 1
  }

  private mutating func number(of model: ModelName) -> Int {
    if let number = known(model) { return number }
    let provider = providers.firstIndex { $0.name == model.provider } ?? providers.count
    if provider == providers.count { providers.append(ProviderFloor(model.provider, limits)) }
    lanes.append(Lane(model, provider: provider, limits))
    return lanes.count - 1
  }

  /// Models are few, too, and two names are mostly told apart, or found the same, without a look at their bytes.
  private func known(_ model: ModelName) -> Int? {
    for lane in lanes.indices where lanes[lane].model == model { return lane }
    return nil
  }

  /// Takes a waiter out of the queue; false if he has been answered already.
  mutating func cancel(_ waiter: WaiterID, of job: JobID) -> Bool {
    guard let queue = queue(of: job) else { return false }
    if let index = queues[queue].beginning.firstIndex(where: { $0.id == waiter }) {
      queues[queue].beginning.remove(at: index)
      return true
    }
    for line in queues[queue].lines.indices where queues[queue].lines[line].remove(waiter) { return true }
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
    let queue = place(of: group.job.id)
    if isStopped(group, queue) { return nil }
    let lane = number(of: model)
    return mayBegin(group, queue, lane) ? admit(group, queue, lane) : nil
  }

  /// - Parameter model: whom its first call will ask for, where that is known.
  mutating func begin(_ group: RowGroup, for model: ModelName? = nil) -> Beginning {
    let queue = place(of: group.job.id)
    if isStopped(group, queue) { return .stopped }
    let lane = model.map { number(of: $0) }
    if mayBegin(group, queue, lane) { return .begun(admit(group, queue, lane)) }
    nextWaiter += 1
    let beginner = JobQueue.Beginner(id: nextWaiter, group: group, lane: lane)
    if group.parent == nil {
      queues[queue].beginning.append(beginner)
    } else {
      queues[queue].beginning.prepend(beginner)
    }
    return .queued(nextWaiter)
  }

  private func isStopped(_ group: RowGroup, _ queue: Int) -> Bool {
    group.isStopped.load(ordering: .relaxed) || group.parent == nil && queues[queue].isStopped
  }

  /// A pipeline begins no more rows: those who wait for that.
  mutating func stop(_ group: RowGroup) -> [WaiterID] {
    group.isStopped.store(true, ordering: .relaxed)
    guard let queue = queue(of: group.job.id) else { return [] }
    let withdrawn = queues[queue].beginning.filter { $0.group === group }.map(\.id)
    queues[queue].beginning.removeAll { $0.group === group }
    return withdrawn
  }

  /// A row is over, or will send nothing more.
  mutating func ended(_ row: BegunRow) {
    row.group.underWay.wrappingSubtract(1, ordering: .relaxed)
    uncount(row)
    forgetIdle()
  }

  /// A job begins nothing new: those who wait for that.
  mutating func withdrawFresh(of job: JobID) -> [WaiterID] {
    let queue = place(of: job)
    queues[queue].isStopped = true
    var withdrawn = queues[queue].beginning.filter { $0.group.parent == nil }.map(\.id)
    queues[queue].beginning.removeAll { $0.group.parent == nil }
    for line in queues[queue].lines.indices {
      withdrawn += queues[queue].lines[line].fresh.filter(\.isFresh).map(\.id)
      queues[queue].lines[line].fresh.removeAll(where: \.isFresh)
    }
    return withdrawn
  }

  /// Nothing more is sent: all who wait.
  mutating func withdrawAll() -> [WaiterID] {
    var withdrawn: [WaiterID] = []
    for queue in queues.indices {
      withdrawn += queues[queue].beginning.map(\.id)
      queues[queue].beginning.removeAll()
      for line in queues[queue].lines.indices {
        withdrawn += (queues[queue].lines[line].continuing + queues[queue].lines[line].fresh).map(\.id)
        queues[queue].lines[line].continuing.removeAll()
        queues[queue].lines[line].fresh.removeAll()
      }
    }
    return withdrawn
  }

  /// A row begins where a permit is free. A pipeline with no row under way may always begin one: the rows around it wait for it.
  private func mayBegin(_ group: RowGroup, _ queue: Int, _ lane: Int?) -> Bool {
    if queues[queue].isPaused { return false }
    if group.underWay.load(ordering: .relaxed) == 0 { return true }
    guard let lane else {
      return queues[queue].unsent - min(queues[queue].shutOut, Self.mostShutOut) < Self.ahead + free(for: queue)
    }
    // One row stands before each lane; the others are not even rendered, but for those that can go at once.
    guard let line = queues[queue].index(of: lane) else { return true }
    let unsent = queues[queue].lines[line].unsent
    if unsent < 1 { return true }
    if queues[queue].lines[line].isShut { return false }
    let free = free(for: queue)
    let room = min(free, max(0, (lanes[lane].limit ?? .max) - lanes[lane].inUse))
    return unsent < room && queues[queue].unsent + queues[queue].unsentForLanes < free
  }

  /// Permits that a job could have at once.
  private func free(for queue: Int) -> Int { max(0, min(width - inUse, limit(ofQueue: queue) - queues[queue].inUse)) }

  private mutating func admit(_ group: RowGroup, _ queue: Int, _ lane: Int?) -> BegunRow {
    group.underWay.wrappingAdd(1, ordering: .relaxed)
    if let lane {
      let line = queues[queue].place(of: lane)
      queues[queue].lines[line].unsent += 1
    } else {
      queues[queue].unsent += 1
    }
    return BegunRow(group, lane: lane)
  }

  /// It, and the rows around it, count no more.
  private mutating func uncount(_ row: BegunRow) {
    var next: BegunRow? = row
    while let row = next, row.counts.exchange(false, ordering: .relaxed) {
      if let queue = queue(of: row.group.job.id) {
        if let lane = row.lane {
          if let line = queues[queue].index(of: lane) { queues[queue].lines[line].unsent -= 1 }
        } else {
          queues[queue].unsent -= 1
        }
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
    if let queue = queue(of: permit.job) {
      queues[queue].floor.ended(permit.jobEntry, used: outcome.tokens)
      if let line = queues[queue].index(of: permit.lane) { queues[queue].lines[line].inUse -= 1 }
      if let used = outcome.tokens {
        // The first answer shows what replies are like; until then each is reckoned long.
        let output = max(1, used - permit.input)
        let before = queues[queue].largestOutput
        queues[queue].largestOutput = before == JobQueue.firstOutput ? output : max(before, output)
      }
    }
    let provider = lanes[permit.lane].provider
    for change in lanes[permit.lane].ended(permit, outcome, now: now) {
      history.note(LimitChange(at: now, .model(permit.model), change, by: .program))
      if case .silent = change { hasQuiet = true }
    }
    if let change = providers[provider].ended(permit, outcome, downWait: limits.downWait, now: now) {
      if change == .down {
        hasQuiet = true
        for lane in lanes.indices where lanes[lane].provider == provider { lanes[lane].serverWentDown(now: now) }
      }
      history.note(LimitChange(at: now, .provider(providers[provider].name), change, by: .program))
    }
    forgetIdle()
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
    let queue = place(of: job)
    let before = queues[queue].floor.own
    queues[queue].floor.configure(own)
    noteRates(before, own, .job(job), author, now)
  }

  func own(of job: JobID) -> Limits.Own { queue(of: job).map { queues[$0].floor.own } ?? .none }

  mutating func setPaused(_ paused: Bool, _ job: JobID, reason: String?, by author: ChangeAuthor, now: Duration) {
    let queue = place(of: job)
    guard queues[queue].isPaused != paused else { return }
    queues[queue].isPaused = paused
    if !paused { queues[queue].resumedAt = now }
    history.note(LimitChange(at: now, .job(job), paused ? .paused(reason) : .resumed, by: author, rows: rows))
  }

  mutating func note(_ change: LimitChange) { history.note(change) }

  // MARK: asked by those who watch

  /// The limit that holds for a job now: of the session or, where they bear less, of the lanes and providers that the job uses; at most
  /// its own.
  func limit(of job: JobID) -> Int { queue(of: job).map { limit(ofQueue: $0) } ?? min(startingWidth, mostStreams) }

  /// The session's; with `auto` what a lane begins at.
  private var startingWidth: Int { if case .adaptive(let range) = limits.width { AdaptiveLimit(range).limit } else { width } }

  private func limit(ofQueue queue: Int) -> Int {
    var limit = startingWidth
    if !queues[queue].lines.isEmpty {
      let all = limitOfLanes(queue)
      limit = if case .adaptive = limits.width { min(width, all) } else { min(limit, all) }
    }
    return min(limit, mostStreams, queues[queue].floor.own.concurrency ?? .max)
  }

  /// What the lanes that a job uses bear together, those of one provider no more than that bears.
  private func limitOfLanes(_ queue: Int) -> Int {
    if queues[queue].lines.count == 1 {
      let lane = queues[queue].lines[0].lane
      return min(lanes[lane].limit ?? .max, providers[lanes[lane].provider].floor.own.concurrency ?? .max)
    }
    var sums: [Int: Int] = [:]
    for line in queues[queue].lines {
      let provider = lanes[line.lane].provider
      let sum = (sums[provider] ?? 0).addingReportingOverflow(lanes[line.lane].limit ?? .max)
      sums[provider] = min(sum.overflow ? .max : sum.partialValue, providers[provider].floor.own.concurrency ?? .max)
    }
    return sums.values.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
  }

  /// The lanes before which a job's calls wait, and why.
  mutating func shutLanes(of job: JobID, now: Duration) -> [LaneShut] {
    guard let queue = queue(of: job) else { return [] }
    return queues[queue].lines.sorted { $0.lane < $1.lane }.compactMap { line in
      // One that looks whether a server says anything waits itself.
      guard let head = line.head else { return line.inUse > 0 ? lanes[line.lane].silent : nil }
      return shut(line.lane, for: amount(head, of: queue, line.lane), now)
    }
  }

  /// Why nothing goes to a model now; nil where something does.
  mutating func shut(_ model: ModelName, now: Duration) -> LaneShut? {
    guard let lane = known(model) else { return nil }
    return shut(lane, for: 0, now)
  }

  private mutating func shut(_ lane: Int, for amount: Int, _ now: Duration) -> LaneShut? {
    let ofProvider = providers[lanes[lane].provider].shut(for: amount, now: now)
    if case .down? = ofProvider?.reason { return ofProvider }
    return lanes[lane].shut(for: amount, now: now) ?? ofProvider
  }

  /// What is known of the lanes that a job uses; of all where there is none.
  func laneStandings(of job: JobID?) -> [LaneStanding] {
    let used = job.flatMap { queue(of: $0) }.map { queues[$0].lines.map(\.lane).sorted() } ?? Array(lanes.indices)
    return used.map { lane in
      let waiting = queues.reduce(0) { sum, queue in sum + (queue.index(of: lane).map { queue.lines[$0].count } ?? 0) }
      return LaneStanding(
        model: lanes[lane].model, inUse: lanes[lane].inUse, limit: lanes[lane].limit, silent: lanes[lane].silent,
        learnedRate: lanes[lane].pace.rate,
        own: lanes[lane].floor.own, ofProvider: providers[lanes[lane].provider].floor.own, waiting: waiting,
        windows: lanes[lane].windows.last)
    }
  }

  /// Whether a call that got no word goes again without using up a try, as soon as its lane lets it: where its server is known to speak.
  func waitsForServer(of permit: Permit) -> Bool {
    if providers[lanes[permit.lane].provider].outage.since != nil { return true }
    return limits.downWait != nil && lanes[permit.lane].silence.standing != nil && lanes[permit.lane].hasSpoken
  }

  // MARK: granting

  private enum Opening {
    case at(Duration)
    /// Only the end of another call can tell.
    case later
    case spent
  }

  private mutating func opening(_ waiter: Waiter, of queue: Int, _ lane: Int, _ now: Duration) -> Opening {
    let provider = lanes[lane].provider
    let amount = amount(waiter, of: queue, lane)
    switch budget.room(for: amount) {
    case .enough: break
    case .later: return .later
    case .spent: return .spent
    }
    guard let ofProvider = providers[provider].opens(for: amount, now: now), let own = lanes[lane].opens(for: amount, now: now) else {
      return .later
    }
    return .at(max(ofProvider, own, queues[queue].floor.opens(for: amount, now: now)))
  }

  /// What keeps a call out for longer than it would wait: the server's own word, or its absence.
  private func shut(_ waiter: Waiter, of queue: Int, _ lane: Int, _ now: Duration) -> LaneShut? {
    let provider = lanes[lane].provider
    let resumed = queues[queue].resumedAt
    if let gaveUp = providers[provider].outage.gaveUp, waiter.since < gaveUp.at, resumed <= gaveUp.at {
      return LaneShut(name: providers[provider].name, until: nil, reason: .down(since: gaveUp.since))
    }
    if let shut = lanes[lane].givenUp.shut(queues[queue].job, resumed: resumed) { return shut }
    guard let patience = waiter.patience else { return nil }
    if let ends = runsOut(waiter, of: queue, lane), ends <= now { return lanes[lane].refusing }
    guard let shut = lanes[lane].isShut(for: amount(waiter, of: queue, lane), now: now), let until = shut.until else { return nil }
    return until - now > patience ? shut : nil
  }

  /// The moment from which it waits no longer for a lane that refuses every call.
  private func runsOut(_ waiter: Waiter, of queue: Int, _ lane: Int) -> Duration? {
    guard let patience = waiter.patience else { return nil }
    return lanes[lane].runsOut(waiting: max(waiter.refused ?? waiter.since, queues[queue].resumedAt), patience: patience)
  }

  /// The tokens that are set aside for a call, where somebody counts them.
  private func amount(_ waiter: Waiter, of queue: Int, _ lane: Int) -> Int {
    guard
      limits.tokenBudget != nil || lanes[lane].countsTokens || providers[lanes[lane].provider].floor.countsTokens
        || queues[queue].floor.countsTokens
    else { return 0 }
    let amount = waiter.amount
    if let output = amount.output { return amount.input + output }
    // A guess at the reply's length does not keep a call from what is left: it takes all of that, and others wait to see.
    let guess = amount.input + queues[queue].largestOutput
    if let left = budget.left, guess > left, left > amount.input { return left }
    return guess
  }

  private mutating func grant(_ queue: Int, _ line: Int, _ waiter: Waiter, _ now: Duration) -> Permit {
    let lane = queues[queue].lines[line].lane
    let amount = amount(waiter, of: queue, lane)
    let provider = lanes[lane].provider
    if limits.tokenBudget != nil { budget.reserve(amount) }
    inUse += 1
    grants += 1
    let jobEntry = queues[queue].floor.take(amount, now: now)
    queues[queue].lastGrant = grants
    if let output = waiter.amount.output {
      let before = queues[queue].largestOutput
      queues[queue].largestOutput = max(before == JobQueue.firstOutput ? 0 : before, output)
    }
    queues[queue].lines[line].isShut = false
    queues[queue].lines[line].inUse += 1
    queues[queue].lines[line].lastGrant = grants
    if let row = waiter.row { uncount(row) }
    let look = providers[provider].outage.took(lanes[lane].activity, now: now)
    return Permit(
      job: queues[queue].job, lane: lane, model: lanes[lane].model, granted: now, tokens: amount, input: waiter.amount.input,
      jobEntry: jobEntry,
      providerEntry: providers[provider].floor.take(amount, now: now), taken: lanes[lane].take(amount, now: now),
      looksForServer: look != nil, isBudgeted: limits.tokenBudget != nil, activity: look ?? lanes[lane].activity)
  }

  /// Who comes first: the job with the fewest permits, in turn; of its lanes the one with the fewest, in turn.
  private typealias Order = (jobInUse: Int, jobGrant: Int, laneInUse: Int, laneGrant: Int)

  /// Grants whatever can be granted now.
  mutating func grantWaiting(now: Duration) -> Effects {
    var effects = Effects()
    if hasQuiet { glance(now) }
    dismissShutOut(&effects, now)
    while inUse < width {
      switch next(&effects, now) {
      case .grant(let queue, let line, let head):
        queues[queue].lines[line].pop()
        effects.granted.append((head.id, grant(queue, line, head, now)))
        continue
      case .spent(let queue, let line, let head):
        queues[queue].lines[line].pop()
        effects.spent.append(head.id)
        continue
      case nil: break
      }
      break
    }
    beginWaiting(&effects)
    return effects
  }

  private enum Next {
    case grant(queue: Int, line: Int, Waiter)
    case spent(queue: Int, line: Int, Waiter)
  }

  /// Whose turn it is.
  private mutating func next(_ effects: inout Effects, _ now: Duration) -> Next? {
    effects.opening = nil
    var next: (queue: Int, line: Int, head: Waiter, order: Order)?
    for queue in queues.indices where queues[queue].mayTake {
      for line in queues[queue].lines.indices {
        guard let head = queues[queue].lines[line].head else { continue }
        switch opening(head, of: queue, queues[queue].lines[line].lane, now) {
        case .later:
          queues[queue].lines[line].isShut = true
          continue
        case .spent: return .spent(queue: queue, line: line, head)
        case .at(var moment) where moment > now:
          // Whoever's patience ends before is told then.
          if let ends = runsOut(head, of: queue, queues[queue].lines[line].lane) { moment = min(moment, max(now, ends)) }
          effects.opening = min(effects.opening ?? moment, moment)
          queues[queue].lines[line].isShut = true
          continue
        case .at: break
        }
        let order = (
          queues[queue].inUse, queues[queue].lastGrant, queues[queue].lines[line].inUse, queues[queue].lines[line].lastGrant
        )
        if let best = next?.order, best <= order { continue }
        next = (queue, line, head, order)
      }
    }
    return next.map { .grant(queue: $0.queue, line: $0.line, $0.head) }
  }

  private mutating func beginWaiting(_ effects: inout Effects) {
    for queue in queues.indices where !queues[queue].beginning.isEmpty {
      for beginner in queues[queue].beginning where mayBegin(beginner.group, queue, beginner.lane) {
        queues[queue].beginning.removeAll { $0.id == beginner.id }
        effects.begun.append((beginner.id, admit(beginner.group, queue, beginner.lane)))
      }
    }
  }

  /// Those whose lane is shut for longer than they would wait.
  private mutating func dismissShutOut(_ effects: inout Effects, _ now: Duration) {
    for queue in queues.indices where !queues[queue].isPaused {
      for line in queues[queue].lines.indices {
        let lane = queues[queue].lines[line].lane
        guard queues[queue].lines[line].isShut || !lanes[lane].givenUp.isEmpty else { continue }
        while let head = queues[queue].lines[line].head, let shut = shut(head, of: queue, lane, now) {
          if case .refusing(_, let since) = shut.reason { noteRefusing(queue, lane, shut, since, now) }
          queues[queue].lines[line].pop()
          effects.shut.append((head.id, shut))
        }
      }
    }
  }

  /// A job's rows wait no longer for lanes that say nothing.
  mutating func stopWaiting(_ job: JobID, now: Duration) {
    guard let queue = queue(of: job) else { return }
    for line in queues[queue].lines {
      if let shut = lanes[line.lane].silent { lanes[line.lane].givenUp.insert(job, shut, now: now) }
    }
  }

  /// The rows of a job wait no longer for a lane that refuses every call.
  private mutating func noteRefusing(_ queue: Int, _ lane: Int, _ shut: LaneShut, _ since: Duration, _ now: Duration) {
    let job = queues[queue].job
    if lanes[lane].givenUp.shut(job, resumed: queues[queue].resumedAt) != nil { return }
    lanes[lane].givenUp.insert(job, shut, now: now)
    let change = LimitChange.What.refusedTooLong(after: now - since, lanes[lane].refusal)
    history.note(LimitChange(at: now, .model(lanes[lane].model), change, by: .program))
  }

  /// A provider is down, or a lane says nothing. (Looked at only then.)
  private var hasQuiet = false

  /// Whether something has come meanwhile to a call that looks, or nobody waits any more for it to come.
  private mutating func glance(_ now: Duration) {
    hasQuiet = false
    for provider in providers.indices where providers[provider].outage.since != nil {
      if let change = providers[provider].glance(now: now) {
        history.note(LimitChange(at: now, .provider(providers[provider].name), change, by: .program))
      } else {
        hasQuiet = true
      }
    }
    for lane in lanes.indices where lanes[lane].silence.standing != nil {
      if let change = lanes[lane].glance(now: now) {
        history.note(LimitChange(at: now, .model(lanes[lane].model), change, by: .program))
      } else if let (shut, change) = lanes[lane].silenceEnds(limits.downWait, now: now) {
        history.note(LimitChange(at: now, .model(lanes[lane].model), change, by: .program))
        for queue in queues where queue.index(of: lane) != nil && !queue.isPaused { lanes[lane].givenUp.insert(queue.job, shut, now: now) }
      } else {
        hasQuiet = true
      }
    }
  }
}
