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
    let interrupts = Mutex(0)
    signals.onInterrupt { [self] in
      let count = interrupts.withLock { count in
        count += 1
        return count
      }
      interrupt(count) { work.cancel() }
    }
    let terminated = Mutex<Int32?>(nil)
    signals.onTerminate { [self] number in
      terminated.withLock { $0 = number }
      work.cancel()
      session.cancelAll()
    }
    let result = await work.value
    signals.onInterrupt(nil)
    if let number = terminated.withLock({ $0 }) { return finished(128 + number) }
    if interrupts.withLock({ $0 }) > 0 { return finished(ExitStatus.interrupted) }
    return finished(status(of: result))
  }

  /// ^C: the first lets what is in flight finish, where there is such a thing; the next cancels that too.
  func interrupt(_ count: Int, cancel: () -> Void) {
    if count == 1, let job = console.foregroundJob, (job.progress.total ?? 2) != 1 {
      session.setPaused(false, job)
      job.stopLaunching()
      console.note("letting \(job.progress.inFlight) in flight finish; ^C once more cancels them")
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
