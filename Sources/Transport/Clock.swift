#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Nanoseconds of the monotonic clock. The loop reads it several times a turn, so it is the bare call.
@inline(__always)
func monotonicNow() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension Duration {
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow ? Int64.max / 4 : scaled + attoseconds / 1_000_000_000
  }
}
