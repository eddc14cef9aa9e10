import Chat

/// What holds a job back now, as far as it can be told: the first of these that is true.
public enum Verdict: Sendable, Equatable {
  case paused
  /// The lanes that its calls wait for.
  case shut(LaneShut)
  /// This program itself: processor time for each second of the clock.
  case ownCPU(Double)
  /// The limit of calls at once that was set: for the session, or for a job, a provider or a model of this name.
  case width(Int, of: String?)
  /// A model bears no more calls at once, as far as it was tried.
  case full(ModelName, limit: Int)
  /// So few rows are left that they do not fill the limit.
  case tail(rows: Int, limit: Int)
  /// Rows come slower than they are answered.
  case slowSource
  case over

  /// In words, and the line to type where one helps.
  ///
  /// - Parameters:
  ///   - name: the job's, as its commands take it.
  ///   - shut: a shut lane in words.
  public func words(_ name: String, _ shut: (LaneShut) -> String) -> (text: String, line: String?) {
    switch self {
    case .paused: ("it is paused", "resume \(name)")
    case .shut(let lane): (shut(lane), Verdict.line(for: lane))
    case .ownCPU(let share): ("this program itself: \(Int((share * 100).rounded())) % of a processor", nil)
    case .width(let limit, let whose):
      (
        "the limit of \(limit) at once\(whose.map { " of \($0)" } ?? "") is in use",
        "set concurrency \(limit * 2)\(whose.map { " for \($0)" } ?? "")"
      )
    case .full(let model, let limit): ("\(model) bears \(limit) at once, as far as it was tried", nil)
    case .tail(let rows, let limit): ("the last \(rows) rows are under way; they do not fill the limit of \(limit)", "set hedge p95")
    case .slowSource: ("its rows come slower than they are answered", nil)
    case .over: ("it is over", nil)
    }
  }

  private static func line(for shut: LaneShut) -> String? {
    switch shut.reason {
    case .rate(let rate, let whose): "set \(rate.name) \(rate.number * 2)\(whose.isEmpty ? "" : " for \(whose)")"
    case .down: "set down-wait 30m"
    case .alone: "set concurrency 1 for \(shut.name)"
    case .silent(let silence): "set first-token-timeout \(silence.within.twice)"
    case .requestsLeft, .tokensLeft, .refused, .refusing, .learnedRate: nil
    }
  }
}

extension Duration {
  /// Twice as long, as `set` takes it: `4m`.
  fileprivate var twice: String {
    let seconds = max(1, Int((self * 2).seconds.rounded()))
    return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds)s"
  }
}

extension Limiter {
  /// What holds a job back.
  public func verdict(of job: Job) -> Verdict {
    let progress = job.progress
    if job.isOver { return .over }
    if progress.state == .paused { return .paused }
    let now = now
    let shut = shutLanes(of: job)
    let lanes = lanes(of: job)
    if let waits = shut.first(where: { $0.isNews(now: now) }) ?? (lanes.count == shut.count ? shut.first : nil) { return .shut(waits) }
    if let share = job.ownCPU, share > 0.9 { return .ownCPU(share) }
    let limit = standing(of: job).limit
    if let total = progress.total, total - progress.done <= limit, progress.begun == total - progress.done {
      return .tail(rows: total - progress.done, limit: limit)
    }
    if let own = own(of: job).concurrency, progress.inFlight >= own { return .width(own, of: job.name) }
    if let full = lanes.first(where: { $0.inUse >= $0.limit ?? .max }), let limit = full.limit {
      return full.own.concurrency == limit ? .width(limit, of: full.model.description) : .full(full.model, limit: limit)
    }
    for lane in lanes {
      let provider = lane.model.provider
      let inUse = self.lanes().reduce(0) { $0 + ($1.model.provider == provider ? $1.inUse : 0) }
      if let own = lane.ofProvider.concurrency, inUse >= own { return .width(own, of: provider) }
    }
    if lanes.contains(where: { $0.waiting > 0 }) || progress.inFlight >= limit { return .width(limit, of: nil) }
    return .slowSource
  }
}
