import Language

extension CommandDefinition {
  static let vars = CommandDefinition(
    name: "vars", group: .session, summary: "lists the variables", usage: ["vars", "vars --json"],
    flags: [FlagDefinition(name: "json", summary: "as a JSON array", isSwitch: true)], showsItself: true, steers: .always,
    examples: ["let a = 1\nvars"]
  ) { call in
    let rows = call.session.globals.own.filter { $0.name != "_" }.map { name, value -> Value in
      let size = value.elements.map { "\($0.count) elements" } ?? ""
      return .record(
        Record([
          ("name", .text(name)), ("kind", .text(value.typeName)),
          ("value", .text(size.isEmpty ? value.preview : size)),
        ]))
    }
    if call.has("json") { return try await call.printed(Value.list(rows).json) }
    do { try await call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }
}
