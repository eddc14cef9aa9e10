import Language

extension CommandDefinition {
  static let resume = CommandDefinition(
    name: "resume", group: .concurrency, summary: "lets a paused job go on", usage: ["resume job"], arguments: 1...99, showsItself: true,
    steers: .always
  ) { call in
    for handle in try await call.jobs() { call.session.setPaused(false, handle.job) }
    return .value(.nothing)
  }
}
