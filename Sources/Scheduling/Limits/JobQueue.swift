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
    /// Whether a stop of its job takes it back.
    var isFresh = true
    var since: Duration
    /// When it was first refused; nil where it was not.
    var refused: Duration?
    /// A server that lets nothing through for longer than this is not waited for.
    var patience: Duration?
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

    init(lane: Int) { self.lane = lane }

    var head: Waiter? { continuing.first ?? fresh.first }
    var isEmpty: Bool { continuing.isEmpty && fresh.isEmpty }
    var count: Int { fresh.count + continuing.count }
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
  /// Kept when empty, so that it is known which lanes a job uses. They are few.
  var lines: [Line] = []
  /// When it last got a permit: breaks ties in turn.
  var lastGrant = 0
  /// The most tokens of a reply so far.
  var largestOutput = JobQueue.firstOutput
  /// Rows that have begun and have had no permit yet, of which it is not known what lane they will ask for.
  var unsent = 0
  /// Those within a row first.
  var beginning = Deque<Beginner>()

  init(job: LimiterState.JobID) { self.job = job }

  var inUse: Int { floor.inUse }
  var mayTake: Bool { !isPaused && !floor.isFull }

  var isIdle: Bool {
    // What somebody has said of it holds while its rows wait between two tries.
    inUse == 0 && floor.own == .none && !isPaused && !isStopped && resumedAt == .zero && unsent == 0 && beginning.isEmpty
      && lines.allSatisfy { $0.isEmpty && $0.unsent == 0 }
  }

  /// Rows that wait before a shut lane: they keep nobody else from beginning.
  var shutOut: Int {
    var sum = 0
    for index in lines.indices where lines[index].isShut { sum += max(0, lines[index].count - lines[index].unsent) }
    return sum
  }

  /// Rows that have begun for a lane that is known, and have had no permit yet.
  var unsentForLanes: Int {
    var sum = 0
    for index in lines.indices { sum += lines[index].unsent }
    return sum
  }

  func index(of lane: Int) -> Int? {
    for index in lines.indices where lines[index].lane == lane { return index }
    return nil
  }

  /// The index of a lane's line, which is made where there is none.
  mutating func place(of lane: Int) -> Int {
    if let index = index(of: lane) { return index }
    lines.append(Line(lane: lane))
    return lines.count - 1
  }
}
