import Scheduling

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Moments of a session as the time of day. A moment is one wherever and however often it is told: what the clock showed when the
/// session began is looked at once.
struct WallClock: Sendable {
  private let time: any Timekeeper
  /// Since 1970, when the timekeeper showed nothing.
  private let zero: Duration

  init(_ time: any Timekeeper) {
    self.time = time
    zero = Self.now - time.now
  }

  /// UTC as ISO 8601 writes it; of a moment on the timekeeper, or of what the clock shows now.
  func timestamp(_ moment: Duration?) -> String {
    var (seconds, parts) = (Self.seconds(moment.map { zero + $0 } ?? Self.now), tm())
    gmtime_r(&seconds, &parts)
    return Self.formatted("%Y-%m-%dT%H:%M:%SZ", &parts)
  }

  /// Local time: `14:02:11`.
  func clock(_ moment: Duration) -> String {
    var (seconds, parts) = (Self.seconds(zero + moment), tm())
    localtime_r(&seconds, &parts)
    return Self.formatted("%H:%M:%S", &parts)
  }

  private static var now: Duration {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
  }

  private static func seconds(_ duration: Duration) -> time_t { time_t(duration.components.seconds) }

  private static func formatted(_ format: String, _ parts: inout tm) -> String {
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
