import Threads

/// Text on its way from the thread that reads the network to the one task that shows it, in batches.
///
/// The producer appends with `push`, and wakes the consumer once per turn of its loop with `flush`; the consumer takes
/// all there is with `next`. A consumer that lags makes `push` answer `.pause`; when it has caught up, `onDrain` runs.
public final class TokenFeed: Sendable {
  public enum Pressure: Sendable { case proceed, pause }

  private struct State {
    var pending: [UInt8] = []
    var waiter: CheckedContinuation<String?, Never>?
    var isFinished = false
    var isPaused = false
    var onDrain: (@Sendable () -> Void)?

    mutating func take() -> String? {
      if pending.isEmpty { return nil }
      defer { pending.removeAll(keepingCapacity: true) }
      return String(decoding: pending, as: UTF8.self)
    }
  }

  private let state = Mutex(State())
  private let highWater: Int

  /// - Parameter highWater: bytes that may wait before the producer is told to pause.
  public init(highWater: Int = 256 * 1024) {
    self.highWater = highWater
  }

  /// Called on whatever thread consumes, when the producer may go on.
  public func onDrain(_ resume: @escaping @Sendable () -> Void) {
    state.withLock { $0.onDrain = resume }
  }

  /// Takes whole UTF-8 characters.
  public func push(_ utf8: some Sequence<UInt8>) -> Pressure {
    state.withLock { state in
      state.pending.append(contentsOf: utf8)
      guard state.pending.count > highWater, state.waiter == nil else { return .proceed }
      state.isPaused = true
      return .pause
    }
  }

  public func flush() {
    let (waiter, text) = state.withLock { state -> (CheckedContinuation<String?, Never>?, String?) in
      guard !state.pending.isEmpty, let waiter = state.waiter else { return (nil, nil) }
      state.waiter = nil
      return (waiter, state.take())
    }
    waiter?.resume(returning: text)
  }

  public func finish() {
    let (waiter, text) = state.withLock { state -> (CheckedContinuation<String?, Never>?, String?) in
      state.isFinished = true
      state.onDrain = nil
      defer { state.waiter = nil }
      return (state.waiter, state.waiter == nil ? nil : state.take())
    }
    waiter?.resume(returning: text)
  }

  /// All text that has come since the last call, waiting for some; nil at the end. One consumer only.
  public func next() async -> String? {
    await withCheckedContinuation { (continuation: CheckedContinuation<String?, Never>) in
      let (ready, text, drained) = state.withLock { state -> (Bool, String?, (@Sendable () -> Void)?) in
        if state.pending.isEmpty && !state.isFinished {
          state.waiter = continuation
          return (false, nil, nil)
        }
        let text = state.take()
        defer { state.isPaused = false }
        return (true, text, state.isPaused ? state.onDrain : nil)
      }
      if ready { continuation.resume(returning: text) }
      drained?()
    }
  }
}
