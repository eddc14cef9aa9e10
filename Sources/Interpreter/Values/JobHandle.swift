import Language
import Scheduling
import Threads

/// A job as a value: its progress now, its result when it is there. May be waited for by many.
public final class JobHandle: Sendable {
  public let job: Job
  /// The variable that holds it, if one does.
  public let variable: String?

  private struct State {
    var result: Result<Value, any Error>?
    var waiters: [CheckedContinuation<Void, Never>] = []
    /// What has finished so far, for `peek`.
    var partial: (@Sendable () -> [Value])?
  }

  private let state = Mutex(State())

  init(job: Job, variable: String?) {
    self.job = job
    self.variable = variable
  }

  func finish(_ result: Result<Value, any Error>) {
    let waiters = state.withLock { state in
      state.result = result
      state.partial = nil
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  func setPartial(_ partial: @escaping @Sendable () -> [Value]) {
    state.withLock { if $0.result == nil { $0.partial = partial } }
  }

  /// What the work gave, waiting for its end.
  ///
  /// - Throws: what it threw. Cancelling the waiting task does not cancel the job; the wait goes on until the job is over.
  func value() async throws -> Value {
    await withCheckedContinuation { continuation in
      let isReady = state.withLock { state in
        if state.result != nil { return true }
        state.waiters.append(continuation)
        return false
      }
      if isReady { continuation.resume() }
    }
    guard let result = state.withLock({ $0.result }) else { return .nothing }
    return try result.get()
  }

  var finished: Result<Value, any Error>? { state.withLock { $0.result } }

  /// The rows that have finished so far, in no particular order.
  func soFar() -> [Value] {
    let (result, partial) = state.withLock { ($0.result, $0.partial) }
    if case .success(let value)? = result { return value.elements ?? [value] }
    return partial?() ?? []
  }
}
