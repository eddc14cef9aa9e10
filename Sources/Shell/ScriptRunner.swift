import Editor
import Interpreter
import Language
import Scheduling
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

extension ShellSession {
  /// Runs a whole script; returns the exit status, when what it wrote is written. Everything that can be checked is checked before its
  /// first statement runs.
  public func run(_ source: Source) async -> Int32 {
    let status = await runScript(source)
    // The window's end was read before its signal came.
    if console.isTerminalGone, !isTerminating, !Inherited.ignoredSignals.contains(SIGHUP) { terminate(SIGHUP, nil) }
    return isTerminating ? await terminated() : finished(status)
  }

  private func runScript(_ source: Source) async -> Int32 {
    // Also for what comes before the first statement: reading and checking may take long.
    signals.install(onInterrupt: { [self] in leaveNow() }, onTerminate: { [self] in terminate($0, nil) })
    if let news = Recovered.news() { console.note(news) }
    let failures = session.check(source)
    for diagnostic in failures where diagnostic.severity == .error { console.note(diagnostic.formatted()) }
    if failures.contains(where: { $0.severity == .error }) { return ExitStatus.misused }
    let work = Work()
    let wasInterrupted = Atomic(false)
    let over = Bell()
    let count = Atomic(0)
    let interrupted: @Sendable () -> Void = { [self] in
      wasInterrupted.store(true, ordering: .relaxed)
      session.noteInterrupt()
      interruptScript(count.add(1, ordering: .relaxed).newValue) {
        work.cancel()
        self.endSoon(over)
      }
    }
    signals.onInterrupt(interrupted)
    signals.onTerminate { [self] number in terminate(number, work) }
    // A script that runs on a terminal is steered by keys too; ^Z is the shell's that started it.
    let steering = Steering(self, onInterrupt: interrupted) { [self] in console.keys.withLock { $0 }?.suspend() }
    console.hook { $0.onKey = { steering.key($0) } }
    let result = await work.start { [session] in await session.run(source) }.value
    over.ring()
    signals.onInterrupt { [self] in leaveNow() }
    if wasInterrupted.load(ordering: .relaxed) {
      if case .failure(let diagnostic as Diagnostic) = result { console.note(diagnostic.formatted()) }
      return interruptedStatus()
    }
    return status(of: result)
  }

  /// ^C in a script. The first: nothing more is sent, what is in flight ends, and the first statement that would send ends the script.
  /// What sends nothing goes on, so that answers which have come are saved; but what then only computes ends after a moment. The next
  /// closes the streams.
  private func interruptScript(_ count: Int, cancel: @escaping @Sendable () -> Void) {
    let end: @Sendable () -> Void = { [self] in
      session.cancelAll()
      for job in console.foregroundJobs { job.cancel() }
      cancel()
    }
    guard count == 1 else { return end() }
    let inFlight = session.stopSending()
    if let inFlight, inFlight > 0 {
      console.note("nothing more is sent; letting \(inFlight) in flight finish; ^C once more cancels them")
    } else if inFlight == nil, console.limiter.lanes().isEmpty {
      // Nothing was ever sent: there is nothing to lose.
      return end()
    } else if inFlight != nil {
      console.note("nothing more is sent")
    }
    whenQuiet(end)
  }

  private func status(of result: Result<Void, any Error>) -> Int32 {
    switch result {
    case .success: break
    case .failure(let request as ExitRequest):
      if let status = request.status { return status }
    // `promptsh … | head` has what it wanted.
    case .failure(let diagnostic as Diagnostic) where console.isReaderGone && diagnostic.message.contains("standard output: "):
      return ExitStatus.readerGone
    case .failure(let diagnostic as Diagnostic):
      console.note(diagnostic.formatted())
      keepReplies()
      return ExitStatus.scriptFailed
    // By a program that ended of ^C.
    case .failure(is CancellationError): return interruptedStatus()
    case .failure(let error):
      console.note("error: \(error)")
      keepReplies()
      return ExitStatus.scriptFailed
    }
    return session.unansweredPrompts > 0 || session.hasKeptBeside ? ExitStatus.promptsFailed : ExitStatus.fine
  }

  private func interruptedStatus() -> Int32 {
    keepReplies()
    return ExitStatus.interrupted
  }
}
