import Language

extension CommandDefinition {
  static let bg = CommandDefinition(
    name: "bg", group: .concurrency, summary: "lets a job that was paused go on in the background", usage: ["bg", "bg job"],
    arguments: 0...99, showsItself: true, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\npause facts\nbg facts\ngather facts"]
  ) { call in
    let named = try await call.jobs()
    let paused = call.session.jobs.last { $0.job.progress.state == .paused }
    let handles = call.command.arguments.isEmpty ? paused.map { [$0] } ?? [] : named
    guard !handles.isEmpty else { throw call.error("no job is paused", help: "`jobs` lists them") }
    for handle in handles where !call.isOver(handle, "there is nothing to go on with") {
      call.session.setPaused(false, handle.job, by: call.author)
    }
    return .value(.nothing)
  }
}
