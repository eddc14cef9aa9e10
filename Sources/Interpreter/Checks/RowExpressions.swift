import Language

/// The names that an expression within rows may use.
struct RowNames {
  /// The rows around it, the innermost first; nil where nothing is known of them.
  var rows: [RowShape?] = []
  /// What the block around it defines.
  var locals: Set<String> = []

  func within(_ shape: RowShape?) -> RowNames { RowNames(rows: [shape] + rows, locals: locals) }

  /// Whether any name may be a field.
  var isOpen: Bool { rows.contains { $0?.isOpen ?? true } }

  func contains(_ name: String) -> Bool {
    if locals.contains(name) || !rows.isEmpty && (name == "it" || name == "index") { return true }
    return rows.contains { $0?.contains(name) ?? true }
  }
}

extension PipelineChecker {
  /// - Parameter isPrompt: whether its holes are filled for each item.
  mutating func visit(_ expression: Expression, _ inner: RowNames, isPrompt: Bool = false) {
    if let slip = WrittenPattern.problem(in: expression) { report(slip.message, slip.span, slip.help) }
    switch expression.node {
    case .name(let name): visit(name, at: expression.span, inner, isPrompt: isPrompt)
    case .text(let pieces): for case .hole(let hole) in pieces { visit(hole, inner, isPrompt: isPrompt) }
    case .list(let elements): for element in elements { visit(element, inner, isPrompt: isPrompt) }
    case .record(let members): for member in members { visit(member.value, inner) }
    case .field(let base, let name):
      visit(base, inner, isPrompt: isPrompt)
      guard let shape = inner.rows.first ?? nil else { break }
      switch base.node {
      case .name("it"): visit(field: name, of: shape, at: expression.span)
      case .name(let own) where !inner.locals.contains(own): visit(field: name, ofOwn: own, of: shape, at: expression.span)
      case .field(let row, let own): if case .name("it") = row.node { visit(field: name, ofOwn: own, of: shape, at: expression.span) }
      default: break
      }
    case .index(let base, let index):
      visit(base, inner, isPrompt: isPrompt)
      visit(index, inner)
    case .call(let callee, let arguments):
      visit(callee, arguments, at: expression.span, inner)
      for argument in arguments { visit(argument.value, inner, isPrompt: isPrompt) }
    case .unary(_, let operand): visit(operand, inner, isPrompt: isPrompt)
    case .binary(_, let left, let right), .range(let left, let right):
      visit(left, inner, isPrompt: isPrompt)
      visit(right, inner, isPrompt: isPrompt)
    case .pipeline(let pipeline): _ = check(pipeline, inner)
    case .block(let block): visit(block, inner)
    case .nothing, .bool, .int, .number, .duration, .job: break
    }
  }

  private mutating func visit(_ name: String, at span: Span, _ inner: RowNames, isPrompt: Bool) {
    if inner.contains(name) || names.isKnown(name) || Functions.named(name) != nil { return }
    let fields = inner.rows.first.map { $0?.names ?? [] } ?? []
    let nearest = Suggestion.nearest(to: name, among: names.all.union(fields).union(inner.locals).union(Functions.names))
    if isPrompt {
      let help =
        nearest.map { "did you mean `{\($0)}`?" } ?? "it could use: \((["it", "index"] + fields).prefix(24).joined(separator: ", "))"
      return report("nothing fills the hole `{\(name)}`", span, help)
    }
    var help = nearest.map { "did you mean `\($0)`?" } ?? "`vars` lists the variables; a text is written in quotes"
    if nearest == nil, inner.rows.first != nil {
      help = fields.isEmpty ? "the rows have no fields; `it` is the row" : "the rows have: \(fields.prefix(24).joined(separator: ", "))"
    }
    report("there is no `\(name)`", span, help)
  }

  private mutating func visit(field name: String, of shape: RowShape, at span: Span) {
    guard shape.kind == .records || shape.kind == .replies, !shape.contains(name) else { return }
    report("the rows have no field `\(name)`", span, Suggestion.help(for: name, among: shape.names))
  }

