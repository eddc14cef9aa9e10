import Language

extension CommandDefinition {
  static let pause = CommandDefinition(
    name: "pause", group: .concurrency, summary: "starts nothing new in a job until `resume`", usage: ["pause job"], arguments: 1...99,
    showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\" &\npause facts\nresume facts\ngather facts"]
  ) { call in
    for handle in try await call.jobs() { call.session.setPaused(true, handle.job) }
    return .value(.nothing)
  }

  static let resume = CommandDefinition(
    name: "resume", group: .concurrency, summary: "lets a paused job go on", usage: ["resume job"], arguments: 1...99, showsItself: true
  ) { call in
    for handle in try await call.jobs() { call.session.setPaused(false, handle.job) }
    return .value(.nothing)
  }

  static let cancel = CommandDefinition(
    name: "cancel", group: .concurrency, summary: "ends a job now; what had finished is kept", usage: ["cancel job"], arguments: 1...99,
    showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\" &\ncancel facts"]
  ) { call in
    for handle in try await call.jobs() {
      call.session.setPaused(false, handle.job)
      handle.job.cancel()
    }
    return .value(.nothing)
  }
}
