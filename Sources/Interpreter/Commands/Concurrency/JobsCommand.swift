import Language
import Scheduling

extension CommandDefinition {
  static let jobs = CommandDefinition(
    name: "jobs", group: .concurrency, summary: "lists background work and how far it is", usage: ["jobs", "jobs --watch"],
    flags: [FlagDefinition(name: "watch", summary: "show it live, until a key or until all are done", isSwitch: true)],
    steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\njobs\ngather facts"]
  ) { call in
    let session = call.session
    guard call.has("watch") else { return .value(session.jobTable) }
    try await call.world.output.live {
      session.jobs.allSatisfy(\.job.isOver)
    } _: {
      session.jobTable
    }
    return .value(.nothing)
  }
}

extension Session {
  var jobTable: Value { .list(jobs.map(\.row)) }
}

extension JobHandle {
  /// How far it is, as a row of `jobs`.
  var row: Value {
    let progress = job.progress
    return .record(
      Record([
        ("job", .int(job.number ?? 0)), ("name", .text(job.name)), ("state", .text(progress.state.rawValue)),
        ("done", .text(progress.total.map { "\(progress.done)/\($0)" } ?? "\(progress.done)")),
        ("in_flight", .int(progress.inFlight)), ("waiting", .int(progress.waiting)),
        ("failed", .int(progress.unanswered)), ("wrong", .int(progress.calls.wrong.values.reduce(0, +))),
        ("retried", .int(progress.retried)), ("rate", .text(progress.rate.fixed(1) + "/s")),
        ("p50", progress.p50.map(Value.duration) ?? .nothing), ("p95", progress.p95.map(Value.duration) ?? .nothing),
        ("eta", progress.state == .running ? progress.eta.map(Value.duration) ?? .nothing : .nothing),
      ]))
  }
}
