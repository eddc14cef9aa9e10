import Language

extension CommandDefinition {
  static let system = CommandDefinition(
    name: "!", group: .session, summary: "runs a command of the system's shell", usage: ["!ls -l"], arguments: 1...1, showsItself: true
  ) { call in
    let words = try await call.text(0, "a command")
    do throws(FileProblem) {
      let status = try await call.world.system.run(words)
      if status != 0 { call.world.output.note("exit status \(status)") }
    } catch { throw call.error(error.message) }
    return .value(.nothing)
  }
}
