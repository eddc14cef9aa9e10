import Language

extension CommandDefinition {
  static let source = CommandDefinition(
    name: "source", group: .session, summary: "runs a script as if its lines had been typed", usage: ["source \"file.psh\""],
    arguments: 1...1, showsItself: true
  ) { call in
    try await call.runFile(definitionsOnly: false)
    return .value(.nothing)
  }
}
