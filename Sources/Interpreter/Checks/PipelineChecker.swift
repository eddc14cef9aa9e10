import Formats
import Language

/// Checks a whole pipeline before any of it runs: what its expressions for rows name, against what is known of the rows by then.
///
/// It never runs anything. What it does not know, it lets pass.
struct PipelineChecker {
  let source: Source
  let names: any KnownNames
  /// Whether names outside of rows are told too, and what cannot be read; a text that is only checked has that done elsewhere.
  let checksAll: Bool
  private(set) var diagnostics: [Diagnostic] = []

  init(_ source: Source, _ names: any KnownNames, checksAll: Bool) {
    (self.source, self.names, self.checksAll) = (source, names, checksAll)
  }

  mutating func report(_ message: String, _ span: Span, _ help: String?) {
    // After so many nobody reads on; and once is enough for a place.
    if diagnostics.count < 50, !diagnostics.contains(where: { $0.span == span }) {
      diagnostics.append(Diagnostic(message, at: span, help: help))
    }
  }

  /// - Parameters:
  ///   - outer: the rows that it runs in.
  ///   - first: what its first stage gave, where it has run.
  /// - Returns: of the rows that it gives; nil where nothing is known of them.
  mutating func check(_ pipeline: Pipeline, _ outer: RowNames = RowNames(), first: RowShape? = nil) -> RowShape? {
    var shape = first
    for (index, stage) in pipeline.stages.enumerated() where first == nil || index > 0 {
      switch stage {
      case .expression(let expression):
        if checksOutside(outer) { visit(expression, outer) }
        shape = self.shape(of: expression)
      case .command(let command): shape = apply(command, to: shape, isPiped: index > 0, outer)
      }
    }
    return shape
  }

  private func checksOutside(_ outer: RowNames) -> Bool { checksAll || !outer.rows.isEmpty }

  // MARK: what expressions give

  /// Of the rows that an expression gives.
  func shape(of expression: Expression) -> RowShape? {
    switch expression.node {
    case .name(let name): return names.shape(name)
    case .range, .text: return .plain
    case .list(let elements):
      var whole: RowShape?
      for element in elements {
        guard let shape = shape(ofElement: element) else { return nil }
        whole = whole?.joined(with: shape) ?? shape
      }
      return whole
    case .pipeline(let pipeline):
      var silent = self
      return silent.check(pipeline)
    case .binary(.add, let left, let right):
      guard let left = shape(of: left), let right = shape(of: right) else { return nil }
      return left.joined(with: right)
    case .index(let base, let index):
      if case .range = index.node { return shape(of: base)?.some }
      return nil
    default: return nil
    }
  }

  private func shape(ofElement element: Expression) -> RowShape? {
    switch element.node {
    case .record(let members): .records(members.map(\.name))
    case .text, .int, .number, .bool, .duration, .nothing: .plain
    default: nil
    }
  }

  // MARK: what commands make of them

  private mutating func apply(_ command: Command, to input: RowShape?, isPiped: Bool, _ outer: RowNames) -> RowShape? {
    let isVariable = { [names] (name: String) in outer.locals.contains(name) || names.isKnown(name) }
    if let many = command.asManyStreams(isVariable: isVariable) { return apply(many, to: input, isPiped: isPiped, outer) }
    guard let definition = CommandRegistry.named(command.name.text) else {
      visitOutside(command.arguments, outer)
      return nil
    }
    // A name that stands for itself (`chat new`, `retry facts`) is the command's own business.
    if definition.takesWords || command.watchesJobs || definition.name == "chat" || definition.group == .concurrency { return nil }
    if checksOutside(outer) {
      for flag in command.flags { if case .expression(let expression)? = flag.value?.node { visit(expression, outer) } }
    }
    guard definition.takesInput || definition.takesRowExpressions else {
      visitOutside(command.arguments, outer)
      return result(of: command, outer)
    }
    var arguments = command.arguments[...]
    var rows = input
    if !isPiped, let items = arguments.first {
      visitOutside([items], outer)
      rows = shape(of: items)
      arguments = arguments.dropFirst()
    }
    if command.name.text == "join", let others = arguments.popFirst() {
      visitOutside([others], outer)
      return joined(rows, shape(of: others), arguments, outer)
    }
    guard definition.takesRowExpressions else {
      // In the prompt of `text | ask "…"` what comes is `it`, and its fields have their names.
      let fillsPrompt = isPiped && definition.takesRequestFlags
      visitOutside(Array(arguments), fillsPrompt ? outer.within(nil) : outer)
      if command.name.text == "save" { checkTarget(command, rows) }
      return ["take", "skip", "shuffle", "sample"].contains(command.name.text) ? rows?.some : nil
    }
    return rowStage(command, arguments, rows, outer)
  }

