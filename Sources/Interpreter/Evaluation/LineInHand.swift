import Threads

/// A line of the prompt that runs, for whoever interrupts it: what is under way may end, and nothing after it sends.
public final class LineInHand: Sendable {
  private let stopped = Atomic(false)
  let inputs = InputWaits()

  public init() {}

  public var hasStopped: Bool { stopped.load(ordering: .relaxed) }

  /// The next statement of it that would send ends it. What it has started in the background goes on.
  public func stopSending() {
    stopped.store(true, ordering: .relaxed)
    inputs.stop()
  }
}
