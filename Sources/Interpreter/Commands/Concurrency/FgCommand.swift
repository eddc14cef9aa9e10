import Language

extension CommandDefinition {
  static let fg = CommandDefinition(
    name: "fg", group: .concurrency, summary: "brings a job to the foreground: its progress is shown, and keys steer it",
    usage: ["fg", "fg job"], arguments: 0...1, showsItself: true, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\nfg facts"]
  ) { call in
    let handle = call.command.arguments.isEmpty ? call.session.jobs.last { !$0.job.isOver } : try await call.jobs().first
    guard let handle else { throw call.error("nothing runs in the background", help: "a statement with & at its end does") }
    if call.isOver(handle, "there is nothing to bring back") { return .value(.nothing) }
    call.session.setPaused(false, handle.job, by: call.author)
    _ = try await call.wait(for: handle, at: call.span, bringsBack: true)
    return .value(.nothing)
  }
}
