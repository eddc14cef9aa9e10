import Threads

/// The session's limits, live. `LimiterState` decides; this resumes whom it grants a permit, after unlocking, and wakes it when a
/// rate lets the next call through.
public final class Limiter: Sendable {
  /// What came of asking for a permit.
  public enum Answer: Sendable {
    case granted(Permit)
    /// The task was cancelled: there is nothing to give back.
    case cancelled
    /// The token budget has no room, and nothing in flight can give any back.
    case spent
  }

  private typealias Waiting = UnsafeContinuation<Answer, Never>

  private struct Guarded {
    var state: LimiterState
    var waiting: [LimiterState.WaiterID: Waiting] = [:]
    /// Answered, or cancelled, between taking a place in the queue and waiting there.
    var answeredEarly: [LimiterState.WaiterID: Answer] = [:]
    var alarm: (at: Duration, task: Task<Void, Never>)?
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
  ///   - lane: the provider it goes to.
  ///   - continuing: the call goes on with a row that has begun, and comes before new rows of its job.
  ///   - tokens: what it may take, where that is known.
  public func acquire(_ job: Job, lane: String, continuing: Bool, tokens: Int? = nil) async -> Answer {
    if Task.isCancelled { return .cancelled }
    let now = time.now
    let request = guarded.withLock { guarded in
      let request = guarded.state.acquire(job.id, lane: lane, continuing ? .continuing : .fresh, tokens: tokens, now: now)
      // It may wait for a moment, not for a call's end.
      if case .queued = request { return (request, settle(&guarded, now)) }
      return (request, [])
    }
    for (continuation, answer) in request.1 { continuation.resume(returning: answer) }
    let waiter: LimiterState.WaiterID
    switch request.0 {
    case .granted(let permit): return .granted(permit)
    case .spent: return .spent
    case .queued(let id): waiter = id
    }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let answer = guarded.withLock { guarded -> Answer? in
          if let early = guarded.answeredEarly.removeValue(forKey: waiter) { return early }
          guarded.waiting[waiter] = continuation
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let continuation = guarded.withLock { guarded -> Waiting? in
        guard guarded.state.cancel(waiter, of: job.id) else { return nil }
        if let continuation = guarded.waiting.removeValue(forKey: waiter) { return continuation }
        guarded.answeredEarly[waiter] = .cancelled
        return nil
      }
      continuation?.resume(returning: .cancelled)
    }
  }

  /// Gives a permit back, with what came of its call.
  public func release(_ permit: Permit, _ outcome: CallOutcome = .unused) {
    change { $0.ended(permit, outcome, now: $1) }
  }

  /// The call of a permit is known now; it has `input` tokens, and its reply `output` at most (nil where nobody says).
  ///
  /// - Returns: nil where it may go. Else the tokens to ask a new permit for; this one is given back.
  func reserve(_ permit: inout Permit, input: () -> Int, output: Int?) -> Int? {
    guard guarded.withLock({ [permit] in $0.state.countsTokens(permit) }) else { return nil }
    let tokens = input()
    var copy = permit
    let missing = change { [permit] state, now -> (Int?, Permit) in
      var permit = permit
      let missing = state.extend(&permit, input: tokens, output: output, now: now)
      if missing != nil { state.ended(permit, .unused, now: now) }
      return (missing, permit)
    }
    copy = missing.1
    permit = copy
    return missing.0
  }

  // MARK: live changes

  /// What the user has set. A raised limit launches at once; a lowered one lets the surplus finish.
  public var limits: Limits {
    get { guarded.withLock { $0.state.limits } }
    set { change { $0.configure(newValue, now: $1) } }
  }

  /// One job's own limit under the session's; nil for none.
  public func setCap(_ cap: Int?, of job: Job) { change { $0.setCap(cap, of: job.id, now: $1) } }

  /// - Parameter reason: for the history.
  public func setPaused(_ paused: Bool, _ job: Job, reason: String) {
    change { $0.setPaused(paused, job.id, reason: reason, now: $1) }
  }

  // MARK: asked by those who watch

  public var inUse: Int { guarded.withLock { $0.state.inUse } }
  public var tokensUsed: Int { guarded.withLock { $0.state.budget.used } }

  /// The limit that holds for a job now, and what last moved a limit of its.
  public func standing(of job: Job) -> (limit: Int, last: LimitChange?) {
    guarded.withLock { guarded in
      (guarded.state.limit(of: job.id), guarded.state.history.changes.last { $0.job == nil || $0.job == job.id })
    }
  }

  /// What moved the limits, oldest first.
  public var history: [LimitChange] { guarded.withLock { $0.state.history.changes } }

  // MARK: resuming

  private func change<Result>(_ body: (inout LimiterState, Duration) -> Result) -> Result {
    let now = time.now
    let (result, answers) = guarded.withLock { guarded in
      let result = body(&guarded.state, now)
      return (result, settle(&guarded, now))
    }
    for (continuation, answer) in answers { continuation.resume(returning: answer) }
    return result
  }

  private func settle(_ guarded: inout Guarded, _ now: Duration) -> [(Waiting, Answer)] {
    let effects = guarded.state.grantWaiting(now: now)
    var answers: [(Waiting, Answer)] = []
    func answer(_ waiter: LimiterState.WaiterID, _ answer: Answer) {
      if let continuation = guarded.waiting.removeValue(forKey: waiter) {
        answers.append((continuation, answer))
      } else {
        guarded.answeredEarly[waiter] = answer
      }
    }
    for (waiter, permit) in effects.granted { answer(waiter, .granted(permit)) }
    for waiter in effects.spent { answer(waiter, .spent) }
    if let opening = effects.opening { setAlarm(&guarded, opening, now) }
    return answers
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
