import Language

extension CommandDefinition {
  static let pause = CommandDefinition(
    name: "pause", group: .concurrency, summary: "starts nothing new in a job until `resume`", usage: ["pause job"], arguments: 1...99,
    showsItself: true,
    steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\npause facts\nresume facts\ngather facts"]
  ) { call in
    for handle in try await call.jobs() where !call.isOver(handle, "there is nothing to pause") {
      if handle.job.progress.state == .paused { call.world.output.note("`\(handle.job.name)` is paused already") }
      call.session.setPaused(true, handle.job, by: call.author)
    }
    return .value(.nothing)
  }
}
