import Chat
import Scheduling

/// The job under which a command's calls run: whose it is, who is told, what it counts.
///
/// A command of a background statement reports to that statement's job. At the top it gets a job of its own in the foreground. Inside
/// a row (of an `each` around) it runs under the row's job and is counted by nobody: the outer row counts.
struct JobScope: Sendable {
  let handle: JobHandle
  let session: Session
  private let isForeground: Bool
  private let counts: Bool
  /// Whether rows run under it: a spent budget holds those back, where it fails a call that stands alone.
  private let hasRows: Bool
  /// No function runs around it that may deal with a failure.
  private let isTop: Bool
  private let remarks: Remarks?

  var job: Job { handle.job }

  /// A background statement's: what runs first in it claims it.
  init(background handle: JobHandle, _ session: Session) {
    (self.handle, self.session) = (handle, session)
    (isForeground, counts, hasRows, isTop, remarks) = (false, false, false, true, nil)
  }

  init(_ context: Context, _ name: String, variable: String?, total: Int?, hasRows: Bool) {
    session = context.session
    isTop = context.depth == 0
    remarks = context.remarks
    if let claimed = context.tracker?.claim() {
      handle = claimed
      (isForeground, counts) = (false, true)
      self.hasRows = hasRows
      claimed.job.setTotal(total)
    } else if let outer = context.jobScope {
      handle = JobHandle(job: outer.job, variable: nil)
      (isForeground, counts) = (false, false)
      self.hasRows = hasRows || outer.hasRows
    } else {
      handle = session.makeJob(name, total: total, variable: variable, isListed: false)
      (isForeground, counts) = (true, true)
      self.hasRows = hasRows
      handle.launch = context.launch
    }
  }

  func begin(showsProgress: Bool = true, partial: (@Sendable (_ inOrder: Bool) -> [Value])? = nil) {
    if counts, let partial { handle.setPartial(partial) }
    if counts, hasRows {
      let (limiter, job) = (session.world.engine.limiter, job)
      job.onStop { limiter.stopFresh(job) }
    }
    guard isForeground else { return }
    if hasRows { session.beginsLongWork() }
    remarks?.noteCalls()
    session.beginForeground(handle)
    session.world.output.foreground(job, showsProgress: showsProgress)
  }

  func end() {
    guard isForeground else { return }
    job.finished()
    session.endForeground(handle)
    session.world.output.foregroundEnded(job, hasRows: hasRows)
  }

  /// How the work is cancelled. That of a background statement ends with its task, nested work with the row around it.
  func onCancel(_ cancel: @escaping @Sendable () -> Void) {
    if isForeground { job.onCancel(cancel) }
  }

  /// A job that stops launching lets the rows it has begun go on to their ends, whatever they still launch.
  var mayLaunch: Bool { !counts || job.mayLaunch }

  /// Rows that a filter took out before anything was sent for them.
  func leftOut(_ count: Int) {
    if counts, count > 0 { job.leftOut(count) }
  }

  /// No more rows come than those that were begun.
  func setTotal(_ rows: Int) {
    if counts { job.setTotal(rows) }
  }

  /// Rows whose turn did not come, or not in time. What a brake or a budget held back has no answer; what somebody cancelled is not wanted.
  func unsent(_ rows: [Row]) {
    guard counts, job.progress.state != .cancelled else { return }
    for row in rows { noteUnanswered([row.value]) }
  }

  private func noteUnanswered(_ values: [Value]) {
    for value in values {
      var replies = value.failedReplies
      // The row is there, and lacks what its call was for; or something else was made of it.
      if replies.isEmpty { replies = [value.lacking?.calls?.last, value.origin?.old?.reply].compactMap { $0 } }
      for reply in replies { session.unanswered.add(reply, isFinal: isTop) }
      if replies.isEmpty { session.unanswered.add(unsent: 1) }
    }
  }

  /// The rows of a run that keeps none: that some were not sent is all that is known of them.
  func unsentUnkept() {
    guard counts, job.progress.state != .cancelled, !job.mayLaunch else { return }
    session.unanswered.add(unsent: 1)
  }

