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
    func put(_ text: String) async throws {
      do { try await call.world.output.print(text, raw: raw) } catch { throw call.error("\(error)") }
    }
    if case .start = call.input {
      var words: [String] = []
      for argument in call.command.arguments {
        words.append(try call.context.text(of: try await call.context.value(argument), at: argument.span))
      }
      try await put(words.joined(separator: " "))
      return .value(.nothing)
    }
    if case .value(let value) = call.input, value.elements == nil {
      try await put(try call.context.text(of: value, at: call.span))
    } else {
      let unanswered = Counter()
      try await call.rows().stream.forEach(named: nil) { row in
        if row.failure == nil { try await put(row.text) } else { unanswered.add() }
      }
      if unanswered.value > 0 { call.context.tell("print: \(RuleTally.rows(unanswered.value)) without an answer left out") }
    }
    return .value(.nothing)
  }
}
