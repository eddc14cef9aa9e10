import Language

/// What flows from one stage of a pipeline to the next.
enum Flow: Sendable {
  /// There is no stage before.
  case start
  case value(Value)
  /// Rows that have not been fetched yet.
  case rows(RowStream)
}

extension Context {
  func value(_ pipeline: Pipeline) async throws -> Value {
    let value = try await raw(pipeline)
    guard case .job(let handle) = value else { return value }
    return try await result(of: handle, at: pipeline.span)
  }

  /// Runs a pipeline to its end. Rows that the last stage leaves are collected into a list.
  ///
  /// - Parameters:
  ///   - named: what a job that runs here is called.
  ///   - isShown: whether its value is shown as it is.
  func raw(_ pipeline: Pipeline, named: String? = nil, isShown: Bool = false) async throws -> Value {
    // Names, flags and settings of every stage are checked before the first runs: nothing may be sent for a line with a typo.
    for (index, stage) in pipeline.stages.enumerated() {
      if case .command(let command) = stage { try check(command, isPiped: index > 0) }
    }
    guard pipeline.stages.count > 1 || pipeline.mayBreakOnRows else { return try await flowed(pipeline, named: named, isShown: isShown) }
    var inner = self
    let paid = PaidRows(session)
    inner.paid = paid
    do { return try await inner.flowed(pipeline, named: named, isShown: isShown) } catch {
      inner.keepPaid(paid.rows, named, error)
      throw error
    }
  }

  private func flowed(_ pipeline: Pipeline, named: String?, isShown: Bool) async throws -> Value {
    let isChecked = try checkRows(pipeline)
    var flow = Flow.start
    for (index, stage) in pipeline.stages.enumerated() {
      if index == 1, !isChecked, case .value(let value) = flow { _ = try checkRows(pipeline, of: value) }
      switch stage {
      case .expression(let expression):
        guard case .start = flow else {
          throw error(
            "a command was expected after `|`, not a value", at: expression.span, help: "`save`, `map`, `where` …; `help` lists them")
        }
        let first = pipeline.stages.count > 1 ? try await value(expression) : try await raw(expression)
        paid?.began(with: first)
        flow = .value(first)
      case .command(let command):
        let isLast = stage.span == pipeline.stages.last?.span
        flow = try await run(command, input: flow, isLast: isLast, isShown: isLast && isShown, named: named)
      }
    }
    switch flow {
    case .start: return .nothing
    case .value(let value): return try bounded(value, at: pipeline.span)
    case .rows(let rows): return try bounded(.list(try await rows.collect(named: named)), at: pipeline.span)
    }
  }

  /// Checks what expressions for rows name, where there are such. Within rows it has been done, or is too late.
  ///
  /// - Returns: whether all is known that can be: the first stage tells nothing more.
  private func checkRows(_ pipeline: Pipeline, of first: Value? = nil) throws -> Bool {
    guard row == nil, pipeline.stages.count > 1 || pipeline.namesRows else { return true }
    var checker = PipelineChecker(source, ScopeNames(context: self), checksAll: true)
    let shape = first.flatMap { RowShape($0) }
    if first != nil, shape == nil { return true }
    _ = checker.check(pipeline, first: shape)
    if let diagnostic = checker.diagnostics.first { throw diagnostic.located(in: source) }
    guard case .expression(let expression)? = pipeline.stages.first else { return true }
    return checker.shape(of: expression) != nil
  }

  private func check(_ command: Command, isPiped: Bool) throws {
    if let many = command.asManyStreams(in: self) { return try check(many, isPiped: isPiped) }
    guard let definition = CommandRegistry.named(command.name.text) else {
      if scope.lookup(command.name.text) != nil { return }
      throw unknownCommand(command)
    }
    let invocation = Invocation(command: command, definition: definition, context: self, input: .start, isLast: true, jobName: nil)
    try invocation.checkFlags { scope.lookup($0) != nil }
    try invocation.checkArguments(isPiped: isPiped)
    if command.flags.isEmpty || !definition.takesRequestFlags { return }
    for name in invocation.modelsInWords() where scope.lookup(name.text) == nil { try invocation.checkModelName(name.text, at: name.span) }
  }

