import Chat

/// Which rows may begin: as many as there are permits free, and one before each lane.
extension LimiterState {
  /// Rows that may have begun beyond the permits that are free: each is rendered while the one before it waits.
  static let ahead = 2
  /// Rows before shut lanes that are left out of account, at most.
  static let mostShutOut = 1000

  enum Beginning {
    case begun(BegunRow)
    case queued(WaiterID)
    case stopped
  }

  /// A row for a model, if one may begin now.
  mutating func beginNow(_ group: RowGroup, for model: ModelName) -> BegunRow? {
    let queue = queueIndex(making: group.job.id)
    if isStopped(group, queue) { return nil }
    let lane = laneIndex(making: model)
    return mayBegin(group, queue, lane) ? admit(group, queue, lane) : nil
  }

  /// - Parameter model: whom its first call will ask for, where that is known.
  mutating func begin(_ group: RowGroup, for model: ModelName? = nil) -> Beginning {
    let queue = queueIndex(making: group.job.id)
    if isStopped(group, queue) { return .stopped }
    let lane = model.map { laneIndex(making: $0) }
    if mayBegin(group, queue, lane) { return .begun(admit(group, queue, lane)) }
    nextWaiter += 1
    let beginner = JobQueue.Beginner(id: nextWaiter, group: group, lane: lane)
    if group.isOutermost {
      queues[queue].beginning.append(beginner)
    } else {
      queues[queue].beginning.prepend(beginner)
    }
    return .queued(nextWaiter)
  }

  func isStopped(_ group: RowGroup, _ queue: Int) -> Bool {
    group.isStopped.load(ordering: .relaxed) || group.isOutermost && queues[queue].isStopped
  }

  /// A pipeline begins no more rows: those who wait for that.
  mutating func stop(_ group: RowGroup) -> [WaiterID] {
    group.isStopped.store(true, ordering: .relaxed)
    guard let queue = queueIndex(of: group.job.id) else { return [] }
    let withdrawn = queues[queue].beginning.filter { $0.group === group }.map(\.id)
    queues[queue].beginning.removeAll { $0.group === group }
    return withdrawn
  }

  /// A row is over, or will send nothing more.
  mutating func ended(_ row: BegunRow) {
    row.group.underWay.wrappingSubtract(1, ordering: .relaxed)
    uncount(row)
    goesOn(row, isOver: true)
    forgetIdle()
  }

  /// A row whose call failed asks for another, waits to try again, or is over.
  mutating func goesOn(_ row: BegunRow, isOver: Bool = false) {
    let lane = row.failedIn.load(ordering: .relaxed) - 1
    if lane < 0 { return }
    row.failedIn.store(0, ordering: .relaxed)
    guard let queue = queueIndex(of: row.group.job.id), let line = queues[queue].lineIndex(of: lane) else { return }
    queues[queue].lines[line].failed -= 1
    // Its job has counted it already, or it became an answer after all: then fewer are thought to be left than there are, until the
    // next one fails.
    if isOver { queues[queue].failuresLeft? -= 1 }
  }

  /// Whether the places that are free are those of rows whose call failed: a new row of the job has none of them before the job knows
  /// what became of these, for they may be what stops it.
  func waitsForEnds(_ waiter: Waiter, _ queue: Int, _ line: Int) -> Bool {
    let failed = queues[queue].lines[line].failed
    guard failed > 0, queues[queue].mayStop, waiter.row?.isFresh ?? false else { return false }
    let lane = queues[queue].lines[line].lane
    let provider = providers[lanes[lane].provider].floor
    let ofProvider = (provider.own.concurrency ?? .max) - provider.inUse
    return min(free(for: queue), (lanes[lane].limit ?? .max) - lanes[lane].inUse, ofProvider) <= failed
  }

  /// A job begins nothing new: those who wait for that.
  mutating func withdrawFresh(of job: JobID) -> [WaiterID] {
    let queue = queueIndex(making: job)
    queues[queue].isStopped = true
    var withdrawn = queues[queue].beginning.filter { $0.group.isOutermost }.map(\.id)
    queues[queue].beginning.removeAll { $0.group.isOutermost }
    for line in queues[queue].lines.indices {
      withdrawn += queues[queue].lines[line].fresh.filter(\.isForNewRow).map(\.id)
      queues[queue].lines[line].fresh.removeAll(where: \.isForNewRow)
    }
    return withdrawn
  }

