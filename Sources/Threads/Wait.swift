/// Somebody's wait for something that another tells of: it ends once, when it is told or when the waiting task is cancelled.
public final class Wait: Sendable {
  private enum State {
    case idle, over
    case waiting(CheckedContinuation<Void, Never>)
  }

  private let state = Mutex(State.idle)

  public init() {}

  /// Told of what it waits for.
  public func end() {
    let continuation = state.withLock { state -> CheckedContinuation<Void, Never>? in
      defer { state = .over }
      if case .waiting(let continuation) = state { return continuation }
      return nil
    }
    continuation?.resume()
  }

  /// - Throws: `CancellationError` where the task was cancelled first.
  public func value() async throws {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isOver = state.withLock { state in
          if case .over = state { return true }
          state = .waiting(continuation)
          return false
        }
        if isOver { continuation.resume() }
      }
    } onCancel: {
      end()
    }
    try Task.checkCancellation()
  }
}
