import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads single keys while work runs in the foreground. The terminal is in our mode only between `start` and `stop`; what runs
/// afterwards (the prompt, another program) finds it as it was.
public final class ForegroundKeys: Sendable {
  private struct State {
    var handler: (@Sendable (Key) -> Void)?
    var hasThread = false
  }

  private let state = Mutex(State())
  private let wake: WakePipe
  private let mode = TerminalMode()
  /// Rung by the thread when it has seen that nobody wants keys any more: only then is the terminal another's.
  private let stopped = Bell()

  /// Nil where standard input is no terminal, or one without keys of its own.
  public init?() {
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    guard isatty(0) == 1, tcgetpgrp(0) == getpgrp(), !term.isEmpty, term != "dumb", let wake = WakePipe() else { return nil }
    self.wake = wake
  }

  /// - Parameter handler: runs on a thread of the keys' own, one key after the other.
  public func start(_ handler: @escaping @Sendable (Key) -> Void) {
    let needsThread = state.withLock { state in
      state.handler = handler
      defer { state.hasThread = true }
      return !state.hasThread
    }
    mode.enter(pastes: false)
    if needsThread {
      wake.receiveSignals()
      startThread { [weak self] in self?.run() }
    } else {
      wake.wake()
    }
  }

  /// Gives the terminal back. Blocks for as long as the thread takes to notice: microseconds.
  public func stop() {
    let wasReading = state.withLock { state in
      defer { state.handler = nil }
      return state.handler != nil
    }
    guard wasReading else { return }
    wake.wake()
    stopped.wait()
    mode.leave(pastes: false)
  }

  /// ^Z where there is no prompt to go back to: the shell above takes over until it says go on.
  public func suspend() {
    mode.leave(pastes: false)
    stopProcess()
    mode.enter(pastes: false)
  }

  private func run() {
    var keys = KeyReader()
    var isReading = true
    while true {
      let handler = state.withLock { $0.handler }
      if handler == nil, isReading {
        isReading = false
        keys = KeyReader()
        stopped.ring()
      }
      if handler != nil { isReading = true }
      var set = fd_set()
      withUnsafeMutableBytes(of: &set) { bits in
        for descriptor in (isReading ? [0, wake.readEnd] : [wake.readEnd]).map(Int.init) {
          bits[descriptor / 8] |= 1 << UInt8(descriptor % 8)
        }
      }
      var timeout = timeval(tv_sec: 0, tv_usec: 40_000)
      let ready = keys.isEmpty ? select(wake.readEnd + 1, &set, nil, nil, nil) : select(wake.readEnd + 1, &set, nil, nil, &timeout)
      if ready < 0, errno != EINTR { return }
      if ready < 0 { continue }
      if ready == 0 { keys.becomeLate() }
      let isKey = ready > 0 && withUnsafeBytes(of: &set) { $0[0] & 1 != 0 }
      if ready > 0, withUnsafeBytes(of: &set, { $0[Int(wake.readEnd) / 8] & (1 << UInt8(wake.readEnd % 8)) != 0 }) {
        let signals = wake.clear()
        if isReading, signals.contains(SIGTSTP) { suspend() }
        if isReading, signals.contains(SIGCONT) { mode.renew(pastes: false) }
        continue
      }
      if isKey {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = readBytes(0, &bytes, bytes.count)
        if count > 0 { keys.append(bytes.prefix(count)) }
        // The terminal went away: the signal for that ends the program.
        if count == 0 { return }
      }
      while let key = keys.next() { handler?(key) }
    }
  }
}
