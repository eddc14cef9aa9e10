import Language

extension CommandDefinition {
  static let system = CommandDefinition(
    name: "!", group: .session, summary: "runs a command of the system's shell; `status` is its exit status then", usage: ["!ls -l"],
    arguments: 1...1, showsItself: true
  ) { call in
    let words = try await call.text(0, "a command")
    let ended: Int
    do {
      ended = try await call.world.system.run(words)
    } catch let problem as FileProblem { throw call.error(problem.message) }
    // The session's, as in every shell; a function that runs one sees its own.
    call.session.globals.set("status", .int(ended))
    call.context.scope.set("status", .int(ended))
    // 128 and SIGINT: ^C ended it, and ends what would come after it, as in any shell.
    if ended == 130 { throw CancellationError() }
    if ended != 0 {
      if call.session.settings.isStrict {
        throw call.error("the command ended with status \(ended)", help: "`set strict off` goes on after such a command")
      }
      call.world.output.note("exit status \(ended)")
    }
    return .value(.nothing)
  }
}
