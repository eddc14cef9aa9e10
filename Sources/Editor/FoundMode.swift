#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The mode that the terminal on standard input was found in.
///
/// On the heap, and never within another value: Swift 6.3 gives a `termios` 57 bytes and writes 60 to it (found by the address
/// sanitizer); as part of a struct in a lock it came back as zeros.
public final class FoundMode: @unchecked Sendable {
  private let mode = UnsafeMutablePointer<termios>.allocate(capacity: 1)

  /// Nil where there is no terminal. Never changed afterwards.
  public init?() {
    mode.initialize(to: termios())
    if tcgetattr(0, mode) != 0 { return nil }
  }

  deinit { mode.deallocate() }

  public var flags: (input: tcflag_t, output: tcflag_t, local: tcflag_t) {
    (mode.pointee.c_iflag, mode.pointee.c_oflag, mode.pointee.c_lflag)
  }

  /// At once (TCSANOW): what is on its way out is not changed by it, and of a terminal whose reader has stopped nothing may be waited
  /// for here.
  public func restore() { tcsetattr(0, TCSANOW, mode) }

  /// The same with other flags.
  func set(input: tcflag_t, local: tcflag_t) {
    let changed = UnsafeMutablePointer<termios>.allocate(capacity: 1)
    defer { changed.deallocate() }
    changed.initialize(to: mode.pointee)
    (changed.pointee.c_iflag, changed.pointee.c_lflag) = (input, local)
    tcsetattr(0, TCSANOW, changed)
  }

  /// For a handler of signals, which may touch nothing that is counted.
  func copy(to other: UnsafeMutablePointer<termios>) { other.initialize(to: mode.pointee) }
}
