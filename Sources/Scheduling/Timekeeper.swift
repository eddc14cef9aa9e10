#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Time as scheduling sees it, so that a test can turn it by hand.
public protocol Timekeeper: Sendable {
  /// Since some fixed moment; never goes back.
  var now: Duration { get }
  /// Throws only `CancellationError`.
  func sleep(for duration: Duration) async throws
  /// Processor time that this program has used.
  var cpu: Duration { get }
}

extension Timekeeper {
  public var cpu: Duration { .zero }
}

public struct SystemTimekeeper: Timekeeper {
  private let start = ContinuousClock.now

  public init() {}

  public var now: Duration { start.duration(to: .now) }

  public var cpu: Duration {
    var used = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used)
    return .seconds(Int64(used.tv_sec)) + .nanoseconds(Int64(used.tv_nsec))
  }

  public func sleep(for duration: Duration) async throws {
    try await Task.sleep(for: duration)
  }
}