  /// A field of what a reply has itself: of these the names are known.
  private mutating func visit(field name: String, ofOwn own: String, of shape: RowShape, at span: Span) {
    guard shape.kind == .replies, !shape.isOpen else { return }
    if own == "input" {
      guard let items = shape.items.first, !items.isOpen, items.kind != .mixed, !items.contains(name) else { return }
      if items.kind == .plain { return report("the items have no fields; `input` is the item", span, nil) }
      return report("the items have no field `\(name)`", span, Suggestion.help(for: name, among: items.names))
    }
    guard let names = ReplyField.namesWithin[own], !names.contains(name) else { return }
    report("`\(own)` has no field `\(name)`", span, Suggestion.help(for: name, among: names))
  }

  private mutating func visit(_ callee: Expression, _ arguments: [CallArgument], at span: Span, _ inner: RowNames) {
    guard case .name(let name) = callee.node else { return visit(callee, inner) }
    // A field may have a function's name, and a function of the user's any.
    if inner.locals.contains(name) || names.isKnown(name) { return }
    guard let function = Functions.named(name) else {
      if inner.rows.contains(where: { $0?.isOpen == false && $0?.contains(name) == true }) { return }
      return report(
        "there is no function `\(name)`", callee.span,
        Suggestion.help(for: name, among: names.all.union(Functions.names)) ?? "`help functions` lists them")
    }
    if let label = arguments.lazy.compactMap(\.name).first {
      return report("`\(name)` has no named parameter `\(label)`", span, function.usage)
    }
    if !function.accepts.contains(arguments.count) {
      report("`\(name)` takes \(function.arity), not \(arguments.count)", span, function.usage)
    }
  }

  // MARK: blocks

  private mutating func visit(_ block: Block, _ outer: RowNames) {
    var inner = outer
    inner.locals.formUnion(Introduced.names(in: block))
    for statement in block.statements {
      switch statement.node {
      case .pipeline(let pipeline), .binding(_, let pipeline): _ = check(pipeline, inner)
      case .prompt(let definition):
        let own = adding(definition.parameters, to: inner)
        for turn in definition.turns { visit(turn.text, own) }
      case .function(let definition): visit(definition.body, adding(definition.parameters, to: inner))
      case .if(let branches, let otherwise):
        for branch in branches {
          visit(branch.condition, inner)
          visit(branch.body, inner)
        }
        if let otherwise { visit(otherwise, inner) }
      case .for(_, let items, let body):
        _ = check(items, inner)
        visit(body, inner)
      case .attempt(let body, _, let handler):
        visit(body, inner)
        if let handler { visit(handler, inner) }
      case .return(let pipeline): if let pipeline { _ = check(pipeline, inner) }
      case .on: break
      }
    }
  }

  private func adding(_ parameters: [Parameter], to names: RowNames) -> RowNames {
    var names = names
    names.locals.formUnion(parameters.map(\.name.text))
    return names
  }
}

/// The names that a block gives values to, wherever in it.
enum Introduced {
  static func names(in block: Block) -> [String] { block.statements.flatMap { names(in: $0.node) } }

  private static func names(in node: Statement.Node) -> [String] {
    switch node {
    case .binding(let name, let pipeline): [name.text] + names(in: pipeline)
    case .prompt(let definition): [definition.name.text] + definition.parameters.map(\.name.text)
    case .function(let definition): [definition.name.text] + definition.parameters.map(\.name.text) + names(in: definition.body)
    case .if(let branches, let otherwise): branches.flatMap { names(in: $0.body) } + (otherwise.map { names(in: $0) } ?? [])
    case .for(let name, _, let body): [name.text] + names(in: body)
    case .attempt(let body, let name, let handler):
      names(in: body) + (name.map { [$0.text] } ?? []) + (handler.map { names(in: $0) } ?? [])
    case .on(_, let body): names(in: body)
    case .pipeline(let pipeline): names(in: pipeline)
    case .return: []
    }
  }

  private static func names(in pipeline: Pipeline) -> [String] {
    var found: [String] = []
    for case .command(let command) in pipeline.stages {
      for argument in command.arguments { if case .block(let block) = argument.node { found += names(in: block) } }
    }
    return found
  }
}
