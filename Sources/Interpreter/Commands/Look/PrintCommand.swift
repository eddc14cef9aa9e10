import Language

extension CommandDefinition {
  static let print = CommandDefinition(
    name: "print", group: .look, summary: "prints values as plain text, a line; a list's elements one a line",
    usage: ["print \"Prompt: {p}\"", "rows | print"], arguments: 0...99,
    takesInput: true, flags: [FlagDefinition(name: "raw", summary: "print control characters as they are (to a pipe)", isSwitch: true)],
    showsItself: true,
    examples: ["print \"1 + 1 = {1 + 1}\"", "print 1 \"two\" [3, 4]"]
  ) { call in
    let raw = call.has("raw")
    func put(_ text: String) throws {
      do { try call.world.output.print(text, raw: raw) } catch { throw call.error("\(error)") }
    }
    if case .start = call.input {
      var words: [String] = []
      for argument in call.command.arguments { words.append(try await call.context.value(argument).text) }
      try put(words.joined(separator: " "))
      return .value(.nothing)
    }
    if case .value(let value) = call.input, value.elements == nil {
      try put(value.text)
    } else {
      try await call.rows().stream.forEach(named: nil) { try put($0.text) }
    }
    return .value(.nothing)
  }
}
