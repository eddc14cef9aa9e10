import Language
import Scheduling

extension CommandDefinition {
  static let jobs = CommandDefinition(
    name: "jobs", group: .concurrency, summary: "lists background work and how far it is", usage: ["jobs", "jobs --watch", "jobs --json"],
    flags: [
      FlagDefinition(name: "watch", summary: "show it live, until a key or until all are done", isSwitch: true),
      FlagDefinition(name: "json", summary: "one JSON document: jobs, lanes, limits, what was changed", isSwitch: true),
    ], showsItself: true,
    steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\njobs\ngather facts"]
  ) { call in
    let session = call.session
    if call.has("json") { return try await call.printed(session.status) }
    guard call.has("watch") else {
      let table = session.jobTable
      // What is bound, or goes to another stage, is not shown; there all columns are.
      guard call.isLast, call.context.showsValues, call.jobName == nil else { return .value(table) }
      var options = ShowOptions()
      options.columns = session.tellingColumns
      do { try await call.world.output.show(table, options: options) } catch { throw call.error("\(error)") }
      call.context.bindLast(table)
      return .value(table)
    }
    try await call.world.output.live {
      session.jobs.allSatisfy(\.job.isOver)
    } _: {
      session.jobTable
    }
    return .value(.nothing)
  }
}

extension Session {
  var jobTable: Value { .list(reachableJobs.map(row)) }

  /// Those of its columns that fit a terminal of eighty with their words whole.
  fileprivate var tellingColumns: [String] {
    let isWaiting = reachableJobs.contains { $0.job.progress.waiting > 0 }
    return ["job", "name", "state", "done", "in_flight", isWaiting ? "waiting" : "rate", "failed", "eta"]
  }

  /// How far a job is, as a row of `jobs`.
  func row(_ handle: JobHandle) -> Value {
    let job = handle.job
    let progress = job.progress
    return .record(
      Record([
        ("job", job.number.map(Value.int) ?? .nothing), ("name", .text(job.name)), ("state", .text(progress.state.rawValue)),
        ("done", .text(progress.total.map { "\(progress.done)/\($0)" } ?? "\(progress.done)")),
        ("in_flight", .int(progress.inFlight)), ("waiting", .int(progress.waiting)),
        ("failed", .int(progress.unanswered)), ("wrong", .int(progress.calls.wrong.values.reduce(0, +))),
        ("retried", .int(progress.retried)), ("rate", .text(progress.rate.fixed(1) + "/s")),
        ("p50", progress.p50.map(Value.duration) ?? .nothing), ("p95", progress.p95.map(Value.duration) ?? .nothing),
        ("eta", world.engine.limiter.eta(of: job, progress).map(Value.duration) ?? .nothing),
        ("lanes", job.isOver ? .nothing : .text(lanes(of: job))),
      ]))
  }

  /// The models that a job calls: how many calls each has of how many, or why nothing goes to it. `sim/a 3 of 8`
  func lanes(of job: Job) -> String {
    let limiter = world.engine.limiter
    let shut = Dictionary(limiter.shutLanes(of: job).map { ($0.name, $0) }) { first, _ in first }
    return limiter.lanes(of: job).map { lane in
      let name = lane.model.description
      if let shut = shut[name] ?? shut[lane.model.provider], shut.isNews(now: world.engine.time.now) { return words(shut) }
      return "\(name) \(lane.inUse)\(lane.limit.map { " of \($0)" } ?? "")"
    }.joined(separator: ", ")
  }

  /// `openai/a: 0 requests left until 14:02:10`
  func words(_ shut: LaneShut) -> String {
    let now = world.engine.time.now
    return shut.text(now: now) { ahead in world.system.clock(now + ahead) }
  }
}
