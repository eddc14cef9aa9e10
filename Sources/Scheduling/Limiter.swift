import Synchronization

/// The session's width, live. `LimiterState` decides; this resumes whom it grants a slot, after unlocking.
public final class Limiter: Sendable {
  private struct Guarded {
    var state: LimiterState
    var waiting: [LimiterState.WaiterID: UnsafeContinuation<Bool, Never>] = [:]
    /// Cancelled between taking a place in the queue and waiting there.
    var cancelledEarly: Set<LimiterState.WaiterID> = []
    var grantedEarly: Set<LimiterState.WaiterID> = []
  }

  private let guarded: Mutex<Guarded>

  public init(limit: Int) {
    guarded = Mutex(Guarded(state: LimiterState(limit: limit)))
  }

  /// Waits for a slot. False if the task was cancelled meanwhile: there is no slot to give back then.
  ///
  /// - Parameter continuing: the call goes on with a row that has begun, and comes before new rows of its job.
  public func acquire(_ job: Job, continuing: Bool) async -> Bool {
    if Task.isCancelled { return false }
    let request = guarded.withLock { $0.state.acquire(job.id, continuing ? .continuing : .fresh) }
    guard case .queued(let waiter) = request else { return true }
    return await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let answer = guarded.withLock { guarded -> Bool? in
          if guarded.grantedEarly.remove(waiter) != nil { return true }
          if guarded.cancelledEarly.remove(waiter) != nil { return false }
          guarded.waiting[waiter] = continuation
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let continuation = guarded.withLock { guarded -> UnsafeContinuation<Bool, Never>? in
        guard guarded.state.cancel(waiter, of: job.id) else { return nil }
        if let continuation = guarded.waiting.removeValue(forKey: waiter) { return continuation }
        guarded.cancelledEarly.insert(waiter)
        return nil
      }
      continuation?.resume(returning: false)
    }
  }

  public func release(_ job: Job) {
    change { $0.release(job.id) }
  }

  /// Calls at once in the session. Raising it launches at once; lowering it lets the surplus finish.
  public var limit: Int {
    get { guarded.withLock { $0.state.limit } }
    set { change { $0.setLimit(newValue) } }
  }

  public var inUse: Int { guarded.withLock { $0.state.inUse } }

  public func inUse(by job: Job) -> Int { guarded.withLock { $0.state.inUse(by: job.id) } }

  /// One job's own limit under the session's; nil for none.
  public func cap(of job: Job) -> Int? { guarded.withLock { $0.state.cap(of: job.id) } }
  public func setCap(_ cap: Int?, of job: Job) { change { $0.setCap(cap, of: job.id) } }
  public func setPaused(_ paused: Bool, _ job: Job) { change { $0.setPaused(paused, job.id) } }

  private func change(_ body: (inout LimiterState) -> [LimiterState.WaiterID]) {
    let granted = guarded.withLock { guarded in
      body(&guarded.state).compactMap { waiter -> UnsafeContinuation<Bool, Never>? in
        if let continuation = guarded.waiting.removeValue(forKey: waiter) { return continuation }
        guarded.grantedEarly.insert(waiter)
        return nil
      }
    }
    for continuation in granted { continuation.resume(returning: true) }
  }
}
