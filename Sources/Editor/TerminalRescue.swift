import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Gives the terminal back as it was found when the program dies while it is in our mode.
///
/// What is saved is written before the handlers can run; a handler may do nothing else.
enum TerminalRescue {
  /// On the heap (`FoundMode` says why), and no object: a handler may look at nothing that is counted.
  nonisolated(unsafe) private static let saved = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  private static let armed = Atomic(false)
  /// The program ends: nobody takes the terminal any more.
  private static let over = Atomic(false)
  static var isOver: Bool { over.load(ordering: .acquiring) }

  static func arm(_ mode: FoundMode) {
    mode.copy(to: saved)
    armed.store(true, ordering: .releasing)
    handlers
  }

  private static let handlers: Void = {
    for number in deadly {
      handleSignal(number) { number in
        TerminalRescue.rescue()
        signal(number, SIG_DFL)
        raise(number)
      }
    }
  }()

  /// Whatever ends a program that does not handle it, and can be handled, but for those that `Signals` takes.
  private static let deadly: [Int32] = {
    var all = [
      SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM,
      SIGPROF,
    ]
    #if canImport(Glibc)
      // Also the real-time ones; 32 and 33 are the C library's own.
      all += [SIGIO, SIGPWR, SIGSTKFLT] + (34...64)
    #else
      all += [SIGEMT]
    #endif
    return all
  }()

  static func disarm() { armed.store(false, ordering: .releasing) }

  /// Also for the orderly end on SIGTERM and SIGHUP.
  static func rescue() {
    over.store(true, ordering: .releasing)
    guard armed.exchange(false, ordering: .acquiringAndReleasing) else { return }
    guard ownsTerminal else { return }
    tcsetattr(0, TCSANOW, saved)
    // Whoever should read the terminal may have stopped, and the program ends all the same.
    guard takesOutput(1) else { return }
    let off: StaticString = "\u{1B}[?2004l\u{1B}[?25h\r\n"
    _ = write(1, off.utf8Start, off.utf8CodeUnitCount)
  }
}

/// Gives the terminal back; for signal handlers of the program.
public func rescueTerminal() { TerminalRescue.rescue() }
