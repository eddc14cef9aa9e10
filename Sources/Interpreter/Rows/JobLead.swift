import Chat
import Scheduling

/// The job under which rows run: whose it is, who is told, what it counts.
///
/// Rows of a background statement report to that statement's job. Rows at the top get a job of their own in the foreground. Rows
/// inside a function that itself runs for a row (`each`) take slots under the outer job and are counted by nobody: the outer row
/// counts.
struct JobLead: Sendable {
  let handle: JobHandle
  private let session: Session
  private let isForeground: Bool
  private let counts: Bool

  init(_ stream: RowStream, named: String?) {
    session = stream.context.session
    let total = stream.source.count.flatMap { count -> Int? in
      let product = count.multipliedReportingOverflow(by: stream.expansion)
      return product.overflow ? nil : product.partialValue
    }
    if let claimed = stream.context.tracker?.claim() {
      handle = claimed
      (isForeground, counts) = (false, true)
      handle.job.setTotal(total)
    } else if let job = stream.context.job {
      handle = JobHandle(job: job, variable: nil)
      (isForeground, counts) = (false, false)
    } else {
      handle = session.makeJob(named ?? "map", total: total, variable: named, isListed: false)
      (isForeground, counts) = (true, true)
    }
  }

  func begin(partial: @escaping @Sendable () -> [Value]) {
    if counts { handle.setPartial(partial) }
    guard isForeground else { return }
    session.beginForeground(handle)
    session.world.output.foreground(handle.job, showsProgress: true)
  }

  func end() {
    guard isForeground else { return }
    handle.job.finished()
    session.endForeground(handle)
    session.world.output.foregroundEnded(handle.job)
  }

  /// How the rows are cancelled. Rows of a background statement end with its task, nested ones with the row around them.
  func onCancel(_ cancel: @escaping @Sendable () -> Void) {
    if isForeground { handle.job.onCancel(cancel) }
  }

  /// A job that stops launching lets the rows it has begun go on to their ends, whatever they still launch.
  var mayLaunch: Bool { !counts || handle.job.mayLaunch }

  func launched() {
    if counts { handle.job.launched() }
  }

  /// One launched row is over, with what it became.
  func ended(_ rows: [Row]) {
    guard counts else { return }
    let replies = rows.compactMap { row -> ReplyRow? in if case .reply(let reply) = row.value { reply } else { nil } }
    let failure = replies.lazy.compactMap(\.reply.failure).first
    if failure != nil, failure?.kind != .cancelled { session.notePrompts(failed: 1) }
    let stopAfter = failure == nil ? nil : session.settings.stopAfter
    if handle.job.ended(replies.first?.reply, failure: failure, stopAfter: stopAfter), let failure, let stopAfter {
      session.brake(handle.job, "\(stopAfter) × \(failure.kind.rawValue) in a row: \(failure.message)")
    }
  }

  /// The token budget has no room for another row.
  func budgetSpent() {
    session.brake(handle.job, "the token budget is spent (\(session.world.engine.limiter.tokensUsed) tokens used)")
  }
}

extension RowStream {
  /// Launches per item: what stages before and at the first model stage make of it, if that is known.
  var expansion: Int {
    var product = 1
    for stage in stages {
      if stage.callsModels { break }
      product *= stage.width
    }
    return product
  }
}
