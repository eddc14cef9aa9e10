import DequeModule

/// Who may call now: a width for the session, shared by jobs, both changeable at any moment. A plain value: methods say who is
/// granted a slot; `Limiter` resumes them.
///
/// Laws: never more slots than the limit are granted anew; a lowered limit lets what runs finish; among jobs that wait, the one
/// with the fewest slots comes first (a job of ten is not held up by one of ten thousand); within a job, a call that goes on with
/// a row already begun comes before a new row.
struct LimiterState {
  typealias JobID = Int
  typealias WaiterID = Int

  enum Turn: Sendable {
    /// A new row.
    case fresh
    /// A further call of a row, or a retry.
    case continuing
  }

  private struct Queue {
    var inUse = 0
    var cap: Int?
    var isPaused = false
    var fresh = Deque<WaiterID>()
    var continuing = Deque<WaiterID>()
    /// When it last got a slot: breaks ties in turn.
    var lastGrant = 0

    var isWaiting: Bool { !fresh.isEmpty || !continuing.isEmpty }
    var mayTake: Bool { !isPaused && isWaiting && inUse < cap ?? .max }
    var isIdle: Bool { inUse == 0 && !isWaiting && cap == nil && !isPaused }
  }

  private(set) var limit: Int
  private(set) var inUse = 0
  private var jobs: [JobID: Queue] = [:]
  private var grants = 0
  private var nextWaiter = 0

  init(limit: Int) {
    self.limit = limit
  }

  /// A slot at once, or a place in the queue.
  enum Request: Equatable {
    case granted
    case queued(WaiterID)
  }

  mutating func acquire(_ job: JobID, _ turn: Turn) -> Request {
    var queue = jobs[job] ?? Queue()
    let mayPass = !queue.isWaiting && !queue.isPaused && queue.inUse < queue.cap ?? .max
    // Whoever else waits while slots are free is paused or capped: it is passed by.
    if inUse < limit, mayPass {
      grant(&queue)
      jobs[job] = queue
      return .granted
    }
    nextWaiter += 1
    if turn == .fresh { queue.fresh.append(nextWaiter) } else { queue.continuing.append(nextWaiter) }
    jobs[job] = queue
    return .queued(nextWaiter)
  }

  /// Takes a waiter out of the queue; false if it has been granted its slot already.
  mutating func cancel(_ waiter: WaiterID, of job: JobID) -> Bool {
    guard var queue = jobs[job] else { return false }
    if let index = queue.fresh.firstIndex(of: waiter) {
      queue.fresh.remove(at: index)
    } else if let index = queue.continuing.firstIndex(of: waiter) {
      queue.continuing.remove(at: index)
    } else {
      return false
    }
    jobs[job] = queue.isIdle ? nil : queue
    return true
  }

  mutating func release(_ job: JobID) -> [WaiterID] {
    inUse -= 1
    if var queue = jobs[job] {
      queue.inUse -= 1
      jobs[job] = queue.isIdle ? nil : queue
    }
    return grantWaiting()
  }

  mutating func setLimit(_ limit: Int) -> [WaiterID] {
    self.limit = limit
    return grantWaiting()
  }

  mutating func setCap(_ cap: Int?, of job: JobID) -> [WaiterID] {
    jobs[job, default: Queue()].cap = cap
    return grantWaiting()
  }

  mutating func setPaused(_ paused: Bool, _ job: JobID) -> [WaiterID] {
    jobs[job, default: Queue()].isPaused = paused
    return grantWaiting()
  }

  func cap(of job: JobID) -> Int? { jobs[job]?.cap }
  func inUse(by job: JobID) -> Int { jobs[job]?.inUse ?? 0 }

  private mutating func grant(_ queue: inout Queue) {
    inUse += 1
    queue.inUse += 1
    grants += 1
    queue.lastGrant = grants
  }

  private mutating func grantWaiting() -> [WaiterID] {
    var granted: [WaiterID] = []
    while inUse < limit {
      // Jobs are few: a look at each is cheaper than keeping them sorted.
      var next: (job: JobID, queue: Queue)?
      for (job, queue) in jobs where queue.mayTake {
        if let best = next?.queue, (best.inUse, best.lastGrant) <= (queue.inUse, queue.lastGrant) { continue }
        next = (job, queue)
      }
      guard let (job, found) = next else { break }
      var queue = found
      // `mayTake` says that one of them holds somebody.
      guard let waiter = queue.continuing.popFirst() ?? queue.fresh.popFirst() else { break }
      grant(&queue)
      jobs[job] = queue
      granted.append(waiter)
    }
    return granted
  }
}
