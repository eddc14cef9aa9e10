import Chat
import DequeModule

/// Who may call now: a width for the session, shared by jobs, a floor for each job and each provider, a lane for each model; all of it
/// changeable at any moment. It runs under a clock that is handed in: methods say who is granted what, `Limiter` resumes them. It is a
/// value but for rows that have begun (`BegunRow`, `RowGroup`) and what tells of answers that come (`ReplyActivity`), which it shares with
/// those who run them: a copy of it is for looking, not for trying something out.
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

  typealias Waiter = JobQueue.Waiter

  var limits: Limits
  private(set) var inUse = 0
  var budget = TokenBudget()
  var history = LimitHistory()
  /// Launched rows of each job, while a change is being made.
  var rows: [JobID: Int] = [:]
  var lanes: [Lane] = []
  var providers: [ProviderFloor] = []
  /// Jobs are few: a look at each is cheaper than keeping them sorted, or hashed.
  var queues: [JobQueue] = []
  private var grants = 0
  var nextWaiter = 0

  init(_ limits: Limits) {
    self.limits = limits
    budget.limit = limits.tokenBudget
  }

  /// What the machine carries, where that is known to be little: files that it lets us open.
  var mostStreams = Int.max

  var width: Int { if case .fixed(let width) = limits.width { min(width, mostStreams) } else { mostStreams } }

  /// - Parameter reason: for the history, which tells of it where it is less than what is wanted.
  mutating func setMostStreams(_ most: Int, reason: String, now: Duration) {
    if most == mostStreams { return }
    mostStreams = most
    machine = reason
    noteMachine(now)
  }

  var machine = ""

  mutating func noteMachine(_ now: Duration) {
    switch limits.width {
    case .fixed(let wanted) where wanted > mostStreams:
      history.note(LimitChange(at: now, .session, .machine(wanted: "\(wanted)", most: mostStreams, machine), by: .program))
    case .adaptive(let range) where range.upperBound > mostStreams:
      history.note(LimitChange(at: now, .session, .machine(wanted: limits.width.words, most: mostStreams, machine), by: .program))
    default: break
    }
  }

  // MARK: asking

  enum Request {
    case granted(Permit)
    case queued(WaiterID)
    /// The budget has no room, and nothing in flight can give any back.
    case spent
    /// The job begins nothing new, or tries nothing again.
    case stopped
    /// The server lets nothing through for longer than the call would wait.
    case shut(LaneShut)
  }

  /// Whom a change concerns.
  struct Effects {
    var granted: [(WaiterID, Permit)] = []
    var spent: [WaiterID] = []
    var shut: [(WaiterID, LaneShut)] = []
    /// Their job tries nothing again.
    var stopped: [WaiterID] = []
    /// Who waited to begin a row, and does.
    var begun: [(WaiterID, BegunRow)] = []
    /// When to look again, where somebody waits for a moment and nothing else.
    var opening: Duration?
  }

  /// - Parameters:
  ///   - refused: when the call was first refused: what it waited since counts.
  ///   - patience: a server that lets nothing through for longer than this is not waited for; nil for however long.
  ///   - isRetry: it was sent before, and failed.
  mutating func acquire(
    _ job: JobID, lane model: ModelName, _ turn: Turn, _ amount: CallAmount = CallAmount(input: 0, output: 0), row: BegunRow? = nil,
    refused: Duration? = nil, patience: Duration? = nil, isRetry: Bool = false, now: Duration
  ) -> Request {
    let queue = queueIndex(making: job)
    if turn == .fresh, queues[queue].isStopped { return .stopped }
    if isRetry, queues[queue].triesNoMore { return .stopped }
    let lane = laneIndex(making: model)
    if hasQuiet { asked(lane, now) }
    let line = queues[queue].lineIndex(making: lane)
    if let row { goesOn(row.outermost) }
    var waiter = Waiter(
      id: 0, amount: amount, row: row, isFresh: turn == .fresh, isRetry: isRetry, since: now, refused: refused, patience: patience)
    if queues[queue].lines[line].isEmpty {
      if let shut = shut(waiter, of: queue, lane, now) {
        if case .refusing(_, let since) = shut.reason { noteRefusing(queue, lane, shut, since, now) }
        return .shut(shut)
      }
      if inUse < width, queues[queue].mayTake, !waitsForEnds(waiter, queue, line) {
        // Whoever else waits while there is width is paused, capped or before a shut lane: he is passed by.
        switch opening(waiter, of: queue, lane, now) {
        case .at(let moment) where moment <= now: return .granted(grant(queue, line, waiter, now))
        case .spent: return .spent
        case .at, .later: queues[queue].lines[line].isShut = true
        }
      }
    }
    if queues[queue].triesNoMore, turnsAway(lane, now) { return .stopped }
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
  mutating func forgetIdle() {
    if queues.count > 32 { queues.removeAll(where: \.isIdle) }
  }

  /// A job is over: it is forgotten once nothing of it is left. Until then what it was told holds.
  mutating func over(_ job: JobID) {
    guard let queue = queueIndex(of: job) else { return }
    queues[queue].isOver = true
    forgetIdle()
  }

  /// The index of a job's queue; nil where it has none.
  func queueIndex(of job: JobID) -> Int? {
    for index in queues.indices where queues[index].job == job { return index }
    return nil
  }

  /// The same; one is made where there is none.
  mutating func queueIndex(making job: JobID) -> Int {
    if let index = queueIndex(of: job) { return index }
    queues.append(JobQueue(job: job))
    return queues.count - 1
  }

  mutating func laneIndex(making model: ModelName) -> Int {
    if let index = laneIndex(of: model) { return index }
    let provider = providers.firstIndex { $0.name == model.provider } ?? providers.count
    if provider == providers.count { providers.append(ProviderFloor(model.provider, limits)) }
    lanes.append(Lane(model, provider: provider, limits))
    return lanes.count - 1
  }

  /// Models are few, too, and two names are mostly told apart, or found the same, without a look at their bytes.
  func laneIndex(of model: ModelName) -> Int? {
    for lane in lanes.indices where lanes[lane].model == model { return lane }
    return nil
  }

  /// Takes a waiter out of the queue; false if he has been answered already.
  mutating func cancel(_ waiter: WaiterID, of job: JobID) -> Bool {
    guard let queue = queueIndex(of: job) else { return false }
    if let index = queues[queue].beginning.firstIndex(where: { $0.id == waiter }) {
      queues[queue].beginning.remove(at: index)
      return true
    }
    for line in queues[queue].lines.indices where queues[queue].lines[line].remove(waiter) { return true }
    return false
  }

  // MARK: what a call tells

  /// - Parameter failed: the row whose only call it was, and that has no answer by it.
  /// - Parameter failuresLeft: how many more rows of the job have to fail at least until it stops; nil for never.
  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, failed: BegunRow? = nil, failuresLeft: Int? = nil, now: Duration) {
    var outcome = outcome
    // A server that comes back answers 502 or 503 until its model is there.
    if permit.looksForServer, outcome.isAway { outcome.verdict = .unreachable }
    inUse -= 1
    budget.settle(permit.isBudgeted ? permit.tokens : 0, used: outcome.tokens ?? 0)
    if let queue = queueIndex(of: permit.job) {
      queues[queue].floor.ended(permit.jobEntry, used: outcome.tokens)
      if let line = queues[queue].lineIndex(of: permit.lane) {
        queues[queue].lines[line].inUse -= 1
        if let failed, failed.failedIn.load(ordering: .relaxed) == 0 {
          failed.failedIn.store(permit.lane + 1, ordering: .relaxed)
          queues[queue].lines[line].failed += 1
          queues[queue].failuresLeft = failuresLeft
        }
      }
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
      history.note(LimitChange(at: now, .provider(providers[provider].name), change, by: .program))
      switch change {
      case .down: serverWentDown(provider, now)
      case .gaveUp(let after): nobodyWaits(provider, since: now - after, now)
      default: break
      }
    }
    forgetIdle()
  }

  private mutating func serverWentDown(_ provider: Int, _ now: Duration) {
    hasQuiet = true
    for lane in lanes.indices where lanes[lane].provider == provider {
      guard let change = lanes[lane].serverWentDown(now: now) else { continue }
      history.note(LimitChange(at: now, .model(lanes[lane].model), change, by: .program))
    }
  }

  /// The rows of all jobs that wait for a provider fail, those too that come later.
  private mutating func nobodyWaits(_ provider: Int, since: Duration, _ now: Duration) {
    let shut = LaneShut(name: providers[provider].name, until: nil, reason: .down(since: since))
    for queue in queues where !queue.isPaused && queue.lines.contains(where: { lanes[$0.lane].provider == provider }) {
      providers[provider].givenUp.insert(queue.job, shut, now: now)
    }
  }

  // MARK: granting

  enum Opening {
    case at(Duration)
    /// Only the end of another call can tell.
    case later
    case spent
  }

  mutating func opening(_ waiter: Waiter, of queue: Int, _ lane: Int, _ now: Duration) -> Opening {
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
  func shut(_ waiter: Waiter, of queue: Int, _ lane: Int, _ now: Duration) -> LaneShut? {
    let provider = lanes[lane].provider
    let resumed = queues[queue].resumedAt
    if let shut = providers[provider].givenUp.shut(queues[queue].job, resumed: resumed) { return shut }
    if let shut = lanes[lane].givenUp.shut(queues[queue].job, resumed: resumed) { return shut }
    guard let patience = waiter.patience else { return nil }
    if let ends = runsOut(waiter, of: queue, lane), ends <= now { return lanes[lane].refusing }
    // Reckoned first: an argument that reads the state itself would have the lane copied before.
    let amount = amount(waiter, of: queue, lane)
    guard let shut = lanes[lane].isShut(for: amount, now: now), let until = shut.until else { return nil }
    return until - now > patience ? shut : nil
  }

  /// The moment from which it waits no longer for a lane that refuses every call.
  func runsOut(_ waiter: Waiter, of queue: Int, _ lane: Int) -> Duration? {
    guard let patience = waiter.patience else { return nil }
    let since = max(waiter.refused ?? waiter.since, queues[queue].resumedAt)
    return lanes[lane].runsOut(waiting: since, patience: patience)
  }

  /// The tokens that are set aside for a call, where somebody counts them.
  func amount(_ waiter: Waiter, of queue: Int, _ lane: Int) -> Int {
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

  mutating func grant(_ queue: Int, _ line: Int, _ waiter: Waiter, _ now: Duration) -> Permit {
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
  typealias Order = (jobInUse: Int, jobGrant: Int, laneInUse: Int, laneGrant: Int)

  /// Grants whatever can be granted now.
  mutating func grantWaiting(now: Duration) -> Effects {
    var effects = Effects()
    if hasQuiet {
      noteWhoIsWaitedFor(now)
      glance(now)
    }
    dismissShutOut(&effects, now)
    for queue in queues.indices where queues[queue].triesNoMore { effects.stopped += withdrawTurnedAway(queue, now) }
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

  enum Next {
    case grant(queue: Int, line: Int, Waiter)
    case spent(queue: Int, line: Int, Waiter)
  }

  /// Whose turn it is.
  mutating func next(_ effects: inout Effects, _ now: Duration) -> Next? {
    effects.opening = nil
    var next: (queue: Int, line: Int, head: Waiter, order: Order)?
    for queue in queues.indices where queues[queue].mayTake {
      for line in queues[queue].lines.indices {
        guard let head = queues[queue].lines[line].head else { continue }
        if waitsForEnds(head, queue, line) { continue }
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

  mutating func beginWaiting(_ effects: inout Effects) {
    for queue in queues.indices where !queues[queue].beginning.isEmpty {
      for beginner in queues[queue].beginning where mayBegin(beginner.group, queue, beginner.lane) {
        queues[queue].beginning.removeAll { $0.id == beginner.id }
        effects.begun.append((beginner.id, admit(beginner.group, queue, beginner.lane)))
      }
    }
  }

  /// Those whose lane is shut for longer than they would wait.
  mutating func dismissShutOut(_ effects: inout Effects, _ now: Duration) {
    for queue in queues.indices where !queues[queue].isPaused {
      for line in queues[queue].lines.indices {
        let lane = queues[queue].lines[line].lane
        guard queues[queue].lines[line].isShut || !lanes[lane].givenUp.isEmpty || !providers[lanes[lane].provider].givenUp.isEmpty else {
          continue
        }
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
    guard let queue = queueIndex(of: job) else { return }
    for line in queues[queue].lines {
      if let shut = lanes[line.lane].silent { lanes[line.lane].givenUp.insert(job, shut, now: now) }
    }
  }

  /// The rows of a job wait no longer for a lane that refuses every call.
  mutating func noteRefusing(_ queue: Int, _ lane: Int, _ shut: LaneShut, _ since: Duration, _ now: Duration) {
    let job = queues[queue].job
    if lanes[lane].givenUp.shut(job, resumed: queues[queue].resumedAt) != nil { return }
    lanes[lane].givenUp.insert(job, shut, now: now)
    let change = LimitChange.What.refusedTooLong(after: now - since, lanes[lane].refusal)
    history.note(LimitChange(at: now, .model(lanes[lane].model), change, by: .program))
  }

  /// A provider is down, or a lane says nothing. (Looked at only then.)
  private(set) var hasQuiet = false

  /// Somebody comes who would wait for a lane.
  mutating func asked(_ lane: Int, _ now: Duration) {
    lanes[lane].asked(now: now)
    providers[lanes[lane].provider].outage.asked(now: now)
  }

  /// A call waits between two tries from now on, or does so no more.
  mutating func pauses(_ job: JobID, _ model: ModelName, by change: Int, now: Duration) {
    let queue = queueIndex(making: job)
    let line = queues[queue].lineIndex(making: laneIndex(making: model))
    queues[queue].lines[line].pausing += change
    if hasQuiet { noteWhoIsWaitedFor(now) }
  }

  private mutating func noteWhoIsWaitedFor(_ now: Duration) {
    for lane in lanes.indices { lanes[lane].seen(isWaitedFor: isWaitedFor { $0 == lane }, now: now) }
    for provider in providers.indices {
      let isWaitedFor = isWaitedFor { lanes[$0].provider == provider }
      providers[provider].outage.seen(isWaitedFor: isWaitedFor, now: now)
    }
  }

  private func isWaitedFor(_ isMeant: (Int) -> Bool) -> Bool {
    queues.contains { queue in
      queue.lines.contains { isMeant($0.lane) && ($0.inUse > 0 || !queue.isPaused && (!$0.isEmpty || $0.pausing > 0)) }
    }
  }

  /// Whether something has come meanwhile to a call that looks, or nobody waits any more for it to come.
  mutating func glance(_ now: Duration) {
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
        for queue in queues where queue.lineIndex(of: lane) != nil && !queue.isPaused {
          lanes[lane].givenUp.insert(queue.job, shut, now: now)
        }
      } else {
        hasQuiet = true
      }
    }
  }
}