  /// A row is over, with what it became. One that sent nothing is launched only now.
  ///
  /// - Parameters:
  ///   - isSkipped: it had failed before.
  ///   - isCancelled: nothing became of it.
  ///   - dropped: why it failed, where a filter dropped it then.
  func ended(
    _ values: [Value], hasSent: Bool = true, isSkipped: Bool = false, isCancelled: Bool = false, dropped: Failure? = nil
  ) {
    guard counts else { return }
    if isSkipped {
      if !hasSent { job.launched() }
      for value in values { noteSkipped(value) }
      return job.skipped()
    }
    let failure = isCancelled ? Failure(.cancelled, "cancelled") : values.lazy.compactMap(\.rowFailure).first ?? dropped
    if failure?.kind == .notSent || failure?.kind == .cancelled && !hasSent {
      job.heldBack(hasSent: hasSent)
      if failure?.kind == .notSent, job.progress.state != .cancelled {
        noteUnanswered(values.filter { $0.rowFailure?.kind == .notSent })
      }
      return
    }
    // A row that lacks a column is answered; to the brake its prompt failed all the same.
    let lacking = failure == nil ? values.lazy.compactMap(\.lacking).first { !$0.cameSo }?.calls : nil
    if !hasSent, lacking?.heldBack != nil { return job.heldBack(hasSent: false) }
    if !hasSent { job.launched() }
    if failure != nil, !values.isEmpty {
      let replies = values.flatMap(\.failedReplies)
      for reply in replies { session.unanswered.add(reply, isFinal: isTop) }
      // A row that `select` has made a record of, and no call has told of.
      if replies.isEmpty, isTop, failure?.kind == .script { session.unanswered.add(unsent: 1) }
    }
    let cause = failure ?? lacking?.last?.failure
    let stopAfter = cause == nil || !hasRows ? nil : session.settings.retry.stopAfter
    if job.ended(failure: failure, lacking: lacking?.last?.failure, hasSent: hasSent, stopAfter: stopAfter), let cause, let stopAfter {
      session.brake(job, "\(stopAfter) × \(cause.kind.rawValue) in a row: \(cause.message)")
    }
  }

  /// A row that had failed in the file that it was loaded from has no answer here either. What failed in this session is counted already.
  private func noteSkipped(_ value: Value) {
    var first = value
    while let origin = first.origin, origin.cameSo { first = origin.row.value }
    for reply in first.failedReplies where reply.isFromFile { session.unanswered.add(reply, isFinal: isTop) }
    // What `select` left of one is a plain row, which no call can take off.
    if isTop, case .record(let record) = first, record.failure != nil, first.origin == nil, first.failedReplies.isEmpty {
      session.unanswered.add(unsent: 1)
    }
  }

  /// The token budget has no room for another call. Rows are held back: at the prompt the job is paused now, and asks again when it is
  /// resumed; in a script it sends no more.
  ///
  /// - Returns: whether to ask again.
  func budgetSpent() -> Bool {
    guard hasRows else { return false }
    session.brake(job, "the token budget is spent (\(session.world.engine.limiter.tokensUsed) tokens used)")
    return session.isAttended && job.mayLaunch
  }

  /// A try ended without a word of an answer, and another follows: a server that says nothing is one the brake knows before the first
  /// row has used up its tries.
  func unanswered(_ failure: Failure, _ span: Range<Duration>) {
    guard hasRows, let stopAfter = session.settings.retry.stopAfter else { return }
    guard job.triedInVain(failure.kind, span, stopAfter: stopAfter) else { return }
    session.brake(job, "\(stopAfter) × \(failure.kind.rawValue) in a row: \(failure.message)")
    // Nobody is there to let it go on: what has begun waits no longer either.
    if !session.isAttended { session.world.engine.limiter.stopWaiting(job) }
  }

  /// Runs one call, as a task that the job can cancel.
  static func single(
    _ call: Invocation, _ context: Context, showsProgress: Bool = true, _ body: @escaping @Sendable (Context) async -> ReplyRow
  ) async -> ReplyRow {
    let scope = JobScope(context, call.jobName ?? call.definition.name, variable: call.jobName, total: 1, hasRows: false)
    var context = context
    context.jobScope = scope
    func held(_ row: ReplyRow) -> ReplyRow {
      if row.reply.succeeded { context.inHand?.hold(.reply(row), in: context.scope) }
      return row
    }
    guard scope.counts else { return held(await body(context)) }
    scope.job.launched()
    scope.begin(showsProgress: showsProgress)
    let work = Task { [context] in await body(context) }
    scope.job.onCancel { work.cancel() }
    let row = await withTaskCancellationHandler {
      await work.value
    } onCancel: {
      work.cancel()
    }
    _ = held(row)
    scope.ended([.reply(row)])
    scope.end()
    // Whoever asked for one thing and did not get it hears why, wherever its value goes; what is shown says so itself.
    if scope.isForeground, !call.isShown, !call.definition.showsItself, let failure = row.reply.failure, failure.kind != .cancelled {
      scope.session.world.output.note("\(scope.job.name): \(failure.description)\n  = \(failure.advice)")
    }
    return row
  }
}
