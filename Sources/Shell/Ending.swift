import Editor
import Interpreter
import Names
import Scheduling
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How the program ends: by itself, by ^C, by a signal. Within a second, wherever it waits and whatever does not obey, but for rows that
/// are just being brought into their file.
extension ShellSession {
  /// For what was told to end, in milliseconds; and so much more while rows are brought into a file.
  private static let patience = (usual: 500, writing: 1500)
  /// For whoever reads what is said at the end and takes no more of it, in milliseconds. Where he would take it, it is the machine that is
  /// busy, and it is waited for five times as long.
  private static let readersPatience = 200
  /// How long a script that sends no more may go on, so that it saves what it has; in milliseconds.
  private static let quiet = 400

  /// Whether what was told to end does so in time. Blocks.
  func endsSoon(_ over: Bell) -> Bool {
    over.wait(milliseconds: Self.patience.usual) || OpenRows.areWritten && over.wait(milliseconds: Self.patience.writing)
  }

  /// What was cancelled ends by itself, and at once. Where something does not, the program ends without it: a ^C is never in vain.
  func endSoon(_ over: Bell) {
    guard !isEnding.exchange(true, ordering: .relaxed) else { return }
    startThread { [self] in
      if !endsSoon(over) { leaveNow() }
    } orHere: {
      leaveNow()
    }
  }

  /// After a first ^C: once no answer is under way, no call that goes on waits for leave, and no row is being written, for a moment.
  func whenQuiet(while isWanted: @escaping @Sendable () -> Bool = { true }, _ end: @escaping @Sendable () -> Void) {
    startThread { [console, session] in
      var quiet = 0
      while isWanted(), quiet < Self.quiet {
        pauseThread(milliseconds: 50)
        // What has just ended may be on its way into a file.
        // At the prompt what runs in the background is no part of the line.
        let jobs = console.foregroundJobs
        let isSending = session.isAttended ? jobs.contains { $0.progress.inFlight > 0 } : console.limiter.inUse > 0
        let goesOn = isSending || jobs.contains { console.limiter.waiting($0) > 0 }
        quiet = goesOn || OpenRows.areWritten ? 0 : quiet + 50
      }
      if isWanted() { end() }
    } orHere: {
      end()
    }
  }

  /// Leaves the program on ^C, whatever else still runs in it.
  func leaveNow() -> Never { leave(ExitStatus.interrupted) }

  /// What no file has is written down and told of, as far as somebody reads it.
  private func leave(_ status: Int32) -> Never {
    // Where somebody is at it already, only the replies that he writes are waited for.
    let isFirst = !isLeaving.exchange(true, ordering: .relaxed)
    keepReplies()
    if !isFirst { exitNow(status) }
    let start = ContinuousClock.now
    try? console.flush { isEnough(since: start, Self.readersPatience) }
    host.close()
    rescueTerminal()
    exitNow(status)
  }

  private func isEnough(since start: ContinuousClock.Instant, _ milliseconds: Int) -> Bool {
    let waited = start.duration(to: .now)
    return waited > .milliseconds(milliseconds) && console.isStuck || waited > .milliseconds(5 * milliseconds)
  }

  /// Writes down the replies that no file has, and tells of it; once, whoever ends the program.
  func keepReplies() {
    if hasKeptReplies.exchange(true, ordering: .relaxed) {
      // Somebody is at it: his file is to be whole.
      _ = repliesAreKept.wait(milliseconds: 1000)
    } else {
      for line in Recovered.write(session) { console.note(line.oneLine) }
    }
    repliesAreKept.ring()
  }

  /// The orderly end on a signal: every stream is closed, programs that we started are told, what finished is kept (files that are being
  /// written, here and in the background, are brought to their end), and the program is gone soon, whatever else holds it up.
  func terminate(_ number: Int32, _ work: Work?) {
    guard terminating.exchange(number, ordering: .relaxed) == 0 else { return }
    session.noteTermination()
    rescueTerminal()
    LentTerminal.noteEnd()
    let children = Child.signalAll(number)
    let over = Bell()
    // A thread, not a task: those that tasks run on may all be busy with what does not end.
    startThread { [self] in
      _ = endsSoon(over)
      Child.awaitEnds(of: children, milliseconds: Self.patience.usual)
      LentTerminal.restore()
      leave(128 + number)
    } orHere: {
      keepReplies()
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
    _ = await onOwnThread { over.wait(milliseconds: 2000) }
  }

  var isTerminating: Bool { terminating.load(ordering: .relaxed) != 0 }

  /// Waits for the end that a signal has begun.
  func terminated() async -> Int32 {
    for await _ in AsyncStream<Never>.makeStream().stream {}
    return 128 + terminating.load(ordering: .relaxed)
  }

  /// Waits for whoever reads what was written; ^C ends that too. After a ^C a reader who has stopped is not waited for.
  func finished(_ status: Int32) -> Int32 {
    signals.onInterrupt {
      rescueTerminal()
      exitNow(ExitStatus.interrupted)
    }
    host.close()
    let start = ContinuousClock.now
    func hasWaited() -> Bool { status == ExitStatus.interrupted && isEnough(since: start, 300) }
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
