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
    let status = try? await lending { (handle) throws(FileProblem) in try Child.run(Child.chosen(pager), reading: clean, handle: handle) }
    // 126 and 127 are the shell's, for what it cannot run.
    return status.map { $0 != 126 && $0 != 127 } ?? false
  }

  /// Runs another program, which has the terminal to itself, on a thread of its own: those of tasks are few. Whoever is cancelled
  /// interrupts it.
  func lending<T: Sendable>(_ body: @escaping @Sendable (Child.Handle) throws(FileProblem) -> T) async throws(FileProblem) -> T {
    let handle = Child.Handle()
    let result = await withTaskCancellationHandler {
      await onOwnThread { [self] () -> Result<T, FileProblem> in
        do throws(FileProblem) { return .success(try lend(to: handle, body)) } catch { return .failure(error) }
      }
    } onCancel: {
      handle.interrupt()
    }
    guard let result else { throw FileProblem("the system gives no thread to wait for it (`ulimit -u`)") }
    return try result.get()
  }

  /// The same on this thread. Nothing of ours is drawn meanwhile, and keys are not ours.
  func lend<Result, Failure: Error>(
    to handle: Child.Handle, _ body: (Child.Handle) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let columns = columns
    let keys = keys.withLock { $0 }
    return try handle.whileRegistered { () throws(Failure) in
      keys?.lend()
      lent.add(1, ordering: .relaxed)
      defer {
        lent.subtract(1, ordering: .relaxed)
        keys?.takeBack()
      }
      // Only now, when no key and no progress draws any more: what is drawn later would be taken away again over the other's output.
      state.withLock { $0.clearStage(columns) }
      flushFirst { handle.isInterrupted }
      let found = LentTerminal.lend()
      defer { LentTerminal.takeBack(found) }
      return try body(handle)
    }
  }

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
