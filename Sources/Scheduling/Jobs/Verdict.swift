import Chat

/// What holds a job back now, as far as it can be told: the first of these that is true.
public enum Verdict: Sendable, Equatable {
  /// And why, where it was not just somebody's wish.
  case paused(String?)
  /// The lane that its calls wait for, and the line that helps.
  case shut(LaneShut, line: String?)
  /// This program itself: processor time for each second of the clock.
  case ownCPU(Double)
  /// The limit of calls at once that was set: for the session, or for a job, a provider or a model of this name.
  case width(Int, of: String?)
  /// The limit that `auto` has found for all its models, each of which bears more or less.
  case found(Int)
  /// A model bears as many as `auto` was allowed to try.
  case range(ClosedRange<Int>, ModelName)
  /// This machine carries no more, and why.
  case machine(Int, String)
  /// A model bears no more calls at once, as far as it was tried.
  case full(ModelName, limit: Int)
  /// So few rows are left that they do not fill the limit.
  case tail(rows: Int, limit: Int)
  /// None of its calls has left yet, nor waits for leave: it has just begun, or its first rows compute.
  case unsent
  /// Rows come slower than they are answered.
  case slowSource
  /// All its rows are there, and none of their calls waits for leave.
  case betweenCalls
  case over

  /// In words, and the line to type where one helps.
  ///
  /// - Parameters:
  ///   - name: the job's, as its commands take it.
  ///   - shut: a shut lane in words.
  public func words(_ name: String, _ shut: (LaneShut) -> String) -> (text: String, line: String?) {
    switch self {
    case .paused(let reason): ("it is paused\(reason.map { ": \($0)" } ?? "")", "resume \(name)")
    case .shut(let lane, let line): (shut(lane), line)
    case .ownCPU(let share): ("this program itself: \(Int((share * 100).rounded())) % of a processor", nil)
    case .width(let limit, let whose):
      (
        "the limit of \(limit) at once\(whose.map { " of \($0)" } ?? "") is in use",
        "set concurrency \(limit * 2)\(whose.map { " for \($0)" } ?? "")"
      )
    case .found(let limit): ("the limit of \(limit) at once that auto has found so far is in use", nil)
    case .range(let range, let model):
      (
        "\(model) bears the \(range.upperBound) at once that auto may try",
        "set concurrency auto \(range.lowerBound)..\(range.upperBound * 2)"
      )
    case .machine(let most, let reason): ("this machine lets no more than \(most) go at once: \(reason)", nil)
    case .full(let model, let limit): ("\(model) bears \(limit) at once, as far as it was tried", nil)
    case .tail(let rows, let limit):
      // What is under way is hedged no more.
      (
        "the last \(rows) rows are under way; they do not fill the limit of \(limit); a hedge shortens the tail of a later run",
        "set hedge p95"
      )
    case .unsent: ("none of its calls has left yet", nil)
    case .slowSource: ("its rows come slower than they are answered", nil)
    case .betweenCalls: ("none of its calls waits for leave: its rows are between two of them", nil)
    case .over: ("it is over", nil)
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
  /// Time to a job's end at its present rate; nil where that cannot be told, or where nothing goes and nobody knows until when.
  public func eta(of job: Job, _ progress: Job.Progress) -> Duration? {
    guard progress.state == .running else { return nil }
    let shut = shutLanes(of: job)
    return !shut.isEmpty && shut.count == lanes(of: job).count && shut.allSatisfy(\.isWithoutEnd) ? nil : progress.eta
  }

  /// What holds a job back.
  public func verdict(of job: Job) -> Verdict {
    let progress = job.progress
    if job.isOver { return .over }
    if progress.state == .paused { return .paused(pauseReason(of: job)) }
    let now = now
    let shut = shutLanes(of: job)
    let lanes = lanes(of: job)
    // A lane that is shut for a moment holds the job back where its rows wait for no other.
    let isHeldUp = !shut.isEmpty && shut.count >= lanes.count { $0.waiting > 0 }
    if let waits = shut.first(where: { $0.isNews(now: now) }) ?? (isHeldUp ? shut.first : nil) {
      return .shut(waits, line: line(for: waits, job))
    }
    if let share = job.ownCPU, share > 0.9 { return .ownCPU(share) }
    let limit = standing(of: job).limit
    if let total = progress.total, total - progress.done <= limit, progress.begun == total - progress.done {
      return .tail(rows: total - progress.done, limit: limit)
    }
    return full(job, progress, lanes, limit) ?? idle(progress)
  }

  /// Nothing of the limits holds it back.
  private func idle(_ progress: Job.Progress) -> Verdict {
    // Where all rows are known from the start, none is late.
    if progress.total != nil { return progress.launched == 0 ? .unsent : .betweenCalls }
    return progress.launched == 0 && progress.elapsed < .seconds(1) ? .unsent : .slowSource
  }

  /// Which limit of calls at once is in use.
  private func full(_ job: Job, _ progress: Job.Progress, _ lanes: [LaneStanding], _ limit: Int) -> Verdict? {
    if let own = own(of: job).concurrency, progress.inFlight >= own { return .width(own, of: job.typedName) }
    let width = limits.width
    if let full = lanes.first(where: { $0.inUse >= $0.limit ?? .max }), let limit = full.limit {
      if full.own.concurrency == limit { return .width(limit, of: full.model.description) }
      if case .adaptive(let range) = width, range.upperBound == limit { return .range(range, full.model) }
      return .full(full.model, limit: limit)
    }
    for lane in lanes {
      let provider = lane.model.provider
      let inUse = self.lanes().reduce(0) { $0 + ($1.model.provider == provider ? $1.inUse : 0) }
      if let own = lane.ofProvider.concurrency, inUse >= own { return .width(own, of: provider) }
    }
    guard lanes.contains(where: { $0.waiting > 0 }) || progress.inFlight >= limit else { return nil }
    if let machine, inUse >= machine.most { return .machine(machine.most, machine.reason) }
    if case .adaptive = width { return .found(limit) }
    return .width(limit, of: nil)
  }

  private func pauseReason(of job: Job) -> String? {
    let last = history.last { change in
      if case .paused = change.what { change.job == job.id } else { false }
    }
    guard case .paused(let reason)? = last?.what else { return nil }
    return reason
  }

  /// The line that helps where calls wait for a lane: twice what was set, in the place where it was set.
  private func line(for shut: LaneShut, _ job: Job) -> String? {
    switch shut.reason {
    case .rate(let rate, .job): "set \(rate.name) \(rate.number * 2) for \(job.typedName)"
    case .rate(let rate, .place(let name)):
      "set \(rate.name) \(rate.number * 2)\(limits.places[name]?.has(rate) ?? false ? " for \(name)" : "")"
    case .down: limits.downWait.map { "set down-wait \($0.twice)" }
    case .alone: "set concurrency 1 for \(shut.name)"
    case .silent(let silence):
      "set \(silence.isOfWholeCall ? "timeout" : "first-token-timeout") \(silence.within.twice)"
    case .requestsLeft, .tokensLeft, .refused, .refusing, .learnedRate: nil
    }
  }
}

extension Limits.Own {
  fileprivate func has(_ rate: LimitSetting) -> Bool {
    switch rate {
    case .requestsPerSecond: requestsPerSecond != nil
    case .requestsPerMinute: requestsPerMinute != nil
    case .tokensPerMinute: tokensPerMinute != nil
    }
  }
}
