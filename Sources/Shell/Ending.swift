import Editor
import Interpreter
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
  /// For whoever reads what is said at the end, in milliseconds.
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
    let isWatched = startThread { [self] in if !endsSoon(over) { leaveNow() } }
    if !isWatched { leaveNow() }
  }

  /// After a first ^C: once no answer is under way and no row is being written, and that for a moment.
  func whenQuiet(while isWanted: @escaping @Sendable () -> Bool = { true }, _ end: @escaping @Sendable () -> Void) {
    let isTimed = startThread { [console] in
      let never = Bell()
      var quiet = 0
      while isWanted(), quiet < Self.quiet {
        _ = never.wait(milliseconds: 50)
        // What has just ended may be on its way into a file.
        quiet = console.limiter.inUse > 0 || OpenRows.areWritten ? 0 : quiet + 50
      }
      if isWanted() { end() }
    }
    if !isTimed { end() }
  }

  /// Leaves the program on ^C, whatever else still runs in it.
  func leaveNow() -> Never { leave(ExitStatus.interrupted) }

  /// What no file has is written down and told of, as far as somebody reads it.
  private func leave(_ status: Int32) -> Never {
    // Somebody is at it already, and is asked to hurry.
    if isLeaving.exchange(true, ordering: .relaxed) { exitNow(status) }
    keepReplies()
    let start = ContinuousClock.now
    try? console.flush { start.duration(to: .now) > .milliseconds(Self.readersPatience) }
    host.close()
    rescueTerminal()
    exitNow(status)
  }

  /// Writes down the replies that no file has, and tells of it; once, whoever ends the program.
  func keepReplies() {
    if hasKeptReplies.exchange(true, ordering: .relaxed) {
      // Somebody is at it: his file is to be whole.
      _ = repliesAreKept.wait(milliseconds: 1000)
    } else {
      for line in Recovered.write(session) { console.note(line) }
    }
    repliesAreKept.ring()
  }

  /// The orderly end on a signal: every stream is closed, programs that we started are told, what finished is kept (files that are being
  /// written, here and in the background, are brought to their end), and the program is gone soon, whatever else holds it up.
  func terminate(_ number: Int32, _ work: Work?) {
    guard terminating.exchange(number, ordering: .relaxed) == 0 else { return }
    session.noteTermination()
    let over = Bell()
    // A thread, not a task: those that tasks run on may all be busy with what does not end.
    let isWatched = startThread { [self] in
      _ = endsSoon(over)
      leave(128 + number)
    }
    rescueTerminal()
    Child.signalAll(number)
    guard isWatched else {
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
