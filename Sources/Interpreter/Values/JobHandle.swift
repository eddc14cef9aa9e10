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
    var waiters: [Wait] = []
    var launch: Launch?
    /// What has finished so far, for `peek`.
    var partial: (@Sendable (_ inOrder: Bool) -> [Value])?
  }

  private let state = Mutex(State())

  init(job: Job, variable: String?) {
    self.job = job
    self.variable = variable
  }

  func finish(_ result: Result<Value, any Error>) {
    let waiters = state.withLock { state in
      state.result = result
      // What came of a run that an error ended was paid for.
      if case .success = result { state.partial = nil }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.end() }
  }

  func setPartial(_ partial: @escaping @Sendable (_ inOrder: Bool) -> [Value]) {
    state.withLock { if $0.result == nil { $0.partial = partial } }
  }

  /// What the work gave, waiting for its end.
  ///
  /// - Throws: what it threw. Cancelling the waiting task ends the wait with a `CancellationError`; the job goes on.
  func value() async throws -> Value {
    let wait = Wait()
    let isWaiting = state.withLock { state in
      if state.result != nil { return false }
      state.waiters.append(wait)
      return true
    }
    if isWaiting {
      do { try await wait.value() } catch {
        state.withLock { state in state.waiters.removeAll { $0 === wait } }
        // What came at the same moment counts.
        if finished == nil { throw error }
      }
    }
    return try finished?.get() ?? .nothing
  }

  /// What its statement was when it began.
  var launch: Launch? {
    get { state.withLock { $0.launch } }
    set { state.withLock { $0.launch = newValue } }
  }

  var finished: Result<Value, any Error>? { state.withLock { $0.result } }

  /// The rows that have finished so far, by their places.
  ///
  /// - Parameter inOrder: only those before the first that has not finished.
  func soFar(inOrder: Bool = false) -> [Value] {
    let (result, partial) = state.withLock { ($0.result, $0.partial) }
    if case .success(let value)? = result { return value.elements ?? [value] }
    return partial?(inOrder) ?? []
  }
}
