import Language

/// The flags of `map` that may be axes of a sweep.
extension Invocation {
  func axes(_ plans: [PromptPlan]) async throws -> [Sweep.Axis] {
    let parameters = try await parameterFlags()
    for (name, _, _) in parameters { try checkParameter(name, of: plans) }
    let settings = try await settingFlags()
    // In the order in which they are written: the last varies first.
    var axes: [(place: Int, axis: Sweep.Axis)] = []
    for (name, values, isList) in parameters { axes.append((name.span.start, .parameter(name, values, isList: isList))) }
    for (setting, values, isList) in settings {
      axes.append((flag(setting.name)?.name.span.start ?? 0, .setting(setting, values, isList: isList)))
    }
    var ordered = axes.sorted { $0.place < $1.place }.map(\.axis)
    // Over the flags that hold for all cells.
    if let cells = try await cells(plans, besides: ordered) { ordered.append(.cells(cells)) }
    return ordered
  }

  private func cells(_ plans: [PromptPlan], besides axes: [Sweep.Axis]) async throws -> [Sweep.Cell]? {
    guard let given = flag("with"), let value = try await flagValue("with") else { return nil }
    let span = given.value?.span ?? given.name.span
    let records: [Value] = if case .list(let list) = value { list.values } else { [value] }
    if records.isEmpty { throw error("`--with` is given an empty list", at: span) }
    return try records.map { record in
      var cell = Sweep.Cell()
      guard case .record(let record) = record else { return cell }
      for field in record.fields {
        let setting = SettingDefinition.named(column: field.name)
        try checkFree(field.name, setting, axes, at: span)
        guard let setting else {
          let name = Name(text: field.name, span: span)
          try checkParameter(name, of: plans, isFlag: false)
          cell.parameters.append((name, field.value))
          continue
        }
        guard setting.isRequest else {
          throw error("`\(setting.name)` is the session's: a cell cannot set it", at: span, help: "`set \(setting.name) …` sets it")
        }
        let value = try context.located(span) { () throws(OperationError) in try setting.read(field.value) }
        cell.overrides.append(Context.Override(setting: setting, value: value))
      }
      return cell
    }
  }

  /// What an axis tries already, a cell cannot say.
  private func checkFree(_ name: String, _ setting: SettingDefinition?, _ axes: [Sweep.Axis], at span: Span) throws {
    for axis in axes {
      switch axis {
      case .setting(let other, let values, _) where values.count > 1 && other.name == setting?.name: break
      case .parameter(let other, let values, _) where values.count > 1 && other.text == name: break
      default: continue
      }
      throw error("`\(name)` is in `--with`, and `--\(setting?.name ?? name)` has a list of its own", at: span)
    }
  }

  /// Some prompt must take a parameter; those that do not are sent without it.
  private func checkParameter(_ name: Name, of plans: [PromptPlan], isFlag: Bool = true) throws {
    if plans.contains(where: { $0.hasParameter(name.text) }) { return }
    let prompts = plans.compactMap { if case .prompt(let prompt) = $0 { prompt } else { nil } }
    let parameters = prompts.flatMap { $0.definition.parameters.map(\.name.text) }
    if isFlag {
      throw error(
        "there is no flag `--\(name.text)`" + (prompts.isEmpty ? "" : ", and no prompt with that parameter"), at: name.span,
        help: Suggestion.help(for: name.text, among: parameters + definition.flagNames, asFlag: true))
    }
    throw error(
      "`--with` has `\(name.text)`, which is no setting" + (prompts.isEmpty ? "" : " and no parameter of the prompt"), at: name.span,
      help: Suggestion.help(for: name.text, among: parameters + SettingDefinition.requestFlags.map(\.columnName)))
  }
}
