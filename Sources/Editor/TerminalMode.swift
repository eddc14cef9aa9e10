import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether the terminal on standard input is ours: of a program in the background it is the shell's, or another program's, whose mode
/// must not be changed.
///
/// A terminal that controls no session of ours (a container without job control) has nobody else either.
public var ownsTerminal: Bool {
  let group = tcgetpgrp(0)
  return group == getpgrp() || group < 0 && errno == ENOTTY
}

/// The mode of the terminal on standard input: every key at once, none of them shown or obeyed by the system. What is written goes
/// out as before. Nothing is changed while the terminal is another's.
final class TerminalMode: Sendable {
  private let saved = Mutex<termios?>(nil)

  /// True where the terminal is in our mode, now or already.
  ///
  /// - Parameter pastes: whether pasted text comes marked as such.
  @discardableResult
  func enter(pastes: Bool) -> Bool {
    saved.withLock { saved in
      guard ownsTerminal else { return false }
      if saved != nil { return true }
      var mode = termios()
      guard tcgetattr(0, &mode) == 0 else { return false }
      saved = mode
      TerminalRescue.arm(mode)
      TerminalMode.setRaw(mode)
      if pastes { Screen.tell(.markPastes(true)) }
      return true
    }
  }

  /// After the program was stopped and continued: whoever had the terminal meanwhile may have left it otherwise. A program that goes
  /// on in the background has no mode, until it is in front and enters it anew.
  func renew(pastes: Bool) {
    saved.withLock { saved in
      guard let mode = saved else { return }
      guard ownsTerminal else {
        TerminalRescue.disarm()
        saved = nil
        return
      }
      TerminalMode.setRaw(mode)
      if pastes { Screen.tell(.markPastes(true)) }
    }
  }

  /// - Returns: whether it was in our mode.
  @discardableResult
  func leave(pastes: Bool) -> Bool {
    saved.withLock { saved in
      guard var mode = saved else { return false }
      if ownsTerminal {
        if pastes { Screen.tell(.markPastes(false)) }
        tcsetattr(0, TCSANOW, &mode)
      }
      TerminalRescue.disarm()
      saved = nil
      return true
    }
  }

  /// At once (TCSANOW): what is on its way out is not changed by it, and of a terminal whose reader has stopped nothing may be waited
  /// for here.
  private static func setRaw(_ mode: termios) {
    var raw = mode
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    raw.c_iflag &= ~tcflag_t(ICRNL | IXON)
    tcsetattr(0, TCSANOW, &raw)
  }
}

/// Stops the program, and whatever stands in one pipeline with it, as the terminal does: SIGTSTP for ^Z, SIGTTIN for a read from the
/// background. Returns when it is continued; at once where nobody could continue it (no shell above us), or where the signal was
/// ignored when the program started.
func stopProcess(_ number: Int32) {
  guard !Inherited.ignoredSignals.contains(number) else { return }
  var (stop, old) = (sigset_t(), sigset_t())
  sigemptyset(&stop)
  sigaddset(&stop, number)
  var (action, former) = (sigaction(), sigaction())
  #if canImport(Glibc)
    action.__sigaction_handler.sa_handler = SIG_IGN
  #else
    action.__sigaction_u.__sa_handler = SIG_IGN
  #endif
  // The others of the group first; to us it comes by `raise`, which returns only when it has been obeyed.
  sigaction(number, &action, &former)
  kill(0, number)
  // Once more: what a thread had blocked just then (its handler ran) is pending, and this discards it; else it would stop us again.
  sigaction(number, &action, nil)
  #if canImport(Glibc)
    action.__sigaction_handler.sa_handler = SIG_DFL
  #else
    action.__sigaction_u.__sa_handler = SIG_DFL
  #endif
  sigaction(number, &action, nil)
  pthread_sigmask(SIG_UNBLOCK, &stop, &old)
  raise(number)
  pthread_sigmask(SIG_SETMASK, &old, nil)
  // ^Z that was still held down when the terminal had its own mode back: this stop was for that too.
  if number == SIGTSTP { _ = WakePipe.takeStopRequest() }
  sigaction(number, &former, nil)
}

/// Waits, stopped, until the terminal is ours, as any program does that reads from it in the background. False where nobody will ever
/// give it to us: then the signal has no effect.
func waitForTerminal() -> Bool {
  var misses = 0
  while !ownsTerminal {
    let before = ContinuousClock.now
    stopProcess(SIGTTIN)
    // Whoever was stopped was so for longer than a system call takes.
    if before.duration(to: .now) < .milliseconds(1) { misses += 1 }
    if misses > 20 { return false }
  }
  return true
}
