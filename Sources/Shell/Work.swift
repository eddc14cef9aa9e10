import Threads

/// A line or a script that runs: can be cancelled before it has begun, and waited for by many.
final class Work: Sendable {
  private struct State {
    var task: Task<Result<Void, any Error>, Never>?
    var isCancelled = false
  }

  private let state = Mutex(State())

  func start(_ body: @escaping @Sendable () async -> Result<Void, any Error>) -> Task<Result<Void, any Error>, Never> {
    let task = Task { await body() }
    let isCancelled = state.withLock { state in
      state.task = task
      return state.isCancelled
    }
    if isCancelled { task.cancel() }
    return task
  }

  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      return state.task
    }?.cancel()
  }

  /// Returns when it is over; at once if it never began.
  func end() async { _ = await state.withLock { $0.task }?.value }
}
