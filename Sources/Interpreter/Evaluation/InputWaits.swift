import Threads

/// The waits for what others have yet to write (a pipe, a terminal). After ^C nobody waits for it any more: what has come is what there
/// is, and the statement ends with it.
final class InputWaits: Sendable {
  private struct State {
    var waits: [Int: Task<Void, any Error>] = [:]
    var next = 0
    var isOver = false
  }

  private let state = Mutex(State())

  /// - Returns: whether what was waited for is there; false where nobody waits for it any more.
  func wait(_ body: @escaping @Sendable () async throws -> Void) async throws -> Bool {
    let wait = Task { try await body() }
    let number = state.withLock { state -> Int? in
      if state.isOver { return nil }
      state.next += 1
      state.waits[state.next] = wait
      return state.next
    }
    guard let number else {
      wait.cancel()
      return false
    }
    defer { state.withLock { $0.waits[number] = nil } }
    do {
      try await withTaskCancellationHandler {
        try await wait.value
      } onCancel: {
        wait.cancel()
      }
      return true
    } catch is CancellationError {
      if !Task.isCancelled, state.withLock({ $0.isOver }) { return false }
      throw CancellationError()
    }
  }

  func stop() {
    let waits = state.withLock { state in
      state.isOver = true
      return Array(state.waits.values)
    }
    for wait in waits { wait.cancel() }
  }
}
