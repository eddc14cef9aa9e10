import Language

extension CommandDefinition {
  static let jobs = CommandDefinition(
    name: "jobs", group: .concurrency, summary: "lists background work and how far it is", usage: ["jobs"],
    examples: ["let facts = map 1..3 \"A fact about {it}.\" &\njobs\ngather facts"]
  ) { call in
    .value(
      .list(
        call.session.jobs.map { handle in
          let progress = handle.job.progress
          return .record(
            Record([
              ("job", .int(handle.job.id)), ("name", .text(handle.job.name)), ("state", .text(progress.state.rawValue)),
              ("done", .text(progress.total.map { "\(progress.done)/\($0)" } ?? "\(progress.done)")),
              ("in_flight", .int(progress.inFlight)),
              ("failed", .int(progress.failed)), ("retried", .int(progress.retried)), ("rate", .text(progress.rate.fixed(1) + "/s")),
              ("p50", progress.p50.map(Value.duration) ?? .nothing), ("p95", progress.p95.map(Value.duration) ?? .nothing),
              ("eta", progress.state == .running ? progress.eta.map(Value.duration) ?? .nothing : .nothing),
            ]))
        }))
  }
}
