import Interpreter
import Terminal
import Threads

/// Standard input and the terminal, while another program has them.
extension Console {
  /// Shows a long text with $PAGER (`less -S` where it is not set), on a thread of its own: whoever reads takes his time. False where
  /// it fits the screen, or there is no pager (`PAGER=`).
  func page(_ text: String) async -> Bool {
    guard let size = Descriptor.size(1) else { return false }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count > size.rows - 2 || lines.contains(where: { StyledText(String($0)).width > size.columns }) else { return false }
    let pager = HostSystem.variable("PAGER") ?? "less -S"
    if pager.allSatisfy(\.isWhitespace) { return false }
    let clean = ControlGuard.clean(text) + "\n"
    let status = await onOwnThread { try? self.lend { () throws(FileProblem) in try Child.run(pager, reading: clean) } }
    // 126 and 127 are the shell's, for what it cannot run.
    return status.flatMap { $0 }.map { $0 != 126 && $0 != 127 } ?? false
  }

  /// Runs something that has the terminal to itself: nothing of ours is drawn, and keys are not ours.
  func lend<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    let columns = columns
    state.withLock { $0.clearStage(columns) }
    // Who has a terminal reads it, or is gone.
    try? flush()
    let keys = keys.withLock { $0 }
    keys?.lend()
    lent.add(1, ordering: .relaxed)
    defer {
      lent.subtract(1, ordering: .relaxed)
      keys?.takeBack()
    }
    return try body()
  }

  /// Whether ^C of the terminal is another program's: it gets it too, and does with it what it likes.
  var isLent: Bool { lent.load(ordering: .relaxed) > 0 }

  /// Standard input is read by somebody else from now on, until the line is done: its keys are not ours.
  func leaveStandardInput() {
    hook { $0.onKey = nil }
    let isFirst = state.withLock { state in
      defer { state.hasLeftInput = true }
      return !state.hasLeftInput
    }
    if isFirst { keys.withLock { $0 }?.lend() }
  }
}
