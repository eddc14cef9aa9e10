import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads single keys while work runs in the foreground. The terminal is in our mode only while somebody holds the keys (and where a
/// prompt lives, until another program has it); what runs afterwards finds it as it was. And only while it is ours: a program that the
/// shell sent to the background reads no keys until it is in front again.
///
/// One thread reads, and enters and leaves the mode for all who hold keys, so that the two never disagree, whoever takes and gives back
/// when. The editor has the mode in between (`TerminalMode`), never at the same time.
public final class ForegroundKeys: Sendable {
  /// Who may hold the keys; the higher one gets them.
  public enum Holder: Int, Sendable, CaseIterable {
    /// What runs in the foreground.
    case work
    /// Something that fills the screen until a key is pressed.
    case screen
  }

  private struct State {
    /// How often each holds them. Taking and giving back may arrive in either order, so these only add up.
    var counts = [Int](repeating: 0, count: Holder.allCases.count)
    var handlers = [(@Sendable (Key) -> Void)?](repeating: nil, count: Holder.allCases.count)
    var hasThread = false
    /// How many others have the terminal now, whoever holds the keys.
    var lent = 0
    /// Whether the terminal stays in our mode while nobody holds the keys.
    var keepsTerminal = false

    /// False where the thread has begun already.
    mutating func begin() -> Bool {
      defer { hasThread = true }
      return !hasThread
    }

    var handler: (@Sendable (Key) -> Void)? {
      lent > 0 ? nil : holder
    }
    /// Who has them, or would have.
    var holder: (@Sendable (Key) -> Void)? { Holder.allCases.last { counts[$0.rawValue] > 0 }.flatMap { handlers[$0.rawValue] } }
  }

  private let state = Mutex(State())
  private let wake: WakePipe
  private let mode = TerminalMode.ofInput
  /// Given by the thread when it has seen who holds the keys: only then is the terminal another's.
  private let seen = Acknowledgement()

  /// Nil where standard input is no terminal, or one without keys of its own.
  public init?() {
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    guard isatty(0) == 1, !term.isEmpty, term != "dumb", let wake = WakePipe() else { return nil }
    self.wake = wake
  }

  /// Takes the keys; each call needs a `giveBack`.
  ///
  /// - Parameter handler: runs on a thread of the keys' own, one key after the other.
  public func take(_ holder: Holder, _ handler: @escaping @Sendable (Key) -> Void) {
    let hasThread = state.withLock { state in
      state.counts[holder.rawValue] += 1
      state.handlers[holder.rawValue] = handler
      return state.hasThread
    }
    if hasThread { wake.wake() } else { begin() }
  }

  private func begin() {
    guard state.withLock({ $0.begin() }) else { return }
    wake.receiveSignals()
    // Without a thread there are no keys; signals still steer.
    startThread { [self] in
      run()
    } orHere: {
      end()
    }
  }

  private func end() {
    mode.keep(false)
    mode.leave(pastes: true)
    seen.leave()
  }

  /// For a prompt: from now on the terminal stays in our mode between its lines and what they run. Blocks as `giveBack` does.
  public func keepTerminal() { keepTerminal(true) }
  /// The prompt ends: the terminal is as it was found. Blocks as `giveBack` does.
  public func releaseTerminal() { keepTerminal(false) }

  private func keepTerminal(_ isKept: Bool) {
    state.withLock { $0.keepsTerminal = isKept }
    begin()
    notice()
  }

  /// Another program has the terminal until `takeBack`, whoever holds the keys. Blocks as `giveBack` does.
  public func lend() { lend(1) }
  public func takeBack() { lend(-1) }

  private func lend(_ change: Int) {
    let hasThread = state.withLock { state in
      state.lent += change
      return state.hasThread
    }
    if hasThread { notice() }
  }

  /// Gives the keys back, and with the last holder the terminal. Blocks for as long as the thread takes to notice: microseconds.
  public func giveBack(_ holder: Holder) {
    let hasThread = state.withLock { state in
      state.counts[holder.rawValue] -= 1
      return state.hasThread
    }
    if hasThread { notice() }
  }

  /// Returns when the thread has seen how things stand, and the terminal is as it is to be.
  private func notice() {
    let number = seen.ask()
    wake.wake()
    seen.wait(for: number)
  }

  /// ^Z where there is no prompt to go back to: the shell above takes over until it says go on. For the handler: on the keys' thread.
  public func suspend() { mode.suspend() }

  /// How often a program in the background looks whether it is in front: a shell need not tell one that runs.
  private static let look: Int32 = 250

  private func run() {
    defer { end() }
    var keys = KeyReader()
    var (isReading, isKept, wasLent) = (false, false, false)
    while true {
      let asked = seen.asked
      let (handler, holder, isLent, keepsTerminal) = state.withLock { ($0.handler, $0.holder, $0.lent > 0, $0.keepsTerminal) }
      if keepsTerminal != isKept {
        isKept = keepsTerminal
        mode.keep(isKept)
        if isKept, mode.enter(pastes: true) { mode.rest(pastes: true) }
        if !isKept, handler == nil { mode.leave(pastes: true) }
      }
      var isFront = handler != nil && mode.enter(pastes: true)
      if handler != nil {
        if !isReading {
          // Asked to stop while the keys were given from one to the other: each may have left it to us.
          if WakePipe.takeStopRequest() { suspend() }
          keys.append(PendingInput.take())
        }
      } else {
        // What was typed so far is no other program's, and a ^C in it would be a letter to that.
        if isLent, !wasLent, let holder, !mode.isRead || isReading {
          if !isReading { keys.append(PendingInput.take()) }
          if mode.obeyInterrupts(), waitForInput(0, wake: -1, milliseconds: 0).hasInput { _ = read(&keys) }
          hand(&keys, to: holder)
          if !isReading { PendingInput.leave(keys.takeRest()) }
        }
        if isReading {
          PendingInput.leave(keys.takeRest())
          mode.rest(pastes: true)
        }
        // Perhaps taken and lent before we looked.
        if isLent { mode.lend(pastes: true) }
      }
      (isReading, wasLent) = (handler != nil, isLent)
      seen.acknowledge(asked)
      if let handler { hand(&keys, to: handler) }
      // One of the keys may have stopped us, and the shell may have sent us on behind somebody else: his keys are not ours to read.
      isFront = isFront && mode.enter(pastes: true)
      let limit: Int32 = isFront ? (keys.awaitsMore ? 40 : -1) : handler == nil ? -1 : Self.look
      let ready = waitForInput(isFront ? 0 : -1, wake: wake.readEnd, milliseconds: limit)
      if ready.isBroken { return }
      if ready.isLate, isFront { keys.becomeLate() }
      if ready.isWoken {
        let signals = wake.clear()
        // Who has the terminal in a mode of his own gives it back first; the editor sees to that itself.
        if signals.contains(SIGTSTP), handler != nil || !mode.isRead, WakePipe.takeStopRequest() { suspend() }
        if handler != nil, signals.contains(SIGCONT) { mode.renew(pastes: true) }
        continue
      }
      if ready.hasInput {
        let (count, failure) = read(&keys)
        // It was given to somebody else just then, and may be ours again by now.
        if failure == EIO, !hasHungUp(0) {
          if !ownsTerminal { mode.leave(pastes: true) }
          continue
        }
        // The terminal went away: the signal for that ends the program.
        if count == 0 || ![0, EINTR, EAGAIN].contains(failure) { return }
      }
    }
  }

  private func read(_ keys: inout KeyReader) -> (count: Int, failure: Int32) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = readBytes(0, &bytes, bytes.count)
    let failure = count < 0 ? errno : 0
    if count > 0 { keys.append(bytes.prefix(count)) }
    return (count, failure)
  }

  private func hand(_ keys: inout KeyReader, to handler: (Key) -> Void) {
    while let key = keys.next() {
      // Alone it means nothing here.
      if key == .escape { keys.holdMeta() } else { handler(key) }
      // Else whoever brings the program back would see it stopped again, once for each.
      if key == .stop { keys.dropRepeats(of: 0x1A) }
    }
  }
}
