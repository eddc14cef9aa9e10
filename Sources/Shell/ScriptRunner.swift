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
    return isTerminating ? await terminated() : finished(status)
  }

  private func runScript(_ source: Source) async -> Int32 {
    signals.install()
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
    signals.onInterrupt(nil)
    if wasInterrupted.load(ordering: .relaxed) {
      if case .failure(let diagnostic as Diagnostic) = result { console.note(diagnostic.formatted()) }
      for line in Recovered.write(session) { console.note(line) }
      return ExitStatus.interrupted
    }
    return status(of: result)
  }

  /// What was cancelled ends by itself, and at once. Where something does not, the program ends without it: a ^C is never in vain.
  private func endSoon(_ over: Bell) {
    guard !isEnding.exchange(true, ordering: .relaxed) else { return }
    let limit = forcedEnd
    startThread { [self] in if !over.wait(milliseconds: limit) { leaveNow() } }
  }

  /// How long what was interrupted may take to end, in milliseconds: answers under way are brought into their file, nothing else takes
  /// time.
  var forcedEnd: Int { console.foregroundJob == nil ? 800 : 2000 }

  /// Leaves the program on ^C, whatever else still runs in it.
  func leaveNow() -> Never {
    rescueTerminal()
    exitNow(ExitStatus.interrupted)
  }

  /// The orderly end on a signal: every stream is closed, what finished is kept (files that are being written, here and in the
  /// background, are brought to their end), and the program is gone soon, whatever else holds it up.
  func terminate(_ number: Int32, _ work: Work?) {
    guard terminating.exchange(number, ordering: .relaxed) == 0 else { return }
    session.noteTermination()
    let over = Bell()
    // A thread, not a task: those that tasks run on may all be busy with what does not end.
    let isWatched = startThread { [self] in
      _ = over.wait(milliseconds: 2000)
      for line in Recovered.write(session) { console.note(line) }
      // Whoever reads our output may have stopped reading.
      let start = ContinuousClock.now
      try? console.flush { start.duration(to: .now) > .milliseconds(300) }
      host.close()
      rescueTerminal()
      exitNow(128 + number)
    }
    rescueTerminal()
    guard isWatched else {
      _ = Recovered.write(session)
      exitNow(128 + number)
    }
    work?.cancel()
    session.cancelAll()
    Task { [session] in
      await work?.end()
      await session.jobsEnded()
      over.ring()
    }
  }

  /// Waits for the ends of cancelled jobs, two seconds at most.
  func jobsSettled() async {
    if session.jobs.isEmpty { return }
    let over = Bell()
    Task { [session] in
      await session.jobsEnded()
      over.ring()
    }
    await withCheckedContinuation { continuation in
      let isWaiting = startThread {
        _ = over.wait(milliseconds: 2000)
        continuation.resume()
      }
      if !isWaiting { continuation.resume() }
    }
  }

  var isTerminating: Bool { terminating.load(ordering: .relaxed) != 0 }

  /// Waits for the end that a signal has begun.
  func terminated() async -> Int32 {
    for await _ in AsyncStream<Never>.makeStream().stream {}
    return 128 + terminating.load(ordering: .relaxed)
  }

  /// ^C in a script. The first: nothing more is sent, what is in flight ends, and the first statement that would send ends the script.
  /// What sends nothing goes on, so that answers which have come are saved; but a script that only computes ends after a moment. The
  /// next closes the streams.
  private func interruptScript(_ count: Int, cancel: @escaping @Sendable () -> Void) {
    let end: @Sendable () -> Void = { [self] in
      session.cancelAll()
      console.foregroundJob?.cancel()
      cancel()
    }
    guard count == 1 else { return end() }
    if let inFlight = session.stopSending() {
      let rest = inFlight == 0 ? "" : "; letting \(inFlight) in flight finish"
      return console.note("nothing more is sent\(rest); ^C once more cancels \(inFlight == 0 ? "what runs" : "them")")
    }
    // Nothing was ever sent: there is nothing to lose.
    if console.limiter.lanes().isEmpty { return end() }
    let isTimed = startThread {
      _ = Bell().wait(milliseconds: 500)
      end()
    }
    if !isTimed { end() }
  }

  /// What ^C does, one after the other.
  func interrupter(cancel: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
    let count = Atomic(0)
    return { [self] in interrupt(count.add(1, ordering: .relaxed).newValue, cancel: cancel) }
  }

  /// Whether it would be a loss to end a job at once: it has sent several prompts.
  private func hasAnswers(_ job: Job) -> Bool {
    let progress = job.progress
    return (progress.total ?? 2) != 1 && progress.launched > 0
  }

  /// ^C: the first lets what is in flight finish, where there is such a thing; the next cancels that too. A line that only waits for a
  /// job of the background waits no more.
  func interrupt(_ count: Int, cancel: () -> Void) {
    if let job = console.foregroundJob, session.endWait(for: job) { return }
    if count == 1, let job = console.foregroundJob, hasAnswers(job) {
      job.stopLaunching()
      let progress = job.progress
      let rest = progress.total.map { $0 - progress.succeeded - progress.skipped - progress.begun } ?? 0
      let keeps = rest > 0 ? "; `retry \(job.variable ?? "_")` will send the \(rest) left" : ""
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
    // `promptsh … | head` has what it wanted.
    case .failure(let diagnostic as Diagnostic) where console.isReaderGone && diagnostic.message.contains("standard output: "):
      return ExitStatus.readerGone
    case .failure(let diagnostic as Diagnostic):
      console.note(diagnostic.formatted())
      return ExitStatus.scriptFailed
    case .failure(is CancellationError): return ExitStatus.interrupted
    case .failure(let error):
      console.note("error: \(error)")
      return ExitStatus.scriptFailed
    }
    return session.unansweredPrompts > 0 || session.hasKeptBeside ? ExitStatus.promptsFailed : ExitStatus.fine
  }

  /// Waits for whoever reads what was written; ^C ends that too. After a ^C a reader who has stopped is not waited for.
  func finished(_ status: Int32) -> Int32 {
    signals.onInterrupt { exitNow(ExitStatus.interrupted) }
    host.close()
    let start = ContinuousClock.now
    func hasWaited() -> Bool { status == ExitStatus.interrupted && start.duration(to: .now) > .milliseconds(300) }
    do throws(OutputProblem) {
      try console.flush { hasWaited() }
      return status
    } catch  where error.isReaderGone {
      try? console.flush { hasWaited() }
      return status == ExitStatus.fine ? ExitStatus.readerGone : status
    } catch {
      // Of a terminal that is gone: the signal that says so is on its way, or was for somebody else.
      if error.isHangUp { return 128 + SIGHUP }
      console.note("error: \(error.description)")
      try? console.flush { hasWaited() }
      return ExitStatus.scriptFailed
    }
  }
}