  private mutating func visitOutside(_ arguments: [Expression], _ outer: RowNames) {
    guard checksOutside(outer) else { return }
    for argument in arguments {
      // A command's own block is checked when its statements run; within rows there is no other time.
      if case .block = argument.node, outer.rows.isEmpty { continue }
      visit(argument, outer)
    }
  }

  private mutating func result(of command: Command, _ outer: RowNames) -> RowShape? {
    switch command.name.text {
    case "load":
      guard let argument = command.arguments.first, let path = text(argument) else { return nil }
      do throws(FileProblem) { return try names.rows(inFile: path, command) } catch {
        if checksAll { report("\(path): \(error.message)", argument.span, nil) }
        return nil
      }
    case "ask", "stream": return RowShape(kind: .replies)
    default: return nil
    }
  }

  func text(_ expression: Expression) -> String? {
    if case .name(let name) = expression.node { return names.text(name) }
    return expression.plainText
  }

  /// What `save` cannot write is told before there is anything to be written.
  private mutating func checkTarget(_ command: Command, _ rows: RowShape?) {
    guard let argument = command.arguments.last, let path = text(argument), path != "-", !path.isEmpty, !path.utf8.contains(0) else {
      return
    }
    if let problem = names.problem(writing: path) { return report("\(path): \(problem)", argument.span, nil) }
    let given = command.flags.last { $0.name.text == "format" }?.value
    let format = given == nil ? FileFormat(path: path) : given?.word.flatMap(FileFormat.init(rawValue:))
    if let format, format.isTable || format == .md, let late = rows?.lateField {
      report(
        "\(path): a later row has a field `\(late)` that the first has not, and a table has the same for all", argument.span,
        "`select` the same fields for all, or save as .jsonl")
    }
    if let format, command.flags.contains(where: { $0.name.text == "append" }) {
      let columns = names.columns(addingTo: path, format)
      if let new = rows?.columnsFor(format).first(where: { !columns.contains($0) }), !columns.isEmpty {
        report(
          "\(path): the rows have a field `\(new)` that the file has no column for; its columns are "
            + columns.prefix(20).map { "`\($0)`" }.joined(separator: " "), argument.span, nil)
      }
    }
    if format != nil || given != nil { return }
    report(
      "\(path) does not say what it holds", argument.span,
      "the extensions are .\(FileFormat.allCases.map(\.rawValue).joined(separator: " .")); or --format jsonl")
  }

  private mutating func joined(
    _ rows: RowShape?, _ others: RowShape?, _ keys: ArraySlice<Expression>, _ outer: RowNames
  ) -> RowShape? {
    for key in keys {
      visit(key, outer.within(rows))
      visit(key, outer.within(others))
    }
    guard let rows, let others else { return nil }
    // A reply's own fields come along as data.
    return RowShape(
      kind: .records,
      layers: rows.layers + others.layers + (rows.kind == .replies || others.kind == .replies ? [.names(ReplyField.names)] : []),
      isOpen: rows.isOpen || others.isOpen || rows.kind != .records && rows.kind != .replies)
  }
}
