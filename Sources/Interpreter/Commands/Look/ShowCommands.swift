import Language

extension CommandDefinition {
  static let show = CommandDefinition(
    name: "show", group: .look, summary: "shows a value as the prompt does", usage: ["show x", "rows | show --all"], arguments: 1...1,
    takesInput: true,
    flags: [
      FlagDefinition(name: "all", summary: "every row", isSwitch: true),
      FlagDefinition(name: "wide", summary: "no cell is cut", isSwitch: true),
    ], showsItself: true, examples: ["show [1, 2, 3]"], run: showValue)

  static let table = CommandDefinition(
    name: "table", group: .look, summary: "shows rows as a table, a long one through $PAGER", usage: ["rows | table --all --wide"],
    arguments: 1...1, takesInput: true,
    flags: [
      FlagDefinition(name: "all", summary: "every row", isSwitch: true),
      FlagDefinition(name: "wide", summary: "no cell is cut", isSwitch: true),
    ], showsItself: true, examples: ["[{a: 1}, {a: 2}] | table"], run: showValue)

  private static func showValue(_ call: Invocation) async throws -> Flow {
    let value = try await call.single().value
    var options = ShowOptions()
    options.all = call.has("all")
    options.wide = call.has("wide")
    options.paged = call.definition.name == "table"
    do { try call.world.output.show(value, options: options) } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }

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
