#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Gives the terminal back as it was found when the program dies while a line is being edited.
///
/// The two globals are written before the handlers can run and read only by them; a handler may do nothing else.
enum TerminalRescue {
  nonisolated(unsafe) private static var saved = termios()
  nonisolated(unsafe) private static var isArmed = false

  static func arm(_ mode: termios) {
    saved = mode
    isArmed = true
    for number in [SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP] {
      signal(number) { number in
        TerminalRescue.rescue()
        signal(number, SIG_DFL)
        raise(number)
      }
    }
  }

  static func disarm() { isArmed = false }

  /// Also for the orderly end on SIGTERM and SIGHUP.
  static func rescue() {
    guard isArmed else { return }
    isArmed = false
    tcsetattr(0, TCSANOW, &saved)
    let off: StaticString = "\u{1B}[?2004l\u{1B}[?25h\r\n"
    _ = write(1, off.utf8Start, off.utf8CodeUnitCount)
  }
}

/// Gives the terminal back; for signal handlers of the program.
public func rescueTerminal() { TerminalRescue.rescue() }
