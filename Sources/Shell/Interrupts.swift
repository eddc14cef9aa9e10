import Interpreter
import Scheduling
import Threads

/// ^C at the prompt.
extension ShellSession {
  /// What ^C does while a line runs, one after the other.
  ///
  /// - Parameter isRunning: whether the line still has the foreground.
  func interrupter(
    _ line: LineInHand, isRunning: @escaping @Sendable () -> Bool, cancel: @escaping @Sendable () -> Void
  ) -> @Sendable () -> Void {
    let count = Atomic(0)
    return { [self] in
      // A line that only waits for a job of the background waits no more.
      if let job = console.foregroundJob, session.endWait(for: job) { return }
      interrupt(count.add(1, ordering: .relaxed).newValue, line, isRunning) { [self] in
        for job in console.foregroundJobs { job.cancel() }
        cancel()
      }
    }
  }

  /// Whether it would be a loss to end a job at once: it has sent several prompts.
  private func hasAnswers(_ job: Job) -> Bool {
    let progress = job.progress
    return (progress.total ?? 2) != 1 && progress.launched > 0
  }

  /// ^C: the first lets what is in flight finish, where there is such a thing, and rows that have begun go on with their next calls. The
  /// line begins nothing more, tries nothing again, and waits for no server that is silent, away or refuses. The next cancels the rest,
  /// too. So does the first, once nothing is in flight or waits to be, and the line goes on all the same.
  private func interrupt(
    _ count: Int, _ line: LineInHand, _ isRunning: @escaping @Sendable () -> Bool, cancel: @escaping @Sendable () -> Void
  ) {
    let jobs = console.foregroundJobs
    guard count == 1, jobs.contains(where: hasAnswers) else { return cancel() }
    line.stopSending()
    for job in jobs {
      job.stopLaunching()
      console.limiter.stopTrying(job)
    }
    // What can be sent again is told when it is over, by what the variable holds then.
    let inFlight = jobs.reduce(0) { $0 + $1.progress.inFlight }
    let waiting = jobs.reduce(0) { $0 + console.limiter.waiting($1) }
    let left = [(inFlight, "in flight"), (waiting, "between two calls")].filter { $0.0 > 0 }.map { "\($0) \($1)" }
    console.note(
      left.isEmpty ? "nothing more is sent" : "letting \(left.joined(separator: " and ")) finish; ^C once more cancels them")
    whenQuiet(while: isRunning, cancel)
  }
}
