import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Reads entries from a terminal that is not edited on: the system's own lines, and nothing is drawn anew.
public final class PlainLines: Sendable {
  private struct State {
    /// What has been read and not been used.
    var bytes: [UInt8] = []
    var isInterrupted = false
    /// What the system holds was there before a process sent SIGINT.
    var dropsInput = false

    /// Keys that were pressed while something ran, whether we have read them or still the system has: Enter is no line end yet.
    mutating func add(_ more: some Sequence<UInt8>) { bytes += more.map { $0 == 0x0D ? 0x0A : $0 } }
  }

  private let state = Mutex(State())
  private let wake: WakePipe
  private let history: History
  private let delegate: EditorDelegate
  private let show: @Sendable (String) async -> Bool

  private enum Line: Sendable {
    case text(String)
    case other(Edited)
  }

  /// - Parameter show: writes a prompt; false where nothing can be written any more.
  /// - Returns: nil where the system gives no pipe.
  public init?(history: History, delegate: EditorDelegate, show: @escaping @Sendable (String) async -> Bool) {
    guard let wake = WakePipe() else { return nil }
    (self.wake, self.history, self.delegate, self.show) = (wake, history, delegate, show)
  }

  /// Reads one statement, over as many lines as it takes.
  ///
  /// - Parameter initial: stands there to begin with.
  public func read(continuation: String, initial: String) async -> Edited {
    state.withLock { ($0.isInterrupted, $0.dropsInput) = (false, false) }
    guard await show(delegate.prompt() + initial) else { return .gone }
    var text = initial
    while true {
      switch await line() {
      case .text(let line): text += line
      // The end within a statement: what is there of it is tried, and told of.
      case .other(.end) where !text.isEmpty && text != initial: return .text(text)
      case .other(let outcome):
        // Neither ^C nor ^D has gone on to the next row.
        if outcome != .gone { _ = await show("\n") }
        return outcome
      }
      if delegate.isComplete(text) {
        history.add(text)
        return .text(text)
      }
      text += "\n"
      guard await show(continuation) else { return .gone }
    }
  }

  /// ^C: the line that was begun is dropped, and so is the statement.
  ///
  /// - Parameter isKey: whether the key was pressed: then the system has dropped what it held, and what it holds now came later.
  public func interrupt(isKey: Bool) {
    state.withLock { state in
      state.isInterrupted = true
      if !isKey { state.dropsInput = true }
    }
    wake.wake()
  }

  private func line() async -> Line {
    while true {
      if let text = takeLine() { return .text(text) }
      // A read takes as long as somebody types.
      guard let outcome = await onOwnThread({ [self] in fill() }) else { return .other(.gone) }
      if let outcome { return .other(outcome) }
    }
  }

  /// What was read before, up to the end of a line.
  private func takeLine() -> String? {
    let pending = PendingInput.take()
    return state.withLock { state in
      state.add(pending)
      guard let end = state.bytes.firstIndex(of: 0x0A) else { return nil }
      defer { state.bytes.removeSubrange(...end) }
      return String(decoding: state.bytes[..<end], as: UTF8.self)
    }
  }

  /// Reads on. Nil where there is more now.
  private func fill() -> Edited? {
    while true {
      // In the background, a read that nobody can answer would be an error: whoever asks is stopped until it is in front.
      guard waitForTerminal() else { return .gone }
      let ready = waitForInput(0, wake: wake.readEnd)
      if ready.isBroken { return .gone }
      if ready.isWoken {
        _ = wake.clear()
        let isInterrupted = state.withLock { state in
          defer { (state.isInterrupted, state.dropsInput) = (false, false) }
          if state.isInterrupted { state.bytes = [] }
          // What stands on the line that is not entered yet.
          if state.dropsInput { tcflush(0, TCIFLUSH) }
          return state.isInterrupted
        }
        if isInterrupted { return .abandoned }
      }
      guard ready.hasInput, ownsTerminal else { continue }
      var bytes = [UInt8](repeating: 0, count: 65_536)
      let count = readBytes(0, &bytes, bytes.count)
      if count > 0 {
        state.withLock { $0.add(bytes[..<count]) }
        return nil
      }
      if count == 0 { return hasHungUp(0) ? .gone : .end }
      if errno != EINTR && errno != EAGAIN { return .gone }
    }
  }
}
