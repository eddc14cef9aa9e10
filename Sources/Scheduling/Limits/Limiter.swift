import Chat
import Threads

/// The session's limits, live. `LimiterState` decides; this resumes whom it grants a permit, after unlocking, and wakes it when a
/// rate lets the next call through.
public final class Limiter: Sendable {
  /// What came of asking for a permit.
  public enum Answer: Sendable {
    case granted(Permit)
    /// The task was cancelled, or the job begins nothing new: there is nothing to give back.
    case cancelled
    /// The token budget has no room, and nothing in flight can give any back.
    case spent
    /// The server lets nothing through for longer than the call would wait.
    case shut(LaneShut)
  }

  /// Who is told what came of waiting.
  private enum Waiting {
    case permit(UnsafeContinuation<Answer, Never>)
    case row(UnsafeContinuation<BegunRow?, Never>)
  }

  private enum Resumption {
    case permit(UnsafeContinuation<Answer, Never>, Answer)
    case row(UnsafeContinuation<BegunRow?, Never>, BegunRow?)

    func perform() {
      switch self {
      case .permit(let continuation, let answer): continuation.resume(returning: answer)
      case .row(let continuation, let row): continuation.resume(returning: row)
      }
    }
  }

  /// What came before its waiter waited.
  private enum Early {
    case permit(Answer)
    case row(BegunRow?)
    case withdrawn
  }

  private struct Guarded {
    var state: LimiterState
    var waiting: [LimiterState.WaiterID: Waiting] = [:]
    /// Answered, or cancelled, between taking a place in the queue and waiting there.
    var answeredEarly: [LimiterState.WaiterID: Early] = [:]
    var alarm: (at: Duration, task: Task<Void, Never>)?
    /// Nothing more is sent.
    var isClosed = false
    /// Waits between two tries.
    var pauses: [Int: (job: LimiterState.JobID, wait: Task<Void, any Error>)] = [:]
    var nextPause = 0
  }

  private let guarded: Mutex<Guarded>
  private let time: any Timekeeper

  public init(_ limits: Limits = Limits(), time: any Timekeeper) {
    guarded = Mutex(Guarded(state: LimiterState(limits)))
    self.time = time
  }

