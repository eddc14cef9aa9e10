import Language

extension CommandDefinition {
  static let log = CommandDefinition(
    name: "log", group: .look, summary: "writes a line to standard error", usage: ["log \"…\""], arguments: 1...99, showsItself: true,
    examples: ["log \"half way\""]
  ) { call in
    var words: [String] = []
    for argument in call.command.arguments { words.append(try await call.context.value(argument).text) }
    call.world.output.note(words.joined(separator: " "))
    return .value(.nothing)
  }
}
