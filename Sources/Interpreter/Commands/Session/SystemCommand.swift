import Language

extension CommandDefinition {
  static let system = CommandDefinition(
    name: "!", group: .session, summary: "runs a command of the system's shell", usage: ["!ls -l"], arguments: 1...1, showsItself: true
  ) { call in
    let words = try await call.text(0, "a command")
    do {
      let status = try await call.world.system.run(words)
      // 128 and SIGINT: ^C ended it, and ends what would come after it, as in any shell.
      if status == 130 { throw CancellationError() }
      if status != 0 { call.world.output.note("exit status \(status)") }
    } catch let problem as FileProblem { throw call.error(problem.message) }
    return .value(.nothing)
  }
}
