import Editor
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The mode in which the terminal was given to another program. One that we leave running, or that a signal ends, may leave it raw or
/// without echo, and our shell takes over from us, who ended in order, and looks no further.
enum LentTerminal {
  private static let mode = Mutex<termios?>(nil)

  /// - Returns: what stood here before, for `takeBack`: an editor may be given the terminal while another program has it.
  static func lend() -> termios? {
    var now = termios()
    // While a line is edited the mode is ours, and what runs behind it has no terminal.
    let isThere = ownsTerminal && tcgetattr(0, &now) == 0 && now.c_lflag & tcflag_t(ICANON) != 0
    return mode.withLock { mode in
      let before = mode
      if mode == nil, isThere { mode = now }
      return before
    }
  }

  static func takeBack(_ before: termios?) { mode.withLock { $0 = before } }

  /// For the end of the program.
  static func restore() {
    guard var mode = mode.withLock({ $0 }), ownsTerminal else { return }
    tcsetattr(0, TCSANOW, &mode)
  }
}
