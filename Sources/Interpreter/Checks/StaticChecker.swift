import Language

/// Finds what must fail before anything runs: unknown commands, flags, settings, functions and variables.
///
/// It knows names, not the order in which they come to be: a name that is introduced anywhere in the text counts everywhere. In a
/// row's expressions any name may be a field, so there it looks only at commands and flags.
struct StaticChecker {
  let session: Session
  private var known: Set<String> = []
  private var diagnostics: [Diagnostic] = []

  private var context: Context
  private let readsFiles: Bool

  init(session: Session, readsFiles: Bool) {
    self.session = session
    self.readsFiles = readsFiles
    context = session.rootContext
  }

  func check(_ program: Program) -> [Diagnostic] {
    var checker = self
    checker.known = session.globals.names.union(["_", "event", "it", "index", "status"])
    checker.context.source = program.source
    checker.introduce(program.block)
    for name in Introduced.names(in: program.block) { checker.timesIntroduced[name, default: 0] += 1 }
    checker.noteWritten(program.block)
    checker.noteChanged(program.block)
    checker.visit(program.block)
    checker.warnOfUnused()
    let (names, texts) = (checker.known, checker.texts)
    checker.diagnostics += LookAlikes(program: program) {
      names.contains($0)
    } text: {
      texts[$0]
    }.warnings()
    return checker.diagnostics.map { $0.located(in: program.source) }
  }

  // MARK: names that come to be

  private mutating func introduce(_ block: Block) {
    for statement in block.statements {
      switch statement.node {
      case .binding(let name, let pipeline):
        known.insert(name.text)
        bound.append(name)
        introduce(pipeline)
      case .prompt(let definition): known.insert(definition.name.text)
      case .function(let definition):
        known.insert(definition.name.text)
        introduce(definition.body)
      case .if(let branches, let otherwise):
        for branch in branches { introduce(branch.body) }
        if let otherwise { introduce(otherwise) }
      case .for(let name, _, let body):
        known.insert(name.text)
        introduce(body)
      case .attempt(let body, let name, let handler):
        introduce(body)
        if let name { known.insert(name.text) }
        if let handler { introduce(handler) }
      case .on(_, let body): introduce(body)
      case .pipeline(let pipeline): introduce(pipeline)
      case .return: break
      }
    }
  }

  private mutating func introduce(_ pipeline: Pipeline) {
    for case .command(let command) in pipeline.stages {
      // What a file defines is known only when it is read.
      if command.name.text == "import" || command.name.text == "source" { isOpen = true }
      for argument in command.arguments {
        if case .block(let block) = argument.node { introduce(block) }
      }
    }
  }

  // MARK: what is known of rows

  private var timesIntroduced: [String: Int] = [:]
  /// Of the rows that variables hold which get a value once.
  private var shapes: [String: RowShape] = [:]
  private var prompts: [String: [Parameter]] = [:]
  private var texts: [String: String] = [:]
  /// The files that the text saves to; nil where they may be any.
  private var written: [String]? = []

  private mutating func noteWritten(_ block: Block) {
    var written: [String]? = []
    Tree.forEachCommand(in: block) { command in
      switch command.name.text {
      // Whatever runs in the system's shell may write any file.
      case "!": written = nil
      case "save":
        if let path = command.arguments.last?.plainText { written?.append(Self.fileName(path)) } else { written = nil }
      default: break
      }
    }
    self.written = readsFiles ? written : nil
  }

  /// The columns that `set … for JOB` gives rows, anywhere in the text.
  private var changedForJobs: [String] = []

  private mutating func noteChanged(_ block: Block) {
    var columns: [String] = []
    Tree.forEachCommand(in: block) { command in
      guard command.name.text == "set", command.words.count >= 4, case .word("for") = command.words[command.words.count - 2].node
      else { return }
      for case .word(let word) in command.words.map(\.node) {
        if let setting = SettingDefinition.named(word), setting.shapesAnswers { columns.append(setting.columnName) }
      }
    }
    changedForJobs = columns
  }

