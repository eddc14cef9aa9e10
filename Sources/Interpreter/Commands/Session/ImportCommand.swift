import Language

extension CommandDefinition {
  static let `import` = CommandDefinition(
    name: "import", group: .session, summary: "takes prompts and functions from a script; its other statements may not send anything",
    usage: ["import \"file.psh\""],
    arguments: 1...1, showsItself: true
  ) { call in
    try await call.runFile(definitionsOnly: true)
    return .value(.nothing)
  }
}
