import Editor
import Interpreter
import Language
import Scheduling
import Synchronization

extension ShellSession {
  /// Runs a whole script; returns the exit status. Everything that can be checked is checked before its first statement runs.
  public func run(_ source: Source) async -> Int32 {
    signals.install()
    let failures = session.check(source)
    for diagnostic in failures where diagnostic.severity == .error { console.note(diagnostic.formatted()) }
    if failures.contains(where: { $0.severity == .error }) { return ExitStatus.misused }
    let work = Task { await session.run(source) }
    let wasInterrupted = Atomic(false)
    let interrupt = interrupter { work.cancel() }
    let interrupted: @Sendable () -> Void = {
      wasInterrupted.store(true, ordering: .relaxed)
      interrupt()
    }
    signals.onInterrupt(interrupted)
    let terminated = Mutex<Int32?>(nil)
    signals.onTerminate { [self] number in
      terminated.withLock { $0 = number }
      terminate(number, work)
    }
    // A script that runs on a terminal is steered by keys too; ^Z is the shell's that started it.
    let steering = Steering(self, onInterrupt: interrupted) { [self] in console.keys.withLock { $0 }?.suspend() }
    console.onKey.withLock { $0 = { steering.key($0) } }
    let result = await work.value
    signals.onInterrupt(nil)
    if let number = terminated.withLock({ $0 }) { return finished(128 + number) }
    if wasInterrupted.load(ordering: .relaxed) { return finished(ExitStatus.interrupted) }
    return finished(status(of: result))
  }

  /// The orderly end on a signal: every stream is closed, what finished is kept (a file that is being written is brought to its end),
  /// and the program is gone soon, whatever else holds it up.
  func terminate(_ number: Int32, _ work: Task<Result<Void, any Error>, Never>?) {
    rescueTerminal()
    work?.cancel()
    session.cancelAll()
    Task {
      if work != nil { try? await Task.sleep(for: .seconds(2)) }
      exitNow(128 + number)
    }
    if session.isAttended, let work {
      Task {
        _ = await work.value
        exitNow(128 + number)
      }
    }
  }

  /// What ^C does, one after the other.
  func interrupter(cancel: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
    let count = Atomic(0)
    return { [self] in interrupt(count.add(1, ordering: .relaxed).newValue, cancel: cancel) }
  }

  /// ^C: the first lets what is in flight finish, where there is such a thing; the next cancels that too.
  func interrupt(_ count: Int, cancel: () -> Void) {
    if count == 1, let job = console.foregroundJob, (job.progress.total ?? 2) != 1 {
      session.setPaused(false, job)
      job.stopLaunching()
      let progress = job.progress
      let rest = progress.total.map { $0 - progress.succeeded - progress.inFlight - progress.waiting } ?? 0
      let keeps = rest > 0 ? "; `retry \(job.name)` will send the \(rest) left" : ""
      console.note("letting \(progress.inFlight) in flight finish; ^C once more cancels them\(keeps)")
    } else {
      console.foregroundJob?.cancel()
      cancel()
    }
  }

  private func status(of result: Result<Void, any Error>) -> Int32 {
    switch result {
    case .success: break
    case .failure(let request as ExitRequest):
      if let status = request.status { return status }
    case .failure(let diagnostic as Diagnostic):
      console.note(diagnostic.formatted())
      return ExitStatus.scriptFailed
    case .failure(is CancellationError): return ExitStatus.interrupted
    case .failure(let error):
      console.note("error: \(error)")
      return ExitStatus.scriptFailed
    }
    return session.failedPrompts > 0 ? ExitStatus.promptsFailed : ExitStatus.fine
  }

  private func finished(_ status: Int32) -> Int32 {
    do throws(OutputProblem) {
      try console.flush()
      return status
    } catch {
      console.note("error: \(error.description)")
      return ExitStatus.scriptFailed
    }
  }
}