  /// Waits for leave to send a call.
  ///
  /// - Parameters:
  ///   - lane: the model it goes to.
  ///   - row: the row whose call it is. Calls of rows that have begun come before those of new rows of their job.
  ///   - refused: when the call was first refused; what it waited since counts against its patience.
  ///   - patience: a server that lets nothing through for longer than this is not waited for; nil for however long.
  ///   - isBehind: it stood in the server's queue for too long: it comes behind those that wait.
  ///   - isRetry: it was sent before, and failed.
  public func acquire(
    _ job: Job, lane: ModelName, _ amount: CallAmount = CallAmount(input: 0, output: 0), row: BegunRow? = nil, refused: Duration? = nil,
    patience: Duration? = nil, isBehind: Bool = false, isRetry: Bool = false
  ) async -> Answer {
    if Task.isCancelled { return .cancelled }
    let waiter: LimiterState.WaiterID
    switch request(job, lane, amount, row, refused, patience, isBehind, isRetry) {
    case .granted(let permit): return .granted(permit)
    case .spent: return .spent
    case .stopped: return .cancelled
    case .shut(let shut): return .shut(shut)
    case .queued(let id): waiter = id
    }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let early = guarded.withLock { guarded -> Early? in
          if let early = guarded.answeredEarly.removeValue(forKey: waiter) { return early }
          guarded.waiting[waiter] = .permit(continuation)
          return nil
        }
        guard let early else { return }
        if case .permit(let answer) = early { continuation.resume(returning: answer) } else { continuation.resume(returning: .cancelled) }
      }
    } onCancel: {
      withdraw(waiter, of: job)
    }
  }

  /// Asks for leave; says whether it is there at once, and if not, who waits.
  @inline(never)  // else it stands in the frame of whoever waits
  private func request(
    _ job: Job, _ lane: ModelName, _ amount: CallAmount, _ row: BegunRow?, _ refused: Duration?, _ patience: Duration?, _ isBehind: Bool,
    _ isRetry: Bool
  ) -> LimiterState.Request {
    let now = time.now
    let turn: LimiterState.Turn = row?.isFresh ?? false ? .fresh : isBehind ? .behind : .continuing
    let (request, resumptions) = guarded.withLock { guarded -> (LimiterState.Request, [Resumption]) in
      if guarded.isClosed { return (.stopped, []) }
      let leavesPlace = row?.outermost.failedIn.load(ordering: .relaxed) ?? 0 != 0
      let request = guarded.state.acquire(
        job.id, lane: lane, turn, amount, row: row, refused: refused, patience: patience, isRetry: isRetry, now: now)
      // It may wait for a moment, not for a call's end; or rows around the one that sends now count no more; or the place of a row whose
      // call failed is anybody's now.
      if case .granted = request, row?.group.parent == nil, !leavesPlace { return (request, []) }
      return (request, settle(&guarded, now))
    }
    for resumption in resumptions { resumption.perform() }
    return request
  }

  /// Gives a permit back, with what came of its call.
  ///
  /// - Parameters:
  ///   - failed: the row whose call failed: where it may be the one that stops its job, no new row takes its place before it goes on or
  ///     ends.
  ///   - failuresLeft: how many more rows have to fail at least until the job stops; nil for never.
  public func release(_ permit: Permit, _ outcome: CallOutcome = .unused, failed: BegunRow? = nil, failuresLeft: Int? = nil) {
    let row = failed.flatMap { $0.hasOneCall ? $0.outermost : nil }
    change { $0.ended(permit, outcome, failed: row, failuresLeft: failuresLeft, now: $1) }
  }

  /// Waits until a row more of a pipeline may begin; nil where the task is cancelled or the job begins nothing new.
  ///
  /// - Parameter model: whom its first call will ask for, where that is known: rows for others do not count then.
  public func begin(_ group: RowGroup, for model: ModelName? = nil) async -> BegunRow? {
    if Task.isCancelled { return nil }
    let waiter: LimiterState.WaiterID
    switch guarded.withLock({ $0.isClosed ? .stopped : $0.state.begin(group, for: model) }) {
    case .begun(let row): return row
    case .stopped: return nil
    case .queued(let id): waiter = id
    }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let early = guarded.withLock { guarded -> Early? in
          if let early = guarded.answeredEarly.removeValue(forKey: waiter) { return early }
          guarded.waiting[waiter] = .row(continuation)
          return nil
        }
        guard let early else { return }
        if case .row(let row) = early { continuation.resume(returning: row) } else { continuation.resume(returning: nil) }
      }
    } onCancel: {
      withdraw(waiter, of: group.job)
    }
  }

  /// The same for a row that may begin now; nil where it would have to wait.
  public func beginNow(_ group: RowGroup, for model: ModelName) -> BegunRow? {
    guarded.withLock { $0.isClosed ? nil : $0.state.beginNow(group, for: model) }
  }

  /// A row is over.
  public func end(_ row: BegunRow) {
    change { state, _ in state.ended(row) }
  }

  /// A job begins nothing new from now on: whoever waits for that is told.
  public func stopFresh(_ job: Job) {
    let resumptions = guarded.withLock { guarded in
      guarded.state.withdrawFresh(of: job.id).compactMap { self.resumption(of: $0, as: .withdrawn, &guarded) }
    }
    for resumption in resumptions { resumption.perform() }
    if job.isOver { forget(job.id) }
  }

  /// A job is over: what was said of it is of no more use.
  public func forget(_ job: Int) { guarded.withLock { $0.state.over(job) } }

  /// Nothing more is sent, by any job that there is or will be: whoever waits for leave, or between two tries, is told. What is in
  /// flight goes on.
  public func close() {
    let (resumptions, pauses) = guarded.withLock { guarded in
      guarded.isClosed = true
      let told = guarded.state.withdrawAll().compactMap { self.resumption(of: $0, as: .withdrawn, &guarded) }
      defer { guarded.pauses = [:] }
      return (told, Array(guarded.pauses.values))
    }
    for resumption in resumptions { resumption.perform() }
    for pause in pauses { pause.wait.cancel() }
  }

  /// A job sends nothing again: whoever waits between two tries, or for a server that is silent, away or refuses, is told. What is in
  /// flight goes on, and so do the next calls of rows that have begun, also those that wait for a rate or a place.
  public func stopTrying(_ job: Job) {
    let now = time.now
    let (resumptions, pauses) = guarded.withLock { guarded in
      let told = guarded.state.stopTrying(job.id, now: now).compactMap { self.resumption(of: $0, as: .withdrawn, &guarded) }
      return (told, guarded.pauses.values.filter { $0.job == job.id })
    }
    for resumption in resumptions { resumption.perform() }
    for pause in pauses { pause.wait.cancel() }
    // It may have ended before it was told.
    if job.isOver { forget(job.id) }
  }

  /// Waits between two tries of a call to a model.
  ///
  /// - Throws: `CancellationError` where the task is cancelled, or nothing more is sent.
  func pause(for duration: Duration, of job: Job, lane: ModelName, row: BegunRow? = nil) async throws {
    if let row { change { state, _ in state.goesOn(row.outermost) } }
    let wait = Task { [time] in try await time.sleep(for: duration) }
    let now = time.now
    let number = guarded.withLock { guarded -> Int? in
      if guarded.isClosed || guarded.state.triesNoMore(job.id) { return nil }
      guarded.nextPause += 1
      guarded.pauses[guarded.nextPause] = (job.id, wait)
      guarded.state.pauses(job.id, lane, by: 1, now: now)
      return guarded.nextPause
    }
    guard let number else {
      wait.cancel()
      throw CancellationError()
    }
    defer {
      let now = time.now
      guarded.withLock { guarded in
        guarded.pauses[number] = nil
        guarded.state.pauses(job.id, lane, by: -1, now: now)
      }
    }
    try await withTaskCancellationHandler {
      try await wait.value
    } onCancel: {
      wait.cancel()
    }
  }

  /// Calls of a job that wait for leave: for a place, a rate, a server. None where the job is paused.
  public func waiting(_ job: Job) -> Int { guarded.withLock { $0.state.waiting(job.id) } }

  func triesNoMore(_ job: Job) -> Bool { guarded.withLock { $0.state.triesNoMore(job.id) } }

  /// A pipeline begins no more rows from now on, whatever those do that have begun.
  public func stop(_ group: RowGroup) {
    let resumptions = guarded.withLock { guarded in
      guarded.state.stop(group).compactMap { self.resumption(of: $0, as: .withdrawn, &guarded) }
    }
    for resumption in resumptions { resumption.perform() }
  }

  private func withdraw(_ waiter: LimiterState.WaiterID, of job: Job) {
    let resumption = guarded.withLock { guarded -> Resumption? in
      guard guarded.state.cancel(waiter, of: job.id) else { return nil }
      return self.resumption(of: waiter, as: .withdrawn, &guarded)
    }
    resumption?.perform()
  }

  // MARK: live changes

  /// What the user has set.
  public var limits: Limits { guarded.withLock { $0.state.limits } }

  /// A raised limit launches at once; a lowered one lets the surplus finish.
  ///
  /// - Parameter rows: how many rows of each running job are launched, to be written down with the change.
  public func set(_ limits: Limits, by author: ChangeAuthor, rows: [Int: Int] = [:]) {
    change { state, now in state.counting(rows) { $0.configure(limits, by: author, now: now) } }
  }

  /// What is set for one job alone, under the session's.
  public func set(_ own: Limits.Own, for job: Job, by author: ChangeAuthor, rows: [Int: Int] = [:]) {
    change { state, now in state.counting(rows) { $0.set(own, for: job.id, by: author, now: now) } }
  }

  public func own(of job: Job) -> Limits.Own { guarded.withLock { $0.state.own(of: job.id) } }

  /// - Parameter reason: why it is paused, where that is not just somebody's wish.
  public func setPaused(_ paused: Bool, _ job: Job, reason: String?, by author: ChangeAuthor, rows: [Int: Int] = [:]) {
    change { state, now in state.counting(rows) { $0.setPaused(paused, job.id, reason: reason, by: author, now: now) } }
  }

  /// Rows of a job that wait for a server which says nothing fail now.
  public func stopWaiting(_ job: Job) {
    change { $0.stopWaiting(job.id, now: $1) }
  }

  /// What the machine carries at once, whatever is set.
  ///
  /// - Parameter reason: for the history.
  public func setMostStreams(_ most: Int, reason: String) {
    change { $0.setMostStreams(max(1, most), reason: reason, now: $1) }
  }

  /// Fewer of them, where the machine turned out to carry less.
  public func lowerStreams(to most: Int, reason: String) {
    change { state, now in if most < state.mostStreams { state.setMostStreams(max(1, most), reason: reason, now: now) } }
  }

  // MARK: asked by those who watch

  var now: Duration { time.now }
  public var inUse: Int { guarded.withLock { $0.state.inUse } }
  public var tokensUsed: Int { guarded.withLock { $0.state.budget.used } }

  /// The limit that holds for a job now, and what last moved a limit of its.
  public func standing(of job: Job) -> (limit: Int, last: LimitChange?) {
    guarded.withLock { guarded in
      (guarded.state.limit(of: job.id), guarded.state.history.changes.last { $0.job == nil || $0.job == job.id })
    }
  }

  /// How many calls at once the machine carries, where that is known to be little, and why.
  public var machine: (most: Int, reason: String)? {
    guarded.withLock { $0.state.mostStreams == .max ? nil : ($0.state.mostStreams, $0.state.machine) }
  }

  /// The lanes before which a job's calls wait now, and why.
  public func shutLanes(of job: Job) -> [LaneShut] {
    let now = time.now
    return guarded.withLock { $0.state.shutLanes(of: job.id, now: now) }
  }

  /// Why nothing goes to a model now; nil where something does.
  public func shut(_ model: ModelName) -> LaneShut? {
    let now = time.now
    return guarded.withLock { $0.state.shut(model, now: now) }
  }

  /// What is known of the lanes that a job uses; of all of them where none is given.
  public func lanes(of job: Job? = nil) -> [LaneStanding] { guarded.withLock { $0.state.laneStandings(of: job?.id) } }

  /// Whether calls to a provider wait for its server to come back.
  func waitsForServer(of permit: Permit) -> Bool { guarded.withLock { $0.state.waitsForServer(of: permit) } }

  /// What moved the limits, oldest first.
  public var history: [LimitChange] { guarded.withLock { $0.state.history.changes } }

  /// What somebody has moved from a moment on.
  public func changes(since: Duration, by author: ChangeAuthor) -> [LimitChange] {
    history.filter { $0.at >= since && $0.by == author }
  }

  /// Writes down a change of something else, for `why`.
  public func note(_ what: LimitChange.What, of job: Job? = nil, by author: ChangeAuthor, rows: [Int: Int] = [:]) {
    let now = time.now
    guarded.withLock { $0.state.note(LimitChange(at: now, job.map { .job($0.id) } ?? .session, what, by: author, rows: rows)) }
  }

  // MARK: resuming

  private func change<Result>(_ body: (inout LimiterState, Duration) -> Result) -> Result {
    let now = time.now
    let (result, resumptions) = guarded.withLock { guarded in
      let result = body(&guarded.state, now)
      return (result, settle(&guarded, now))
    }
    for resumption in resumptions { resumption.perform() }
    return result
  }

  private func settle(_ guarded: inout Guarded, _ now: Duration) -> [Resumption] {
    let effects = guarded.state.grantWaiting(now: now)
    var resumptions: [Resumption] = []
    func tell(_ waiter: LimiterState.WaiterID, _ answer: Early) {
      if let told = resumption(of: waiter, as: answer, &guarded) { resumptions.append(told) }
    }
    for (waiter, permit) in effects.granted { tell(waiter, .permit(.granted(permit))) }
    for waiter in effects.spent { tell(waiter, .permit(.spent)) }
    for waiter in effects.stopped { tell(waiter, .withdrawn) }
    for (waiter, shut) in effects.shut { tell(waiter, .permit(.shut(shut))) }
    for (waiter, row) in effects.begun { tell(waiter, .row(row)) }
    if let opening = effects.opening { setAlarm(&guarded, opening, now) }
    return resumptions
  }

  /// How a waiter is told; where it does not wait yet, it finds the answer when it begins to.
  private func resumption(of waiter: LimiterState.WaiterID, as answer: Early, _ guarded: inout Guarded) -> Resumption? {
    switch (guarded.waiting.removeValue(forKey: waiter), answer) {
    case (.permit(let continuation)?, .permit(let answer)): return .permit(continuation, answer)
    case (.permit(let continuation)?, _): return .permit(continuation, .cancelled)
    case (.row(let continuation)?, .row(let row)): return .row(continuation, row)
    case (.row(let continuation)?, _): return .row(continuation, nil)
    case (nil, _):
      guarded.answeredEarly[waiter] = answer
      return nil
    }
  }

  private func setAlarm(_ guarded: inout Guarded, _ opening: Duration, _ now: Duration) {
    if let alarm = guarded.alarm {
      if alarm.at <= opening { return }
      alarm.task.cancel()
    }
    let time = time
    let task = Task { [weak self] in
      do { try await time.sleep(for: opening - now) } catch { return }
      self?.alarmRang(opening)
    }
    guarded.alarm = (opening, task)
  }

  private func alarmRang(_ at: Duration) {
    guarded.withLock { if $0.alarm?.at == at { $0.alarm = nil } }
    change { _, _ in }
  }
}
