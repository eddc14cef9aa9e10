import Scheduling
import Testing
import Threads

/// Time that a test turns by hand: sleepers wake when it has passed them.
final class ManualTime: Timekeeper {
  private struct State {
    var now: Duration = .zero
    var sleepers: [(until: Duration, id: Int, wake: CheckedContinuation<Void, any Error>)] = []
    var cancelled: Set<Int> = []
    var next = 0
    var watcher: (count: Int, resume: CheckedContinuation<Void, Never>)?
  }

  private let state = Mutex(State())

  var now: Duration { state.withLock { $0.now } }

  func sleep(for duration: Duration) async throws {
    let id = state.withLock { state in
      state.next += 1
      return state.next
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        let (isCancelled, watcher) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
          if state.cancelled.remove(id) != nil { return (true, nil) }
          state.sleepers.append((state.now + duration, id, continuation))
          guard let watcher = state.watcher, state.sleepers.count >= watcher.count else { return (false, nil) }
          state.watcher = nil
          return (false, watcher.resume)
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
        watcher?.resume()
      }
    } onCancel: {
      let sleeper = state.withLock { state -> CheckedContinuation<Void, any Error>? in
        guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
          state.cancelled.insert(id)
          return nil
        }
        return state.sleepers.remove(at: index).wake
      }
      sleeper?.resume(throwing: CancellationError())
    }
  }

  /// Returns when so many sleep.
  func sleepers(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let isThere = state.withLock { state in
        if state.sleepers.count >= count { return true }
        state.watcher = (count, continuation)
        return false
      }
      if isThere { continuation.resume() }
    }
  }

  func advance(by duration: Duration) {
    let due = state.withLock { state in
      state.now += duration
      let now = state.now
      let due = state.sleepers.filter { $0.until <= now }
      state.sleepers.removeAll { $0.until <= now }
      return due
    }
    for sleeper in due { sleeper.wake.resume() }
  }
}

struct Seeded {
  var state: UInt64
  init(_ seed: Int) { state = UInt64(seed) &+ 1 }
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state >> 24
  }
  mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }
}

/// For conditions that change what they look at, which `#expect` cannot take apart.
func holds(_ condition: Bool, sourceLocation: SourceLocation = #_sourceLocation) {
  #expect(condition, sourceLocation: sourceLocation)
}
