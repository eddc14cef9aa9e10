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
///
/// The editor and the keys of the foreground read the terminal in turn. Between them it stays in our mode where a prompt lives: what is
/// typed just then is neither echoed nor taken by the system (^C would drop what was typed before it, ^D be lost).
final class TerminalMode: Sendable {
  /// Of the one terminal that a program has.
  static let ofInput = TerminalMode()

  private struct State {
    /// As it was found; nil while it is in no mode of ours.
    var found: FoundMode?
    /// Whether one of ours reads keys.
    var isRead = false
    /// Whether it stays ours between two readers.
    var isKept = false
  }

  private let state = Mutex(State())

  private init() {}

  /// Whether one of ours reads keys now.
  var isRead: Bool { state.withLock { $0.isRead } }

  /// From now on, or no longer, the mode stays between two readers.
  func keep(_ isKept: Bool) { state.withLock { $0.isKept = isKept } }

  /// For one who reads keys.
  ///
  /// - Parameter pastes: whether pasted text comes marked as such.
  /// - Returns: whether the terminal is in our mode, now or already.
  @discardableResult
  func enter(pastes: Bool) -> Bool {
    state.withLock { state in
      guard ownsTerminal else { return false }
      if state.found != nil, state.isRead { return true }
      guard let mode = FoundMode() else { return false }
      state.isRead = true
      // Between two readers somebody may have changed it.
      if let found = state.found, TerminalMode.isRaw(mode, of: found) { return true }
      let found = state.found ?? mode
      state.found = found
      TerminalMode.setRaw(found)
      if pastes { Screen.tell(.markPastes(true)) }
      return true
    }
  }

  /// Nobody of ours reads for the moment.
  func rest(pastes: Bool) {
    let isKept = state.withLock { state in
      state.isRead = false
      return state.isKept
    }
    if !isKept { leave(pastes: pastes) }
  }

  /// ^C is a signal again; all else is as it was. What was typed before can be read, and none typed from now on is missed.
  ///
  /// - Returns: whether the mode is ours, so that what can be read are keys.
  func obeyInterrupts() -> Bool {
    state.withLock { state in
      guard let found = state.found, ownsTerminal, !TerminalRescue.isOver else { return false }
      let raw = TerminalMode.raw(found)
      found.set(input: raw.input, local: raw.local | found.flags.local & tcflag_t(ISIG))
      return true
    }
  }

  /// Another program has the terminal, but not while one of ours reads.
  func lend(pastes: Bool) {
    if !isRead { leave(pastes: pastes) }
  }

  /// After the program was stopped and continued: whoever had the terminal meanwhile may have left it otherwise. A program that goes
  /// on in the background has no mode, until it is in front and enters it anew.
  func renew(pastes: Bool) {
    state.withLock { state in
      guard let mode = state.found else { return }
      guard ownsTerminal else {
        TerminalRescue.disarm()
        (state.found, state.isRead) = (nil, false)
        return
      }
      TerminalMode.setRaw(mode)
      if pastes { Screen.tell(.markPastes(true)) }
    }
  }

  /// The terminal is another's now, or the program stops or ends.
  ///
  /// - Returns: whether it was in our mode.
  @discardableResult
  func leave(pastes: Bool) -> Bool {
    state.withLock { state in
      guard let mode = state.found else { return false }
      if ownsTerminal {
        if pastes { Screen.tell(.markPastes(false)) }
        mode.restore()
      }
      TerminalRescue.disarm()
      (state.found, state.isRead) = (nil, false)
      return true
    }
  }

  /// Stops the program, and takes the mode up again when it goes on.
  func suspend() {
    let (wasOurs, wasRead) = (state.withLock { $0.found != nil }, isRead)
    leave(pastes: true)
    stopProcess(SIGTSTP)
    guard wasOurs, enter(pastes: true) else { return }
    if !wasRead { rest(pastes: true) }
  }

  private static func setRaw(_ mode: FoundMode) {
    if TerminalRescue.isOver { return }
    TerminalRescue.arm(mode)
    let raw = raw(mode)
    mode.set(input: raw.input, local: raw.local)
    // The end may have begun between the two, and given the terminal back before it was taken.
    if TerminalRescue.isOver { mode.restore() }
  }

  private static func raw(_ mode: FoundMode) -> (input: tcflag_t, local: tcflag_t) {
    let found = mode.flags
    return (
      found.input & ~tcflag_t(ICRNL | INLCR | IGNCR | IXON), found.local & ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    )
  }

  private static func isRaw(_ now: FoundMode, of found: FoundMode) -> Bool {
    let (now, raw, output) = (now.flags, raw(found), found.flags.output)
    return now.input == raw.input && now.local == raw.local && now.output == output
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
