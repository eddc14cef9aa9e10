import Language

extension CommandDefinition {
  static let resume = CommandDefinition(
    name: "resume", group: .concurrency, summary: "lets a paused job go on", usage: ["resume job"], arguments: 1...99, showsItself: true,
    steers: .always
  ) { call in
    for handle in try await call.jobs() where !call.isOver(handle, "there is nothing to go on with") {
      if handle.job.progress.state == .running { call.world.output.note("`\(handle.job.name)` is not paused") }
      call.session.setPaused(false, handle.job, by: call.author)
    }
    return .value(.nothing)
  }
}
