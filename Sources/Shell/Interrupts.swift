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
        console.foregroundJob?.cancel()
        cancel()
      }
    }
  }

  /// Whether it would be a loss to end a job at once: it has sent several prompts.
  private func hasAnswers(_ job: Job) -> Bool {
    let progress = job.progress
    return (progress.total ?? 2) != 1 && progress.launched > 0
  }

  /// ^C: the first lets what is in flight finish, where there is such a thing, and nothing of the line sends any more; the next cancels
  /// that too. So does the first, once nothing is in flight and the line goes on all the same.
  private func interrupt(
    _ count: Int, _ line: LineInHand, _ isRunning: @escaping @Sendable () -> Bool, cancel: @escaping @Sendable () -> Void
  ) {
    guard count == 1, let job = console.foregroundJob, hasAnswers(job) else { return cancel() }
    line.stopSending()
    job.stopLaunching()
    // What can be sent again is told when it is over, by what the variable holds then.
    console.note("letting \(job.progress.inFlight) in flight finish; ^C once more cancels them")
    whenQuiet(while: isRunning, cancel)
  }
}