  private func unknownCommand(_ command: Command) -> Diagnostic {
    let names = CommandRegistry.all.map(\.name) + scope.names
    var help = Suggestion.nearest(to: command.name.text, among: names).map { "did you mean `\($0)`?" }
    if help == nil, Functions.named(command.name.text) != nil { help = "`\(command.name.text)` is a function: \(command.name.text)(…)" }
    return error("there is no command `\(command.name.text)`", at: command.name.span, help: help ?? "`help` lists the commands")
  }

  private func run(_ command: Command, input: Flow, isLast: Bool, isShown: Bool, named: String?) async throws -> Flow {
    guard let definition = CommandRegistry.named(command.name.text) else { return .value(try await callAsCommand(command, input)) }
    var invocation = Invocation(command: command, definition: definition, context: self, input: input, isLast: isLast, jobName: named)
    invocation.isShown = isShown
    return try await definition.run(invocation)
  }

  /// `story "x" --tone formal`: a function or prompt of the user's, called like a command; what comes through `|` is its first
  /// argument.
  private func callAsCommand(_ command: Command, _ input: Flow) async throws -> Value {
    guard let callee = scope.lookup(command.name.text) else { throw unknownCommand(command) }
    switch callee {
    case .function, .prompt: break
    default:
      throw error(
        "\(callee.kind) is no command: `\(command.name.text)`", at: command.name.span,
        help: "`\(command.name.text)[0]` takes an element; with a space between, it is a command and its argument")
    }
    var positional: [Value] = []
    switch input {
    case .start: break
    case .value(let value): positional.append(value)
    case .rows(let rows): positional.append(.list(try await rows.collect(named: nil)))
    }
    for argument in command.arguments { positional.append(try await value(argument)) }
    var named: [(Name, Value)] = []
    for flag in command.flags {
      guard let given = flag.value else { throw error("`--\(flag.name.text)` needs a value", at: flag.name.span) }
      named.append((flag.name, try await value(given)))
    }
    return try await invoke(callee, positional, named, at: command.span, calleeSpan: command.name.span)
  }

  /// What stands behind a flag or a setting, read by its form: numbers, durations, true, false; any other word is text.
  ///
  /// - Parameter isValue: whether a word can be a value there. One that cannot, and is a variable's name, is the variable.
  func value(_ setting: SettingValue, isValue: (Value) -> Bool = { _ in true }) async throws -> Value {
    switch setting.node {
    case .expression(let expression): return try await value(expression)
    case .list(let values):
      var list: [Value] = []
      for value in values { list.append(try await self.value(value, isValue: isValue)) }
      return .list(list)
    case .word(let word):
      if isPlainName(word), let variable = scope.lookup(word) {
        if !isValue(SettingWord.value(word)) {
          guard case .job(let handle) = variable else { return variable }
          return try await result(of: handle, at: setting.span)
        }
        // `--tone t` where `t` is a variable may mean either.
        if case .function = variable { return .text(word) }
        throw error(
          "`\(word)` is a word here, but also a variable", at: setting.span,
          help: "(\(word)) takes the variable's value, \"\(word)\" the word")
      }
      return SettingWord.value(word)
    }
  }

  private func isPlainName(_ word: String) -> Bool {
    word.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" } && word.first.map { !$0.isNumber } ?? false
  }
}

/// A word as a value.
enum SettingWord {
  static func value(_ word: String) -> Value {
    switch word {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "nothing": return .nothing
    default: break
    }
    if let whole = Int(word) { return .int(whole) }
    if let first = word.first, first.isNumber || first == "-" || first == ".", let number = Double(word), number.isFinite {
      return .number(number)
    }
    let digits = word.prefix { $0.isNumber || $0 == "." }
    if !digits.isEmpty, digits.count < word.count, let amount = Double(digits) {
      let scale: Double? = ["ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600][word.dropFirst(digits.count)]
      if let scale, amount * scale < 1e9 { return .duration(.microseconds(Int64((amount * scale * 1e6).rounded()))) }
    }
    return .text(word)
  }
}

extension Pipeline {
  /// Whether it is a command alone that is given rows and may not take them all.
  fileprivate var mayBreakOnRows: Bool {
    if case .command(let command)? = stages.first, stages.count == 1 { command.name.text == "save" } else { false }
  }

  /// Whether an expression of it is worked out for rows.
  fileprivate var namesRows: Bool {
    stages.contains { stage in
      if case .command(let command) = stage { CommandRegistry.named(command.name.text)?.takesRowExpressions ?? false } else { false }
    }
  }
}
