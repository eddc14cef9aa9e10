import Chat
import Language

/// What makes the messages for a row.
enum PromptPlan: Sendable {
  /// A text that is evaluated for each row; or whatever else gives a text.
  /// `label` is its source, shortened.
  case expression(Expression, label: String)
  case text(String)
  case prompt(PromptValue)

  /// How it shows as a column of a sweep.
  var label: String {
    switch self {
    case .expression(_, let label): label
    case .text(let text): text
    case .prompt(let prompt): prompt.name
    }
  }

  /// Whether it only puts values into a text.
  var isLight: Bool {
    switch self {
    case .text: true
    case .expression(let expression, _): expression.isLight
    case .prompt(let prompt):
      prompt.definition.turns.allSatisfy { $0.text.isLight } && prompt.definition.parameters.allSatisfy { $0.fallback?.isLight ?? true }
    }
  }

  func hasParameter(_ name: String) -> Bool {
    if case .prompt(let prompt) = self { prompt.definition.parameters.contains { $0.name.text == name } } else { false }
  }

  /// Checks, for items that are there already, that every hole can be filled.
  ///
  /// - Parameter named: the parameters that flags fill.
  func check(_ visible: [Value], _ named: [(name: Name, value: Value)], at span: Span, _ context: Context) throws {
    switch self {
    case .text: return
    case .expression(let expression, _):
      let free = FreeNames.of(expression)
      if free.isEmpty { return }
      for (index, item) in visible.enumerated() {
        let scope = Scope(parent: context.scope, row: Scope.Row(it: item, index: index))
        for (name, span) in free where scope.lookup(name) == nil && Functions.named(name) == nil {
          // A list of alike items fails at its first or not at all, but the message counts.
          let fields = ["it", "index"] + item.fieldNames
          throw context.error(
            "nothing fills the hole `{\(name)}`" + (index > 0 ? " for item \(index)" : ""), at: span,
            help: Suggestion.nearest(to: name, among: scope.names).map { "did you mean `{\($0)}`?" }
              ?? "it could use: \(fields.joined(separator: ", "))")
        }
      }
    case .prompt(let prompt):
      for (index, item) in visible.enumerated() { _ = try arguments(of: prompt, named, item, index, at: span, context) }
    }
  }

  func messages(
    for row: Row, _ named: [(name: Name, value: Value)], at span: Span, _ context: Context
  ) async throws -> [Message] {
    switch self {
    case .text(let text): return [Message(.user, text)]
    case .expression(let expression, _):
      let value = try await context.value(expression)
      if case .prompt(let prompt) = value { return try await PromptPlan.prompt(prompt).messages(for: row, [], at: span, context) }
      guard value.asText != nil || value.asNumber != nil || value.failure != nil else {
        throw context.error("a prompt is a text, not \(value.kind): \(value.preview)", at: expression.span)
      }
      return [Message(.user, try context.text(of: value, at: expression.span))]
    case .prompt(let prompt):
      let arguments = try arguments(of: prompt, named, row.value, row.index, at: span, context)
      for (name, value) in arguments where value.isNothing {
        if let failure = row.value.noAnswer(reading: name.text) { throw context.noAnswer(failure, reading: name.text, at: span) }
      }
      return try await context.messages(of: prompt, [], arguments, at: span)
    }
  }

  /// A record fills parameters by its fields' names; a list by position; anything else is the first argument.
  private func arguments(
    of prompt: PromptValue, _ named: [(name: Name, value: Value)], _ item: Value, _ index: Int, at span: Span, _ context: Context
  ) throws -> [(Name, Value)] {
    var arguments = named.map { ($0.name, $0.value) }
    func isOpen(_ name: String) -> Bool { !arguments.contains { $0.0.text == name } }
    let parameters = prompt.definition.parameters
    switch item {
    case .list(let values):
      for (parameter, value) in zip(parameters.filter { isOpen($0.name.text) }, values) {
        arguments.append((Name(text: parameter.name.text, span: span), value))
      }
    case .record:
      for parameter in parameters where isOpen(parameter.name.text) {
        if let value = item.field(parameter.name.text) { arguments.append((Name(text: parameter.name.text, span: span), value)) }
      }
    default:
      if let first = parameters.first(where: { isOpen($0.name.text) && $0.fallback == nil })
        ?? parameters.first(where: { isOpen($0.name.text) })
      {
        arguments.append((Name(text: first.name.text, span: span), item))
      }
      // A reply brings the fields of its item along.
      for parameter in parameters where isOpen(parameter.name.text) && parameter.fallback == nil {
        if let value = item.field(parameter.name.text) { arguments.append((Name(text: parameter.name.text, span: span), value)) }
      }
    }
    for parameter in parameters where isOpen(parameter.name.text) && parameter.fallback == nil {
      throw context.error(
        "item \(index) gives `\(prompt.name)` no `\(parameter.name.text)`", at: span,
        help: "the item is \(item.preview); a record fills parameters by field name")
    }
    return arguments
  }
}

extension Context {
  /// The turns of a named prompt, its parameters filled.
  func messages(of prompt: PromptValue, _ positional: [Value], _ named: [(Name, Value)], at span: Span) async throws -> [Message] {
    let scope = Scope(parent: launch?.frozen(prompt.scope) ?? prompt.scope, isPrompt: true)
    try await bind(
      prompt.definition.parameters, of: prompt.name, positional, named, in: scope, at: span, definition: (prompt.scope, prompt.source))
    var inner = try calling(prompt.name, at: span)
    inner.scope = scope
    inner.source = prompt.source
    var messages: [Message] = []
    for turn in prompt.definition.turns {
      let text = try inner.text(of: try await inner.value(turn.text), at: turn.text.span)
      messages.append(Message(Message.Role(rawValue: turn.role.rawValue) ?? .user, text))
    }
    return messages
  }
}

/// The names an expression uses and does not itself define.
enum FreeNames {
  static func of(_ expression: Expression) -> [(name: String, span: Span)] {
    var names: [(name: String, span: Span)] = []
    collect(expression, &names)
    return names
  }

  private static func collect(_ expression: Expression, _ names: inout [(name: String, span: Span)]) {
    switch expression.node {
    case .name(let name): names.append((name, expression.span))
    case .text(let pieces):
      for case .hole(let inner) in pieces { collect(inner, &names) }
    case .list(let elements): for element in elements { collect(element, &names) }
    case .record(let members): for member in members { collect(member.value, &names) }
    case .field(let base, _): collect(base, &names)
    case .index(let base, let index):
      collect(base, &names)
      collect(index, &names)
    case .call(let callee, let arguments):
      collect(callee, &names)
      for argument in arguments { collect(argument.value, &names) }
    case .unary(_, let operand): collect(operand, &names)
    case .binary(_, let left, let right), .range(let left, let right):
      collect(left, &names)
      collect(right, &names)
    // Commands inside are checked when they run: their row expressions have names of their own.
    case .pipeline, .block, .nothing, .bool, .int, .number, .duration, .job: break
    }
  }
}
