import Chat
import DequeModule

/// Those of one job that wait, and what the job has in use. Kept in arrays and changed where it stands: the limiter looks at it twice
/// a call, and copies of it (dictionaries of deques) were a fifth of what a call cost.
struct JobQueue: Sendable {
  struct Waiter: Sendable {
    var id: LimiterState.WaiterID
    var amount: CallAmount
    /// The row whose call it is; nil for a call that stands alone.
    var row: BegunRow?
    /// Whether nothing had been sent for its row when it came.
    var isFresh = true
    /// It was sent before, and failed.
    var isRetry = false
    var since: Duration
    /// When it was first refused; nil where it was not.
    var refused: Duration?
    /// A server that lets nothing through for longer than this is not waited for.
    var patience: Duration?

    /// Whether a stop of its job takes it back: nothing has been sent for its row since, either.
    var isForNewRow: Bool { isFresh && row?.isFresh ?? true }
  }

  /// Those that wait for one lane.
  struct Line: Sendable {
    /// The lane's number.
    let lane: Int
    var fresh = Deque<Waiter>()
    var continuing = Deque<Waiter>()
    /// Whether its head waits for its lane, not for the width: when last looked at.
    var isShut = false
    /// The job's permits for this lane, and when it last got one: the lane with the fewest comes first, so that a slow model does not
    /// sit on the whole width.
    var inUse = 0
    var lastGrant = 0
    /// Rows that have begun for this lane and have had no permit yet.
    var unsent = 0
    /// Calls that wait between two tries.
    var pausing = 0
    /// Rows whose call failed, and that have not gone on yet, nor ended: whether another may begin is known only then.
    var failed = 0

    init(lane: Int) { self.lane = lane }

    var head: Waiter? { continuing.first ?? fresh.first }
    var isIdle: Bool { isEmpty && unsent == 0 && pausing == 0 && failed == 0 }
    var isEmpty: Bool { continuing.isEmpty && fresh.isEmpty }
    var count: Int { fresh.count + continuing.count }
    mutating func removeAll(where isMeant: (Waiter) -> Bool) -> [LimiterState.WaiterID] {
      let removed = (continuing.filter(isMeant) + fresh.filter(isMeant)).map(\.id)
      continuing.removeAll(where: isMeant)
      fresh.removeAll(where: isMeant)
      return removed
    }
    mutating func pop() { if continuing.popFirst() == nil { fresh.removeFirst() } }
    mutating func remove(_ id: LimiterState.WaiterID) -> Bool {
      if let index = fresh.firstIndex(where: { $0.id == id }) {
        fresh.remove(at: index)
      } else if let index = continuing.firstIndex(where: { $0.id == id }) {
        continuing.remove(at: index)
      } else {
        return false
      }
      return true
    }
  }

  /// A pipeline that waits to begin a row, and for which lane, where that is known.
  struct Beginner: Sendable {
    var id: LimiterState.WaiterID
    var group: RowGroup
    var lane: Int?
  }

  /// What a reply is reckoned at until one has come, where `max-tokens` does not say.
  static let firstOutput = 1024

  let job: LimiterState.JobID
  /// What the user has set for it.
  var floor = Floor()
  var isPaused = false
  var resumedAt: Duration = .zero
  /// It begins nothing new.
  var isStopped = false
  /// Nor does it send anything again, or wait for a server that is away, silent or refuses.
  var triesNoMore = false
  /// What was said of it is of no more use.
  var isOver = false
  /// Kept when empty, so that it is known which lanes a job uses. They are few.
  var lines: [Line] = []
  /// When it last got a permit: breaks ties in turn.
  var lastGrant = 0
  /// The most tokens of a reply so far.
  var largestOutput = JobQueue.firstOutput
  /// Rows that have begun and have had no permit yet, of which it is not known what lane they will ask for.
  var unsent = 0
  /// How many more rows had to fail at least until the job stops, when last one did; nil for never.
  var failuresLeft: Int?
  /// Those within a row first.
  var beginning = Deque<Beginner>()

  init(job: LimiterState.JobID) { self.job = job }

  var inUse: Int { floor.inUse }
  var mayTake: Bool { !isPaused && !floor.isFull }

  var isIdle: Bool {
    inUse == 0 && (isOver || hasNothingSaid) && unsent == 0 && beginning.isEmpty && lines.allSatisfy(\.isIdle)
  }

  /// What somebody has said of it holds while its rows wait between two tries.
  private var hasNothingSaid: Bool {
    floor.own == .none && !isPaused && !isStopped && !triesNoMore && resumedAt == .zero
  }

  /// Rows that wait before a shut lane: they keep nobody else from beginning.
  var shutOut: Int {
    var sum = 0
    for index in lines.indices where lines[index].isShut { sum += max(0, lines[index].count - lines[index].unsent) }
    return sum
  }

  /// Whether the rows whose call failed, and of which it is not known what becomes of them, may stop the job: they are as many as that
  /// takes.
  var mayStop: Bool {
    guard let failuresLeft else { return false }
    return lines.reduce(0) { $0 + $1.failed } >= failuresLeft
  }

  /// Rows that have begun for a lane that is known, and have had no permit yet.
  var unsentForLanes: Int {
    var sum = 0
    for index in lines.indices { sum += lines[index].unsent }
    return sum
  }

  func lineIndex(of lane: Int) -> Int? {
    for index in lines.indices where lines[index].lane == lane { return index }
    return nil
  }

  /// The index of a lane's line, which is made where there is none.
  mutating func lineIndex(making lane: Int) -> Int {
    if let index = lineIndex(of: lane) { return index }
    lines.append(Line(lane: lane))
    return lines.count - 1
  }
}
