import Language

extension CommandDefinition {
  static let cancel = CommandDefinition(
    name: "cancel", group: .concurrency, summary: "ends a job now; what had finished is kept", usage: ["cancel job"], arguments: 1...99,
    showsItself: true,
    steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\ncancel facts"]
  ) { call in
    for handle in try await call.jobs() where !call.isOver(handle, "there is nothing to cancel") {
      call.session.setPaused(false, handle.job, by: call.author)
      call.world.engine.limiter.note(.cancelled, of: handle.job, by: call.author, rows: call.session.launchedRows)
      handle.job.cancel()
    }
    return .value(.nothing)
  }
}
