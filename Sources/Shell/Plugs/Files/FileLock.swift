#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The lock by which one `save` knows of another.
enum FileLock {
  /// Whoever only looks holds it for a moment, and is waited for.
  static func take(_ descriptor: Int32) -> Bool {
    for _ in 0..<10 {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
      guard errno == EWOULDBLOCK || errno == EINTR else { return false }
      usleep(1000)
    }
    return false
  }

  /// Whether somebody has it. Two who look are not in each other's way.
  static func isTaken(_ descriptor: Int32) -> Bool { flock(descriptor, LOCK_SH | LOCK_NB) != 0 }
}
