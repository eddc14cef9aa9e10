import Chat
import Language

/// The job of a command that makes one call: the background statement's, the row's around it, or one of its own in the foreground.
struct SingleCall: Sendable {
  private let handle: JobHandle
  private let session: Session
  private let isForeground: Bool
  private let counts: Bool
  private let showsProgress: Bool

  init(_ call: Invocation, _ context: inout Context, showsProgress: Bool = true) {
    session = call.session
    if let claimed = context.tracker?.claim() {
      handle = claimed
      (isForeground, counts) = (false, true)
      handle.job.setTotal(1)
    } else if let job = context.job {
      handle = JobHandle(job: job, variable: nil)
      (isForeground, counts) = (false, false)
    } else {
      handle = session.makeJob(call.jobName ?? call.definition.name, total: 1, variable: call.jobName, isListed: false)
      (isForeground, counts) = (true, true)
    }
    self.showsProgress = showsProgress
    context.job = handle.job
  }

  /// Runs the call as a task that the job can cancel.
  func run(_ context: Context, _ body: @escaping @Sendable (Context) async -> Reply) async -> Reply {
    if counts { handle.job.launched() }
    if isForeground {
      session.beginForeground(handle)
      session.world.output.foreground(handle.job, showsProgress: showsProgress)
    }
    defer {
      if isForeground {
        session.endForeground(handle)
        session.world.output.foregroundEnded(handle.job)
      }
    }
    guard counts else { return await body(context) }
    let work = Task { await body(context) }
    handle.job.onCancel { work.cancel() }
    return await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
  }

  func ended(_ row: ReplyRow) {
    guard counts else { return }
    if let failure = row.reply.failure, failure.kind != .cancelled { session.notePrompts(failed: 1) }
    _ = handle.job.ended(row.reply, failure: row.reply.failure)
    if session.jobs.contains(where: { $0 === handle }) == false { handle.job.finished() }
  }
}
