import Language

/// The commands whose arguments are expressions for each row.
extension PipelineChecker {
  mutating func rowStage(
    _ command: Command, _ arguments: ArraySlice<Expression>, _ rows: RowShape?, _ outer: RowNames
  ) -> RowShape? {
    let inner = outer.within(rows)
    switch command.name.text {
    case "where", "unique":
      for argument in arguments { visit(argument, inner) }
      return rows?.some
    case "sort":
      for argument in arguments {
        if case .unary(.minus, let key) = argument.node { visit(key, inner) } else { visit(argument, inner) }
      }
      return rows?.some
    case "add": return add(command, arguments, rows, inner)
    case "select":
      let columns = Columns.selected(arguments, source)
      for (_, value) in columns { visit(value, inner) }
      return .records(columns.map(\.name))
    case "group":
      for argument in arguments { visit(argument, inner) }
      var shape = RowShape.records(arguments.map { Columns.name(of: $0, source) } + ["count", "rows"])
      shape.grouped = rows.map { [$0] } ?? []
      return shape
    case "summarize": return summarize(arguments, rows, outer)
    case "map": return map(command, arguments, rows, inner)
    default:
      for argument in arguments { visit(argument, inner) }
      return nil
    }
  }

  private mutating func add(
    _ command: Command, _ arguments: ArraySlice<Expression>, _ rows: RowShape?, _ inner: RowNames
  ) -> RowShape? {
    guard arguments.count == 2, let column = arguments.first, let body = arguments.last, case .name(let name) = column.node else {
      report(
        "`add` takes a column's name and an expression", arguments.first?.span ?? command.name.span,
        "rows | add correct { it.text contains it.answer }")
      return nil
    }
    visit(body, inner)
    guard let rows else { return nil }
    if rows.kind == .replies, ReplyField.named(name) != nil {
      report("`\(name)` is a reply's own field; a column needs another name", column.span, "`help fields` lists the names that are taken")
    }
    return rows.kind == .plain ? .records(["value", name]) : rows.adding([name])
  }

  private mutating func summarize(_ arguments: ArraySlice<Expression>, _ rows: RowShape?, _ outer: RowNames) -> RowShape? {
    let isGrouped = rows?.grouped.isEmpty == false
    // A list of groups may also have come from elsewhere.
    let within = isGrouped ? rows?.grouped[0] : rows?.contains("rows") == true ? nil : rows
    var columns: [String] = []
    for argument in arguments {
      guard let aggregate = Columns.aggregate(argument, source) else {
        report(
          "an aggregate was expected: mean(latency)", argument.span,
          "there is: \(Functions.aggregateNames.sorted().joined(separator: ", "))")
        continue
      }
      columns.append(aggregate.name)
      if let value = aggregate.argument { visit(value, outer.within(within)) }
    }
    guard let rows else { return nil }
    return isGrouped ? RowShape.records(rows.names.filter { $0 != "rows" && $0 != "count" } + columns) : .records(columns)
  }

  // MARK: map

  private mutating func map(
    _ command: Command, _ arguments: ArraySlice<Expression>, _ rows: RowShape?, _ inner: RowNames
  ) -> RowShape? {
    var columns: [String] = []
    var uncertain: Set<String> = []
    var isOpen = false
    if checkFlags(command, arguments) { for prompt in arguments { visit(prompt: prompt, command, rows, inner) } }
    switch arguments.first?.node {
    case .list(let prompts) where prompts.count > 1: columns.append(Sweep.promptName)
    case .name:
      columns.append(Sweep.promptName)
      uncertain.insert(Sweep.promptName)
    default: break
    }
    for flag in command.flags {
      switch flag.name.text {
      case "samples":
        columns.append("sample")
        uncertain.insert("sample")
      case "with":
        if let cells = Columns.cells(flag.value) { columns += cells } else { isOpen = true }
        uncertain.formUnion(columns)
      case let name where flag.value?.mayBeList == true:
        let setting = SettingDefinition.named(name)
        let column = setting?.columnName ?? name
        columns.append(column)
        // A list that stands there is an axis, but of those whose value is one.
        if case .list? = flag.value?.node, setting?.name != "stop", setting?.isSecret != true { break }
        uncertain.insert(column)
      default: break
      }
    }
    var shape = (rows ?? RowShape(kind: .mixed, isOpen: true)).replies.adding(columns)
    shape.isOpen = shape.isOpen || isOpen
    shape.uncertain.formUnion(uncertain)
    return shape
  }

