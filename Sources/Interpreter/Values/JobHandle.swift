import Language
import Scheduling
import Threads

/// A job as a value: its progress now, its result when it is there. May be waited for by many.
public final class JobHandle: Sendable {
  public let job: Job
  /// The variable that holds it, if one does.
  public let variable: String?
  /// It is over, and what it gave is kept nowhere.
  let isEmptied: Bool

  private struct State {
    var result: Result<Value, any Error>?
    var waiters: [(wait: Wait, mayBeLetGo: Bool)] = []
    var launch: Launch?
    /// What has finished so far, for `peek`.
    var partial: (@Sendable (_ inOrder: Bool) -> [Value])?
  }

  private let state = Mutex(State())

  init(job: Job, variable: String?, isEmptied: Bool = false) {
    self.job = job
    self.variable = variable
    self.isEmptied = isEmptied
  }

  /// - Parameter first: done before those who wait for it go on.
  func finish(_ result: Result<Value, any Error>, first: () -> Void = {}) {
    let waiters = state.withLock { state in
      state.result = result
      // Nothing of it is to be changed any more.
      state.launch = nil
      // What came of a run that an error ended was paid for.
      if case .success = result { state.partial = nil }
      defer { state.waiters = [] }
      return state.waiters
    }
    first()
    for waiter in waiters { waiter.wait.end() }
  }

  /// Ends the waits of those who may be let go; the job goes on. False where nobody waits so.
  func letGo() -> Bool {
    let waiters = state.withLock { state in
      let waiters = state.waiters.filter(\.mayBeLetGo)
      state.waiters.removeAll(where: \.mayBeLetGo)
      return waiters
    }
    for waiter in waiters { waiter.wait.end() }
    return !waiters.isEmpty
  }

  /// Whoever waited was let go before the end.
  struct LetGo: Error {}

  func setPartial(_ partial: @escaping @Sendable (_ inOrder: Bool) -> [Value]) {
    state.withLock { if $0.result == nil { $0.partial = partial } }
  }

  /// What the work gave, waiting for its end.
  ///
  /// - Parameter mayBeLetGo: whether `letGo` ends the wait.
  /// - Throws: what it threw; `LetGo`. Cancelling the waiting task ends the wait with a `CancellationError`; the job goes on.
  func value(mayBeLetGo: Bool = false) async throws -> Value {
    let wait = Wait()
    let isWaiting = state.withLock { state in
      if state.result != nil { return false }
      state.waiters.append((wait, mayBeLetGo))
      return true
    }
    if isWaiting {
      do { try await wait.value() } catch {
        state.withLock { state in state.waiters.removeAll { $0.wait === wait } }
        // What came at the same moment counts.
        if finished == nil { throw error }
      }
    }
    guard let finished else { throw LetGo() }
    return try finished.get()
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
