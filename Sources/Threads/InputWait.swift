#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a wait for input ended with.
public struct InputReadiness: Sendable {
  /// There is something to read, or the end.
  public var hasInput = false
  public var isWoken = false
  /// The descriptor cannot be waited for at all.
  public var isBroken = false
  /// The time was over.
  public var isLate: Bool { !hasInput && !isWoken && !isBroken }
}

/// Whether a terminal is gone: its window was closed, or the line to it has dropped.
public func hasHungUp(_ descriptor: Int32) -> Bool {
  var status = stat()
  guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return false }
  #if canImport(Glibc)
    var waiting = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&waiting, 1, 0) > 0 && waiting.revents & Int16(POLLHUP) != 0
  #else
    // macOS's poll takes a terminal for invalid; one that is gone has no mode.
    var mode = termios()
    return tcgetattr(descriptor, &mode) != 0 && errno != ENOTTY && errno != ENODEV
  #endif
}

/// Waits until a descriptor can be read, or another (the read end of a pipe) says to stop waiting.
///
/// - Parameters:
///   - descriptor: -1 waits for the wake-up alone.
///   - milliseconds: -1 waits for ever.
public func waitForInput(_ descriptor: Int32, wake: Int32, milliseconds: Int32 = -1) -> InputReadiness {
  #if canImport(Glibc)
    var waiting = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&waiting, 2, milliseconds) < 0 { if errno != EINTR { return InputReadiness(isBroken: true) } }
    return InputReadiness(
      hasInput: waiting[0].revents & Int16(POLLIN | POLLHUP | POLLERR) != 0, isWoken: waiting[1].revents != 0,
      isBroken: waiting[0].revents & Int16(POLLNVAL) != 0)
  #else
    // macOS's poll takes a terminal for invalid; its select cannot count beyond 1,024.
    guard max(descriptor, wake) < 1024 else { return InputReadiness(isBroken: true) }
    func isSet(_ set: fd_set, _ fd: Int32) -> Bool { withUnsafeBytes(of: set) { $0[Int(fd) / 8] & (1 << UInt8(fd % 8)) != 0 } }
    while true {
      var set = fd_set()
      withUnsafeMutableBytes(of: &set) { bits in
        for fd in [descriptor, wake] where fd >= 0 { bits[Int(fd) / 8] |= 1 << UInt8(fd % 8) }
      }
      var timeout = timeval(tv_sec: Int(milliseconds) / 1000, tv_usec: (milliseconds % 1000) * 1000)
      let count =
        milliseconds < 0
        ? select(max(descriptor, wake) + 1, &set, nil, nil, nil) : select(max(descriptor, wake) + 1, &set, nil, nil, &timeout)
      if count < 0, errno == EINTR { continue }
      if count < 0 { return InputReadiness(isBroken: true) }
      return InputReadiness(hasInput: count > 0 && descriptor >= 0 && isSet(set, descriptor), isWoken: count > 0 && isSet(set, wake))
    }
  #endif
}