  /// Whether each flag that is none of the command's is a parameter of some prompt, as far as all are known.
  private mutating func checkFlags(_ command: Command, _ prompts: ArraySlice<Expression>) -> Bool {
    guard let known = CommandRegistry.named("map")?.flagNames else { return true }
    var parameters: Set<String> = []
    for prompt in prompts.flatMap({ prompt in if case .list(let prompts) = prompt.node { prompts } else { [prompt] } }) {
      guard case .name(let name) = prompt.node else { continue }
      guard let own = names.parameters(name) else { return true }
      parameters.formUnion(own.map(\.name.text))
    }
    for flag in command.flags where !known.contains(flag.name.text) && !parameters.contains(flag.name.text) {
      report(
        "there is no flag `--\(flag.name.text)`" + (parameters.isEmpty ? "" : ", and no prompt with that parameter"), flag.name.span,
        Suggestion.help(for: flag.name.text, among: Array(parameters) + known, asFlag: true) ?? "`help map` lists them")
      return false
    }
    return true
  }

  private mutating func visit(prompt: Expression, _ command: Command, _ rows: RowShape?, _ inner: RowNames) {
    switch prompt.node {
    case .list(let prompts): for prompt in prompts { visit(prompt: prompt, command, rows, inner) }
    case .name(let name):
      guard let parameters = names.parameters(name) else { return visit(prompt, inner) }
      visit(parameters, of: name, at: prompt.span, command, rows)
    default: visit(prompt, inner, isPrompt: true)
    }
  }

  /// Whether the items fill a prompt's parameters: a record by its fields' names, anything else the first.
  private mutating func visit(_ parameters: [Parameter], of prompt: String, at span: Span, _ command: Command, _ rows: RowShape?) {
    guard let rows, !rows.isOpen, rows.kind != .mixed else { return }
    let flags = Set(command.flags.map(\.name.text))
    if flags.contains("with") { return }
    // A flag of the command's own is no parameter's, whatever the parameter is called.
    let own = Set(CommandRegistry.named("map")?.flagNames ?? [])
    var open = parameters.filter { !flags.contains($0.name.text) || own.contains($0.name.text) }
    if rows.kind != .records, let first = open.firstIndex(where: { $0.fallback == nil }) ?? open.indices.first { open.remove(at: first) }
    for parameter in open where parameter.fallback == nil && !rows.contains(parameter.name.text) {
      report(
        "the items give `\(prompt)` no `\(parameter.name.text)`", span,
        rows.kind == .plain
          ? "a record fills parameters by field name"
            + (own.contains(parameter.name.text) ? "" : "; `--\(parameter.name.text) …` gives all the same")
          : "they have: \(rows.names.prefix(24).joined(separator: ", "))")
    }
  }
}

/// The names that commands give to columns.
enum Columns {
  static func selected(_ arguments: ArraySlice<Expression>, _ source: Source) -> [(name: String, value: Expression)] {
    var columns: [(name: String, value: Expression)] = []
    var left = arguments
    while let expression = left.popFirst() {
      let words = source.text(expression.span)
      switch expression.node {
      case .name(let name):
        // `name (expression)` is a column of that name.
        let isComputed = left.first.map { source.text($0.span).hasPrefix("(") } ?? false
        columns.append((name, isComputed ? left.removeFirst() : expression))
      case .field(_, let name): columns.append((columns.contains { $0.name == name } ? words : name, expression))
      default: columns.append((words, expression))
      }
    }
    return columns
  }

  /// Of a key of `group`.
  static func name(of expression: Expression, _ source: Source) -> String {
    switch expression.node {
    case .name(let name), .field(_, let name): name
    default: source.text(expression.span)
    }
  }

  /// `mean(latency)`: nil where it is no aggregate.
  static func aggregate(_ expression: Expression, _ source: Source) -> Aggregate? {
    guard case .call(let callee, let arguments) = expression.node, case .name(let function) = callee.node,
      Functions.aggregateNames.contains(function), arguments.count == 1 || (arguments.isEmpty && function == "count")
    else { return nil }
    let argument = arguments.first?.value
    let inner = argument.map { source.text($0.span) } ?? ""
    return Aggregate(
      name: inner.isEmpty ? function : "\(function)_\(inner.replacing(".", with: "_"))",
      words: "\(function)(\(inner))", function: function, argument: argument)
  }

  /// What the cells of `--with` name, where they stand there as they are.
  static func cells(_ value: SettingValue?) -> [String]? {
    switch value?.node {
    case .list(let values):
      var names: [String] = []
      for value in values {
        guard let more = cells(value) else { return nil }
        names += more
      }
      return names
    case .expression(let expression):
      guard case .record(let members) = expression.node else { return nil }
      return members.map { SettingDefinition.named(column: $0.name)?.columnName ?? $0.name }
    default: return nil
    }
  }
}

extension SettingValue {
  /// Whether it is, or may turn out to be, several values.
  fileprivate var mayBeList: Bool {
    switch node {
    case .list: true
    case .expression(let expression): expression.plainText == nil
    case .word(let word): word.first?.isLetter ?? false
    }
  }
}
