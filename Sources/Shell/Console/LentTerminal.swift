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
  private struct State {
    var mode: FoundMode?
    /// The program ends: what is known now is what is restored.
    var isEnding = false
  }

  private static let state = Mutex(State())

  /// - Returns: what stood here before, for `takeBack`: an editor may be given the terminal while another program has it.
  static func lend() -> FoundMode? {
    // While a line is edited the mode is ours, and what runs behind it has no terminal.
    let now = ownsTerminal ? FoundMode() : nil
    let isThere = now.map { $0.flags.local & tcflag_t(ICANON) != 0 } ?? false
    return state.withLock { state in
      let before = state.mode
      if before == nil, isThere { state.mode = now }
      return before
    }
  }

  static func takeBack(_ before: FoundMode?) {
    state.withLock { if !$0.isEnding { $0.mode = before } }
  }

  /// The program ends, and tells others to: whoever has the terminal then may still change it on his way out.
  static func noteEnd() { state.withLock { $0.isEnding = true } }

  /// Once they have ended.
  static func restore() {
    if ownsTerminal { state.withLock { $0.mode }?.restore() }
  }
}
