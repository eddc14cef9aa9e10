import Chat

/// What is asked by those who watch: the progress line, `jobs`, `why`.
extension LimiterState {
  /// The limit that holds for a job now: of the session or, where they bear less, of the lanes and providers that the job uses; at most
  /// its own.
  func limit(of job: JobID) -> Int { queueIndex(of: job).map { limit(ofQueue: $0) } ?? min(startingWidth, mostStreams) }

  /// The session's; with `auto` what a lane begins at.
  var startingWidth: Int { if case .adaptive(let range) = limits.width { AdaptiveLimit(range).limit } else { width } }

  func limit(ofQueue queue: Int) -> Int {
    var limit = startingWidth
    if !queues[queue].lines.isEmpty {
      let all = limitOfLanes(queue)
      limit = if case .adaptive = limits.width { min(width, all) } else { min(limit, all) }
    }
    return min(limit, mostStreams, queues[queue].floor.own.concurrency ?? .max)
  }

  /// What the lanes that a job uses bear together, those of one provider no more than that bears.
  func limitOfLanes(_ queue: Int) -> Int {
    if queues[queue].lines.count == 1 {
      let lane = queues[queue].lines[0].lane
      return min(lanes[lane].limit ?? .max, providers[lanes[lane].provider].floor.own.concurrency ?? .max)
    }
    var sums: [Int: Int] = [:]
    for line in queues[queue].lines {
      let provider = lanes[line.lane].provider
      let sum = (sums[provider] ?? 0).addingReportingOverflow(lanes[line.lane].limit ?? .max)
      sums[provider] = min(sum.overflow ? .max : sum.partialValue, providers[provider].floor.own.concurrency ?? .max)
    }
    return sums.values.reduce(0) { $0.addingReportingOverflow($1).overflow ? .max : $0 + $1 }
  }

  /// The lanes before which a job's calls wait, and why.
  mutating func shutLanes(of job: JobID, now: Duration) -> [LaneShut] {
    guard let queue = queueIndex(of: job) else { return [] }
    return queues[queue].lines.sorted { $0.lane < $1.lane }.compactMap { line -> LaneShut? in
      // One that looks whether a server says anything waits itself.
      guard let head = line.head else { return line.inUse > 0 ? lanes[line.lane].silent : nil }
      let amount = amount(head, of: queue, line.lane)
      let ofLane = shut(line.lane, for: amount, now)
      guard let ofJob = shut(queues[queue].floor, for: amount, now) else { return ofLane }
      // Whichever lets it wait longest.
      if let ofLane, ofLane.until ?? .seconds(Int64.max) >= ofJob.until ?? now { return ofLane }
      return ofJob
    }
  }

  /// What is set for a job itself.
  private func shut(_ ofJob: Floor, for amount: Int, _ now: Duration) -> LaneShut? {
    var floor = ofJob
    guard let rate = floor.binding(for: amount, now: now) else { return nil }
    return LaneShut(name: "this job", until: floor.opens(for: amount, now: now), reason: .rate(rate, of: .job))
  }

  /// Why nothing goes to a model now; nil where something does.
  mutating func shut(_ model: ModelName, now: Duration) -> LaneShut? {
    guard let lane = laneIndex(of: model) else { return nil }
    return shut(lane, for: 0, now)
  }

  mutating func shut(_ lane: Int, for amount: Int, _ now: Duration) -> LaneShut? {
    let ofProvider = providers[lanes[lane].provider].shut(for: amount, now: now)
    if case .down? = ofProvider?.reason { return ofProvider }
    return lanes[lane].shut(for: amount, now: now) ?? ofProvider
  }

  /// What is known of the lanes that a job uses; of all where there is none.
  func laneStandings(of job: JobID?) -> [LaneStanding] {
    let used = job.flatMap { queueIndex(of: $0) }.map { queues[$0].lines.map(\.lane).sorted() } ?? Array(lanes.indices)
    return used.map { lane in
      let waiting = queues.reduce(0) { sum, queue in sum + (queue.lineIndex(of: lane).map { queue.lines[$0].count } ?? 0) }
      return LaneStanding(
        model: lanes[lane].model, inUse: lanes[lane].inUse, limit: lanes[lane].limit, silent: lanes[lane].silent,
        learnedRate: lanes[lane].pace.rate,
        own: lanes[lane].floor.own, ofProvider: providers[lanes[lane].provider].floor.own, waiting: waiting,
        windows: lanes[lane].windows.last)
    }
  }

  /// Whether a call that got no word goes again without using up a try, as soon as its lane lets it: where its server is known to speak.
  func waitsForServer(of permit: Permit) -> Bool {
    if providers[lanes[permit.lane].provider].outage.since != nil { return true }
    return limits.downWait != nil && lanes[permit.lane].silence.standing != nil && lanes[permit.lane].hasSpoken
  }
}
