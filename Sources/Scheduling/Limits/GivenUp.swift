/// Jobs that wait for a model no longer: their rows fail until something is answered, or the job is resumed. Jobs that come later find
/// out for themselves.
struct GivenUp: Sendable {
  private var jobs: [LimiterState.JobID: (at: Duration, shut: LaneShut)] = [:]

  var isEmpty: Bool { jobs.isEmpty }

  /// - Parameter resumed: when the job last was.
  func shut(_ job: LimiterState.JobID, resumed: Duration) -> LaneShut? {
    guard !jobs.isEmpty, let (at, shut) = jobs[job], resumed <= at else { return nil }
    return shut
  }

  mutating func insert(_ job: LimiterState.JobID, _ shut: LaneShut, now: Duration) { jobs[job] = (now, shut) }

  mutating func removeAll() { if !jobs.isEmpty { jobs = [:] } }
}
