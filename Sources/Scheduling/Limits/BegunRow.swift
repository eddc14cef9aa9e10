import Chat
import Threads

/// The rows of one pipeline that are under way, as the limiter sees them.
public final class RowGroup: Sendable {
  let job: Job
  /// The row within which the pipeline runs (of an `each` around it); nil at the top.
  let parent: BegunRow?
  /// Whether its rows are those that its job counts: what a row launches with `&` is a job of its own, though the row's.
  var isOutermost: Bool { parent.map { $0.group.job !== job } ?? true }
  /// Written under the limiter's lock only.
  let underWay = Atomic(0)
  /// It begins no more. Written under the limiter's lock only.
  let isStopped = Atomic(false)

  public init(_ job: Job, within parent: BegunRow?) {
    (self.job, self.parent) = (job, parent)
  }
}

/// A row that has begun. Until a call of its, or of a row within it, has its first permit, it counts against how many rows of its
/// job may begin: that bounds rows that wait, and lets those go on that only compute.
public final class BegunRow: Sendable {
  let group: RowGroup
  /// The number of the lane that its first call will ask for, where that is known: it counts there alone.
  let lane: Int?
  /// Whether it still counts. Written under the limiter's lock only.
  let counts = Atomic(true)
  /// The number of the lane, and 1, whose place stays the row's until it goes on or ends: its last call failed. 0 where there is none.
  /// Written under the limiter's lock only.
  let failedIn = Atomic(0)
  /// Calls of it, and of rows within it, that have no reply yet.
  private let open = Atomic(0)
  private let sent = Atomic(false)
  private let tally = Mutex(CallTally())
  private let dropped = Mutex<Failure?>(nil)
  private let pinned = Mutex<[(launch: Int, version: Int)]>([])

  init(_ group: RowGroup, lane: Int? = nil) {
    self.group = group
    self.lane = lane
  }

  /// Whether a call was sent for it.
  public var hasSent: Bool { sent.load(ordering: .acquiring) }

  /// Whether it is a row of a pipeline that itself runs for a row of its job.
  public var isWithinRow: Bool { !group.isOutermost }

  /// What its calls took, those of rows within it among them.
  public var calls: CallTally { tally.withLock { $0 } }

  /// A call of its, or of a row within it, is made; or has its reply.
  func calls(_ change: Int) { outermost.open.wrappingAdd(change, ordering: .relaxed) }

  /// Whether no other call is made for it: what it does next is to go on, or to end.
  var hasOneCall: Bool { outermost.open.load(ordering: .relaxed) == 1 }

  /// A call of its has ended.
  public func note(_ reply: Reply) {
    guard reply.attempts > 0 else { return }
    var row: BegunRow? = self
    while let next = row {
      next.tally.withLock { $0.add(reply) }
      row = next.group.parent
    }
  }

  /// What calls took that were made for it before, and whose answers stay: of a row that is made again from the middle of a chain on.
  public func carry(_ before: CallTally) { tally.withLock { $0.add(before) } }

  /// A filter dropped what had failed in it: nothing else tells of that.
  public func noteDropped(_ failure: Failure) { dropped.withLock { $0 = $0 ?? failure } }
  public var droppedFailure: Failure? { dropped.withLock { $0 } }

  /// The row of its job at the top: this one, or that of the pipeline around.
  public var outermost: BegunRow {
    var row = self
    while !row.group.isOutermost, let next = row.group.parent { row = next }
    return row
  }

  /// The version of a launch's settings that all calls of the row have: those of its first call.
  public func version(of launch: Int) -> Int? { pinned.withLock { $0.first { $0.launch == launch }?.version } }

  /// Its first call goes out with this version; returns that which it keeps to.
  public func pin(_ version: Int, of launch: Int) -> Int {
    pinned.withLock { pinned in
      if let known = pinned.first(where: { $0.launch == launch }) { return known.version }
      pinned.append((launch, version))
      return version
    }
  }

  /// Whether its next call would be the first thing its job does for a new row (for this one, or for the one at the top that it is
  /// within): only such a call is held back by a stop.
  var isFresh: Bool { !outermost.hasSent }

  /// A call of its goes out. The rows around it have sent something with that, too.
  func noteSent() {
    var row: BegunRow? = self
    while let next = row, !next.sent.exchange(true, ordering: .acquiringAndReleasing) {
      if next.group.isOutermost { next.group.job.launched() }
      row = next.group.parent
    }
  }
}
