import Language

extension CommandDefinition {
  static let history = CommandDefinition(
    name: "history", group: .session, summary: "the lines typed before", usage: ["history", "history 20"], takesWords: true,
    showsItself: true, examples: ["history 5"]
  ) { call in
    let lines = call.world.system.history()
    var count = 50
    if let word = call.command.words.first {
      guard case .int(let given) = try await call.context.value(word), given > 0 else {
        throw call.error("`history` takes a whole number from 1", at: word.span)
      }
      count = given
    }
    for line in lines.suffix(count) { try await call.world.output.print(line, raw: false) }
    return .value(.nothing)
  }
}
