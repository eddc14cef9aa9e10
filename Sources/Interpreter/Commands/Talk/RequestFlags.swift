import Language

extension Invocation {
  /// The settings given as flags, one value each; a list is an axis of a sweep only where rows are (`stop` takes a list as it is).
  func overrides() async throws -> [Context.Override] {
    try await settingFlags().map { setting, values, _ in
      guard values.count == 1 else {
        throw error(
          "`\(definition.name)` sends one prompt: `--\(setting.name)` takes one value", at: flag(setting.name)?.name.span,
          help: "`map` takes a list and tries each")
      }
      return Context.Override(setting: setting, value: values[0])
    }
  }

  /// Each setting given as a flag, with its one value or the values of its axis.
  func settingFlags() async throws -> [(setting: SettingDefinition, values: [Value], isList: Bool)] {
    var result: [(setting: SettingDefinition, values: [Value], isList: Bool)] = []
    for flag in command.flags {
      guard let setting = SettingDefinition.requestFlags.first(where: { $0.name == flag.name.text }), let given = flag.value else {
        continue
      }
      let value = try await context.value(given) { value in (try? setting.read(value)) != nil }
      var (values, isList) = ([value], false)
      if case .list(let list) = value, setting.name != "stop", !setting.isSecret { (values, isList) = (list.values, true) }
      if values.isEmpty { throw error("`--\(setting.name)` is given an empty list", at: given.span) }
      result.append(
        (
          setting, try values.map { value in try context.located(given.span) { () throws(OperationError) in try setting.read(value) } },
          isList
        ))
    }
    return result
  }

  /// Flags that are no settings and none of the command's own: parameters of a prompt, each with its one value or those of its axis.
  func parameterFlags() async throws -> [(name: Name, values: [Value], isList: Bool)] {
    try await parameterValues().map { name, value in
      guard case .list(let list) = value else { return (name, [value], false) }
      if list.isEmpty { throw error("`--\(name.text)` is given an empty list", at: name.span) }
      return (name, list.values, true)
    }
  }

  /// The same for a command that sends one prompt.
  func singleParameters() async throws -> [(Name, Value)] {
    try await parameterFlags().map { name, values, _ in
      guard values.count == 1 else {
        throw error(
          "`\(definition.name)` sends one prompt: `--\(name.text)` takes one value", at: name.span,
          help: "`map` takes a list and tries each")
      }
      return (name, values[0])
    }
  }

  private func parameterValues() async throws -> [(Name, Value)] {
    var named: [(Name, Value)] = []
    for flag in command.flags where !definition.flagNames.contains(flag.name.text) {
      guard let given = flag.value else { throw error("`--\(flag.name.text)` needs a value", at: flag.name.span) }
      named.append((flag.name, try await context.value(given)))
    }
    return named
  }

  /// The context of this command's calls: with its flags, and a job to count under.
  func callContext() async throws -> Context {
    var context = context
    context.overrides += try await overrides()
    try context.checkSending(at: command.name.span)
    try context.checkModel(at: command.name.span)
    return context
  }

  func unknownParameter(_ name: Name, of prompt: PromptValue) -> Diagnostic {
    error(
      "`\(prompt.name)` has no parameter `\(name.text)`, and `\(definition.name)` no such flag", at: name.span,
      help: Suggestion.help(for: name.text, among: prompt.definition.parameters.map(\.name.text) + definition.flagNames, asFlag: true))
  }

  /// How the prompt argument of `map` or `ask` makes messages.
  func promptPlan(_ expression: Expression) async throws -> [PromptPlan] {
    // A text is evaluated once per row; what else can be seen now is looked at now.
    if case .name(let name) = expression.node, let value = context.scope.lookup(name) { return try await plans(value, expression) }
    if case .list(let elements) = expression.node {
      var plans: [PromptPlan] = []
      for element in elements { plans += try await promptPlan(element) }
      return plans
    }
    let words = context.source.text(expression.span)
    return [.expression(expression, label: words.count > 24 ? words.prefix(23) + "…" : words)]
  }

  private func plans(_ value: Value, _ expression: Expression) async throws -> [PromptPlan] {
    switch value {
    case .prompt(let prompt):
      return [.prompt(prompt)]
    case .text, .reply: return [.text(try context.text(of: value, at: expression.span))]
    case .job(let handle): return try await plans(try await context.result(of: handle, at: expression.span), expression)
    case .list(let values):
      var plans: [PromptPlan] = []
      for value in values { plans += try await self.plans(value, expression) }
      return plans
    case .function(let function):
      throw error(
        "`\(function.name)` is a function, not a prompt", at: expression.span,
        help: "`each items \(function.name)` runs a function for every item")
    default: throw error("a prompt is a text or a `prompt`, not \(value.kind): \(value.preview)", at: expression.span)
    }
  }
}