  private static func fileName(_ path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

  /// Checks what the stages of a pipeline name of the rows that come through it.
  ///
  /// - Returns: what it gives.
  private mutating func checkRows(_ pipeline: Pipeline) -> RowShape? {
    // Names may come from elsewhere.
    if isOpen { return nil }
    let (written, globals, timesIntroduced, shapes) = (written, session.globals, timesIntroduced, shapes)
    let changed = changedForJobs
    var checker = PipelineChecker(
      context.source,
      WrittenNames(
        known: known,
        shapes: { name in
          if let shape = shapes[name] { return shape.kind == .replies ? shape.adding(changed) : shape }
          return timesIntroduced[name] == nil ? globals.lookup(name).flatMap { RowShape($0) } : nil
        }, prompts: prompts, session: session,
        mayWrite: { path in written?.contains(Self.fileName(path)) ?? true }), checksAll: false)
    let shape = checker.check(pipeline)
    // Of a place of which the command itself has said something, the pipeline knows more.
    let told = checker.diagnostics
    diagnostics.removeAll { known in told.contains { $0.span == known.span } }
    diagnostics += told
    return shape
  }

  /// Variables in the order of their `let`, and the names that are read anywhere.
  private var bound: [Name] = []
  private var read: Set<String> = []

  /// A variable of a script that nothing reads is a slip of the pen, or replies paid for and thrown away.
  private mutating func warnOfUnused() {
    var seen: Set<String> = []
    for name in bound where !read.contains(name.text) && seen.insert(name.text).inserted && !isOpen {
      warn("nothing reads `\(name.text)`", name.span, "a name that is spelled otherwise below?")
    }
  }

  private mutating func warn(_ message: String, _ span: Span, _ help: String?) {
    var diagnostic = Diagnostic(message, at: span, help: help)
    diagnostic.severity = .warning
    diagnostics.append(diagnostic)
  }

  /// What a row's expression says that it may not mean.
  private mutating func noteRowExpression(_ expression: Expression, of command: Command) {
    for (name, span) in FreeNames.of(expression) {
      read.insert(name)
      if bound.contains(where: { $0.text == name }), ReplyField.named(name) != nil {
        warn("`\(name)` is also a variable; of a reply it is the field", span, "give the variable another name")
      }
    }
    if command.name.text == "map", case .text(let pieces) = expression.node,
      LookAlikes.firstHole(in: expression.plainText ?? "", { _ in true }) == nil,
      !pieces.contains(where: { if case .hole = $0 { true } else { false } })
    {
      warn("this prompt has no hole: every item sends the same words", expression.span, "{it} is the item")
    }
    if case .block(let block) = expression.node { visitLeniently(block) }
  }

  /// Statements in a row's block: any name may be a field, but what it reads is read.
  private mutating func visitLeniently(_ block: Block) {
    let wasOpen = isOpen
    isOpen = true
    visit(block)
    isOpen = wasOpen
  }

  /// Names may come from elsewhere.
  private var isOpen = false

  // MARK: what uses them

  private mutating func visit(_ block: Block) {
    for statement in block.statements {
      switch statement.node {
      case .pipeline(let pipeline): visit(pipeline)
      case .binding(let name, let pipeline):
        let shape = visit(pipeline)
        guard timesIntroduced[name.text] == 1 else { break }
        shapes[name.text] = shape
        if pipeline.stages.count == 1, case .expression(let value)? = pipeline.stages.first { texts[name.text] = value.plainText }
      case .prompt(let definition):
        if timesIntroduced[definition.name.text] == 1 { prompts[definition.name.text] = definition.parameters }
        visit(definition.parameters) { checker in for turn in definition.turns { checker.visit(turn.text) } }
      case .function(let definition): visit(definition.parameters) { checker in checker.visit(definition.body) }
      case .if(let branches, let otherwise):
        for branch in branches {
          visit(branch.condition)
          visit(branch.body)
        }
        if let otherwise { visit(otherwise) }
      case .for(_, let items, let body):
        visit(items)
        visit(body)
      case .attempt(let body, _, let handler):
        visit(body)
        if let handler { visit(handler) }
      case .return(let pipeline): if let pipeline { visit(pipeline) }
      case .on(let event, let body):
        if !CallbackHub.events.contains(event.text) {
          report("there is no event `\(event.text)`", event.span, Suggestion.help(for: event.text, among: CallbackHub.events))
        }
        visit(body)
      }
    }
  }

  private mutating func visit(_ parameters: [Parameter], _ body: (inout StaticChecker) -> Void) {
    let outer = known
    for parameter in parameters {
      if let fallback = parameter.fallback { visit(fallback) }
      known.insert(parameter.name.text)
    }
    body(&self)
    known = outer
  }

  /// - Returns: of the rows that it gives.
  @discardableResult
  private mutating func visit(_ pipeline: Pipeline) -> RowShape? {
    for (index, stage) in pipeline.stages.enumerated() {
      switch stage {
      case .expression(let expression): visit(expression)
      case .command(let command): visit(command, isPiped: index > 0)
      }
    }
    return checkRows(pipeline)
  }

  private mutating func visit(_ command: Command, isPiped: Bool) {
    read.insert(command.name.text)
    guard let definition = CommandRegistry.named(command.name.text) else {
      if !known.contains(command.name.text), !isOpen {
        let help = Suggestion.nearest(to: command.name.text, among: CommandRegistry.all.map(\.name) + known).map { "did you mean `\($0)`?" }
        report("there is no command `\(command.name.text)`", command.name.span, help ?? "`help` lists the commands")
      }
      for argument in command.arguments { visit(argument) }
      return
    }
    if let many = command.asManyStreams(isVariable: { known.contains($0) }) { return visit(many, isPiped: isPiped) }
    let invocation = Invocation(
      command: command, definition: definition, context: context, input: .start, isLast: true, jobName: nil)
    do {
      try invocation.checkFlags { known.contains($0) }
      try invocation.checkArguments(isPiped: isPiped)
      if definition.name == "set" || definition.name == "unset", let first = command.words.first {
        let setting = try invocation.setting(first)
        if definition.name == "set" { try check(command.words.dropFirst(), of: setting) }
      }
    } catch let diagnostic as Diagnostic {
      diagnostics.append(diagnostic)
    } catch {}
    // A name that stands for itself (`chat new`, `retry facts`) is the command's own business.
    if command.watchesJobs || definition.name == "chat"
      || definition.group == .concurrency && !command.arguments.contains(where: { if case .block = $0.node { true } else { false } })
    {
      return
    }
    for (index, argument) in command.arguments.enumerated() {
      // The rows themselves come first; behind them every name may be a field.
      if definition.takesRowExpressions, isPiped || index > 0 {
        noteRowExpression(argument, of: command)
        continue
      }
      visit(argument)
    }
    for flag in command.flags { if let value = flag.value { visit(value) } }
    for word in command.words { visit(word) }
  }

  /// A setting's value, where it stands there in words.
  private func check(_ words: ArraySlice<SettingValue>, of setting: SettingDefinition) throws {
    guard let first = words.first, case .word(let word) = first.node, !known.contains(word) else { return }
    if word == "for" { return }
    let isForJob = words.count > 2 && context.source.text(words[words.endIndex - 2].span) == "for"
    let value = isForJob ? words.dropLast(2) : words
    let text = setting.takesSeveral ? value.map { context.source.text($0.span) }.joined(separator: " ") : word
    if isForJob, text == "off" { return }
    try context.located(first.span) { () throws(OperationError) in _ = try setting.read(SettingWord.value(text)) }
  }

  private mutating func visit(_ value: SettingValue) {
    switch value.node {
    case .word(let word): read.insert(word)
    case .list(let values): for value in values { visit(value) }
    case .expression(let expression): visit(expression)
    }
  }

  private mutating func visit(_ expression: Expression) {
    // After so many nobody reads on, and looking for the nearest name takes its time.
    if diagnostics.count >= 50 { return }
    if let slip = WrittenPattern.problem(in: expression) { report(slip.message, slip.span, slip.help) }
    switch expression.node {
    case .name(let name):
      read.insert(name)
      guard !known.contains(name), !isOpen else { return }
      if Functions.named(name) != nil { return }
      report(
        "there is no `\(name)`", expression.span,
        Suggestion.nearest(to: name, among: known.union(Functions.names)).map { "did you mean `\($0)`?" }
          ?? "`vars` lists the variables; a text is written in quotes")
    case .text(let pieces):
      for case .hole(let inner) in pieces { visit(inner) }
    case .list(let elements): for element in elements { visit(element) }
    case .record(let members): for member in members { visit(member.value) }
    case .field(let base, _): visit(base)
    case .index(let base, let index):
      visit(base)
      visit(index)
    case .call(let callee, let arguments):
      if case .name(let name) = callee.node, !known.contains(name), Functions.named(name) == nil {
        if !isOpen {
          report(
            "there is no function `\(name)`", callee.span,
            Suggestion.nearest(to: name, among: Functions.names + known).map { "did you mean `\($0)`?" } ?? "`help functions` lists them")
        }
      } else {
        visit(callee)
      }
      for argument in arguments { visit(argument.value) }
    case .unary(_, let operand): visit(operand)
    case .binary(_, let left, let right), .range(let left, let right):
      visit(left)
      visit(right)
    case .pipeline(let pipeline): visit(pipeline)
    case .block(let block): visit(block)
    case .nothing, .bool, .int, .number, .duration, .job: break
    }
  }

  private mutating func report(_ message: String, _ span: Span, _ help: String?) {
    diagnostics.append(Diagnostic(message, at: span, help: help))
  }
}
