import Language

extension CommandDefinition {
  static let each = CommandDefinition(
    name: "each", group: .talk, summary: "runs a function for every item, side by side under the session's width",
    usage: ["each items function", "items | each function"], arguments: 2...2, takesInput: true,
    examples: [
      "def refine(topic) {\n  let draft = ask \"Write a story about {topic}\"\n  return ask \"Make it shorter:\\n{draft}\"\n}\neach [\"a forest\", \"a city\"] refine"
    ]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 1, let argument = rest.first else {
      throw call.error("`each` takes items and a function: \(call.definition.usage[0])")
    }
    let function = try await call.context.value(argument)
    guard case .function(let definition) = function else {
      throw call.error(
        "`each` runs a function, not \(function.kind)", at: argument.span, help: "def name(item) { … }; a prompt is sent with `map`")
    }
    guard !definition.definition.parameters.isEmpty else {
      throw call.error("`\(definition.name)` takes no argument for the item", at: argument.span)
    }
    return .rows(stream.adding(EachStage(function: function, span: argument.span)))
  }
}
