import Language

/// Finds what looks like a hole in a text and goes out as it stands.
struct LookAlikes {
  let program: Program
  /// Whether a name stands for something, outside of rows.
  let isKnown: (String) -> Bool
  /// The text that a variable holds, for a prompt that is given by its name.
  let text: (String) -> String?

  func warnings() -> [Diagnostic] {
    var found = program.braces.compactMap(brace)
    Tree.forEachCommand(in: program.block) { command in found += plainPrompts(of: command) }
    Tree.forEachPrompt(in: program.block) { definition in
      let parameters = Set(definition.parameters.map(\.name.text))
      for turn in definition.turns { found += plain(turn.text) { parameters.contains($0) || isKnown($0) } }
    }
    return found.sorted { ($0.span?.start ?? 0) < ($1.span?.start ?? 0) }
  }

  // MARK: braces

  /// `{100 * n}`, `{(n+1)}`, `{ name }`: what would be an expression, were it a hole.
  private func brace(at open: Int) -> Diagnostic? {
    let bytes = program.source.bytes
    guard let close = bytes[open...].prefix(200).firstIndex(where: { $0 == UInt8(ascii: "}") || $0 == 0x0A }), bytes[close] != 0x0A
    else { return nil }
    let span = Span(open, close + 1)
    let inner = program.source.text(Span(open + 1, close))
    if inner.contains(where: { "{\"\\".contains($0) }) { return nil }
    let parsed = Parser.parse(
      Source(name: "", text: inner), vocabulary: Vocabulary(commands: [], wordCommands: [], switches: [], functions: []))
    guard parsed.diagnostics.isEmpty, parsed.program.block.statements.count == 1,
      case .pipeline(let pipeline)? = parsed.program.block.statements.first?.node, pipeline.stages.count == 1,
      case .expression(let expression)? = pipeline.stages.first
    else { return nil }
    let names = FreeNames.of(expression).map(\.name)
    if names.isEmpty { return nil }
    // Words in braces are common; what is computed from a name is not.
    let isComputed: Bool
    switch expression.node {
    case .binary, .unary, .call, .index: isComputed = true
    default: isComputed = false
    }
    let areKnown = names.allSatisfy { isKnown($0) || $0 == "it" || $0 == "index" || Functions.named($0) != nil }
    guard areKnown || isComputed && inner.first?.isWhitespace == false else { return nil }
    return warning(
      "`\(program.source.text(span))` is no hole: it goes out as it stands", span,
      "a hole begins with a name, right behind the brace: `{n * 100}`; \\{ is a brace that is meant")
  }

  // MARK: texts in single quotes

  private func plainPrompts(of command: Command) -> [Diagnostic] {
    let isMany =
      command.name.text == "stream" && command.arguments.first.map { if case .name("map") = $0.node { true } else { false } } ?? false
    switch command.name.text {
    case "map": return command.arguments.last.map { plain($0) { _ in true } } ?? []
    case "stream" where isMany: return command.arguments.last.map { plain($0) { _ in true } } ?? []
    case "ask", "stream", "chat": return command.arguments.first.map { plain($0, isKnown) } ?? []
    default: return []
    }
  }

  private func plain(_ expression: Expression, _ isName: (String) -> Bool) -> [Diagnostic] {
    switch expression.node {
    case .list(let elements): return elements.flatMap { plain($0, isName) }
    case .name(let name):
      guard let text = text(name), let hole = Self.firstHole(in: text, { $0 == "it" || $0 == "index" || isKnown($0) }) else { return [] }
      return [
        warning(
          "`\(name)` holds `\(hole)`, which goes out as it stands", expression.span,
          "a text fills its holes where it is written, in \"…\"; `prompt \(name)(…) = \"…\"` has some that are filled later")
      ]
    case .text:
      guard program.source.text(expression.span).hasPrefix("'"), let text = expression.plainText,
        let hole = Self.firstHole(in: text, isName)
      else { return [] }
      return [warning("`\(hole)` goes out as it stands: '…' has no holes", expression.span, "\"…\" fills them")]
    default: return []
    }
  }

  /// The first `{name}`, `{name.field}` or the like in a text.
  static func firstHole(in text: String, _ isName: (String) -> Bool) -> String? {
    var rest = text[...]
    while let open = rest.firstIndex(of: "{") {
      rest = rest[rest.index(after: open)...].drop { $0 == "{" }
      let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      guard let first = name.first, !first.isNumber else { continue }
      let behind = rest[name.endIndex...]
      guard let next = behind.first, "}.[".contains(next), let close = behind.firstIndex(of: "}"), isName(String(name)) else { continue }
      return "{\(rest[..<close].prefix(40))}"
    }
    return nil
  }

  private func warning(_ message: String, _ span: Span, _ help: String) -> Diagnostic {
    var diagnostic = Diagnostic(message, at: span, help: help)
    diagnostic.severity = .warning
    return diagnostic
  }
}

/// Goes through a text's tree.
enum Tree {
  static func forEachCommand(in block: Block, _ body: (Command) -> Void) {
    forEachPipeline(in: block) { pipeline in
      for stage in pipeline.stages {
        switch stage {
        case .command(let command):
          body(command)
          for argument in command.arguments { forEachCommand(in: argument, body) }
          for flag in command.flags { if case .expression(let expression)? = flag.value?.node { forEachCommand(in: expression, body) } }
        case .expression(let expression): forEachCommand(in: expression, body)
        }
      }
    }
  }

  static func forEachPrompt(in block: Block, _ body: (PromptDefinition) -> Void) {
    for statement in block.statements {
      if case .prompt(let definition) = statement.node { body(definition) }
      for inner in blocks(of: statement.node) { forEachPrompt(in: inner, body) }
    }
  }

  private static func forEachPipeline(in block: Block, _ body: (Pipeline) -> Void) {
    for statement in block.statements {
      switch statement.node {
      case .pipeline(let pipeline), .binding(_, let pipeline): body(pipeline)
      case .for(_, let items, _): body(items)
      case .return(let pipeline): if let pipeline { body(pipeline) }
      default: break
      }
      for inner in blocks(of: statement.node) { forEachPipeline(in: inner, body) }
    }
  }

  private static func blocks(of node: Statement.Node) -> [Block] {
    switch node {
    case .function(let definition): [definition.body]
    case .if(let branches, let otherwise): branches.map(\.body) + (otherwise.map { [$0] } ?? [])
    case .for(_, _, let body), .on(_, let body): [body]
    case .attempt(let body, _, let handler): [body] + (handler.map { [$0] } ?? [])
    case .pipeline, .binding, .prompt, .return: []
    }
  }

  private static func forEachCommand(in expression: Expression, _ body: (Command) -> Void) {
    switch expression.node {
    case .pipeline(let pipeline): forEachCommand(in: Block(of: pipeline), body)
    case .block(let block): forEachCommand(in: block, body)
    case .text(let pieces): for case .hole(let inner) in pieces { forEachCommand(in: inner, body) }
    case .list(let elements): for element in elements { forEachCommand(in: element, body) }
    case .record(let members): for member in members { forEachCommand(in: member.value, body) }
    case .field(let base, _), .unary(_, let base): forEachCommand(in: base, body)
    case .index(let left, let right), .binary(_, let left, let right), .range(let left, let right):
      forEachCommand(in: left, body)
      forEachCommand(in: right, body)
    case .call(let callee, let arguments):
      forEachCommand(in: callee, body)
      for argument in arguments { forEachCommand(in: argument.value, body) }
    case .nothing, .bool, .int, .number, .duration, .name, .job: break
    }
  }
}
