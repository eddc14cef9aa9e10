import Chat
import Language

extension CommandDefinition {
  static let ask = CommandDefinition(
    name: "ask", group: .talk, summary: "sends one prompt and waits for the whole reply",
    usage: ["ask \"prompt\"", "ask prompt argument …", "text | ask"], arguments: 1...20, takesInput: true,
    flags: [
      FlagDefinition(name: "as", summary: "read the reply as number, json or lines", accepts: ReplyForm.accepted),
      FlagDefinition(name: "raw", summary: "print control characters as they are (to a pipe)", isSwitch: true),
    ], takesRequestFlags: true,
    examples: ["ask \"Name one river.\" --temperature 0 --max-tokens 20", "let a = ask \"Name one river.\"\nask \"Where is it? {a}\""]
  ) { call in
    let context = try await call.callContext()
    let messages = try await call.singlePrompt(context)
    let form = try await call.replyForm()
    // A call at the top has a job, so that a key can end it; in a row it belongs to the row's.
    let row = await JobScope.single(call, context) { context in
      let (reply, parsed) = await context.call(messages, as: form)
      return ReplyRow(reply, index: 0, item: .nothing, parsed: parsed)
    }
    if call.has("raw"), call.isLast, context.showsValues {
      try await call.world.output.print(row.reply.text, raw: true)
      return .value(.nothing)
    }
    return .value(.reply(row))
  }
}

extension Invocation {
  /// The messages of a command that sends one prompt: a text, or a named prompt and its arguments.
  func singlePrompt(_ context: Context) async throws -> [Message] {
    let named = try await singleParameters()
    var input: Value?
    switch self.input {
    case .start: break
    case .value(let value): input = value
    case .rows(let rows): input = .list(try await rows.collect(named: nil))
    }
    if let first = command.arguments.first, case .name(let name) = first.node, case .prompt(let prompt)? = context.scope.lookup(name) {
      for (name, _) in named where !prompt.definition.parameters.contains(where: { $0.name.text == name.text }) {
        throw unknownParameter(name, of: prompt)
      }
      var positional = input.map { [$0] } ?? []
      for argument in command.arguments.dropFirst() { positional.append(try await context.value(argument)) }
      return try await context.messages(of: prompt, positional, named, at: first.span)
    }
    if let (name, _) = named.first {
      throw error(
        "`\(definition.name)` has no flag `--\(name.text)`", at: name.span,
        help: Suggestion.help(for: name.text, among: definition.flagNames, asFlag: true))
    }
    guard command.arguments.count + (input == nil ? 0 : 1) == 1 || command.arguments.count == 1 else {
      throw error(
        "`\(definition.name)` takes one prompt", at: command.arguments.dropFirst().first?.span,
        help: "a text is written in quotes; several prompts go with `map`")
    }
    if let expression = command.arguments.first {
      if let input { return [Message(.user, try await textWith(input, expression, context))] }
      let value = try await context.value(expression)
      guard value.asText != nil || value.asNumber != nil || value.failure != nil else {
        throw error(
          "a prompt is a text, not \(value.kind): \(value.preview)", at: expression.span,
          help: "`map` sends one prompt for every item of a list")
      }
      return [Message(.user, try context.text(of: value, at: expression.span))]
    }
    let value = input ?? .nothing
    guard value.asText != nil || value.failure != nil else { throw error("a prompt is a text, not \(value.kind): \(value.preview)") }
    return [Message(.user, try context.text(of: value, at: command.name.span))]
  }

  /// `text | ask "…{it}"`
  private func textWith(_ input: Value, _ expression: Expression, _ context: Context) async throws -> String {
    var inner = context
    inner.scope = Scope(parent: context.scope, row: Scope.Row(it: input, index: 0))
    let value = try await inner.value(expression)
    return try inner.text(of: value, at: expression.span)
  }

  func replyForm() async throws -> ReplyForm? { try await flagValue("as").flatMap { ReplyForm(rawValue: $0.text) } }
}

extension ReplyForm {
  static let accepted = FlagDefinition.Accepts.words(allCases.map(\.rawValue))
}
