import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The mode of the terminal on standard input: every key at once, none of them shown or obeyed by the system. What is written goes
/// out as before.
final class TerminalMode: Sendable {
  private let saved = Mutex<termios?>(nil)

  /// - Parameter pastes: whether pasted text comes marked as such.
  func enter(pastes: Bool) {
    saved.withLock { saved in
      var mode = termios()
      guard saved == nil, tcgetattr(0, &mode) == 0 else { return }
      saved = mode
      TerminalRescue.arm(mode)
      TerminalMode.setRaw(mode)
      if pastes { Screen.write("\u{1B}[?2004h") }
    }
  }

  /// After the program was stopped and continued: whoever had the terminal meanwhile may have left it otherwise.
  func renew(pastes: Bool) {
    saved.withLock { saved in
      guard let saved else { return }
      TerminalMode.setRaw(saved)
      if pastes { Screen.write("\u{1B}[?2004h") }
    }
  }

  func leave(pastes: Bool) {
    saved.withLock { saved in
      guard var mode = saved else { return }
      if pastes { Screen.write("\u{1B}[?2004l") }
      tcsetattr(0, TCSADRAIN, &mode)
      TerminalRescue.disarm()
      saved = nil
    }
  }

  private static func setRaw(_ mode: termios) {
    var raw = mode
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    raw.c_iflag &= ~tcflag_t(ICRNL | IXON)
    tcsetattr(0, TCSADRAIN, &raw)
  }
}

/// Stops the program as ^Z does, until it is continued. Where nobody could continue it (no shell above us) the system does nothing.
func stopProcess() {
  var (stop, old) = (sigset_t(), sigset_t())
  sigemptyset(&stop)
  sigaddset(&stop, SIGTSTP)
  var (action, former) = (sigaction(), sigaction())
  #if canImport(Glibc)
    action.__sigaction_handler.sa_handler = SIG_DFL
  #else
    action.__sigaction_u.__sa_handler = SIG_DFL
  #endif
  sigaction(SIGTSTP, &action, &former)
  pthread_sigmask(SIG_UNBLOCK, &stop, &old)
  raise(SIGTSTP)
  pthread_sigmask(SIG_SETMASK, &old, nil)
  sigaction(SIGTSTP, &former, nil)
}