  /// Nothing more is sent: all who wait.
  mutating func withdrawAll() -> [WaiterID] {
    var withdrawn: [WaiterID] = []
    for queue in queues.indices {
      withdrawn += queues[queue].beginning.map(\.id)
      queues[queue].beginning.removeAll()
      for line in queues[queue].lines.indices {
        withdrawn += queues[queue].lines[line].removeAll { _ in true }
      }
    }
    return withdrawn
  }

  /// A job tries nothing again: those who would, and those who wait for a server that is away, silent or refuses. Whoever waits for a
  /// place or a rate goes on: it is known that he will be let through, and what came before is paid.
  mutating func stopTrying(_ job: JobID, now: Duration) -> [WaiterID] {
    let queue = queueIndex(making: job)
    queues[queue].triesNoMore = true
    var withdrawn: [WaiterID] = []
    for line in queues[queue].lines.indices { withdrawn += queues[queue].lines[line].removeAll(where: \.isRetry) }
    return withdrawn + withdrawTurnedAway(queue, now)
  }

  /// Those of a job's calls that wait for a server that is away, silent or refuses.
  mutating func withdrawTurnedAway(_ queue: Int, _ now: Duration) -> [WaiterID] {
    var withdrawn: [WaiterID] = []
    for line in queues[queue].lines.indices where !queues[queue].lines[line].isEmpty {
      if turnsAway(queues[queue].lines[line].lane, now) { withdrawn += queues[queue].lines[line].removeAll { _ in true } }
    }
    return withdrawn
  }

  /// Whether a model's server is away, silent or refuses, so that nobody knows if a wait is worth it.
  func turnsAway(_ lane: Int, _ now: Duration) -> Bool {
    providers[lanes[lane].provider].outage.since != nil || lanes[lane].turnsAway(now: now)
  }

  /// Calls of a job that wait for leave, and get it in time.
  func waiting(_ job: JobID) -> Int {
    guard let queue = queueIndex(of: job), !queues[queue].isPaused else { return 0 }
    return queues[queue].lines.reduce(0) { $0 + $1.count }
  }

  func triesNoMore(_ job: JobID) -> Bool { queueIndex(of: job).map { queues[$0].triesNoMore } ?? false }

  /// A row begins where a permit is free. A pipeline with no row under way may always begin one: the rows around it wait for it.
  func mayBegin(_ group: RowGroup, _ queue: Int, _ lane: Int?) -> Bool {
    if queues[queue].isPaused { return false }
    if group.underWay.load(ordering: .relaxed) == 0 { return true }
    guard let lane else {
      return queues[queue].unsent - min(queues[queue].shutOut, Self.mostShutOut) < Self.ahead + free(for: queue)
    }
    // One row stands before each lane; the others are not even rendered, but for those that can go at once.
    guard let line = queues[queue].lineIndex(of: lane) else { return true }
    let unsent = queues[queue].lines[line].unsent
    if unsent < 1 { return true }
    if queues[queue].lines[line].isShut { return false }
    let free = free(for: queue)
    let room = min(free, max(0, (lanes[lane].limit ?? .max) - lanes[lane].inUse))
    return unsent < room && queues[queue].unsent + queues[queue].unsentForLanes < free
  }

  /// Permits that a job could have at once.
  func free(for queue: Int) -> Int { max(0, min(width - inUse, limit(ofQueue: queue) - queues[queue].inUse)) }

  mutating func admit(_ group: RowGroup, _ queue: Int, _ lane: Int?) -> BegunRow {
    group.underWay.wrappingAdd(1, ordering: .relaxed)
    if let lane {
      let line = queues[queue].lineIndex(making: lane)
      queues[queue].lines[line].unsent += 1
    } else {
      queues[queue].unsent += 1
    }
    return BegunRow(group, lane: lane)
  }

  /// It, and the rows around it, count no more.
  mutating func uncount(_ row: BegunRow) {
    var next: BegunRow? = row
    while let row = next, row.counts.exchange(false, ordering: .relaxed) {
      if let queue = queueIndex(of: row.group.job.id) {
        if let lane = row.lane {
          if let line = queues[queue].lineIndex(of: lane) { queues[queue].lines[line].unsent -= 1 }
        } else {
          queues[queue].unsent -= 1
        }
      }
      next = row.group.parent
    }
  }
}
