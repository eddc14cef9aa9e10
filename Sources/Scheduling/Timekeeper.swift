/// Time as scheduling sees it, so that a test can turn it by hand.
public protocol Timekeeper: Sendable {
  /// Since some fixed moment; never goes back.
  var now: Duration { get }
  /// Throws only `CancellationError`.
  func sleep(for duration: Duration) async throws
}

public struct SystemTimekeeper: Timekeeper {
  private let start = ContinuousClock.now

  public init() {}

  public var now: Duration { start.duration(to: .now) }

  public func sleep(for duration: Duration) async throws {
    try await Task.sleep(for: duration)
  }
}
