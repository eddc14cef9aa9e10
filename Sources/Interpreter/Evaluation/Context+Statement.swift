import Chat
import Language

/// How a block ended.
enum Completion: Sendable {
  /// With the value of its last statement.
  case normal(Value)
  case returned(Value)

  var value: Value {
    switch self {
    case .normal(let value), .returned(let value): value
    }
  }
}

extension Context {
  /// Runs statements in order. Stops between two of them when the task is cancelled.
  ///
  /// - Parameter showsLast: whether the last statement's value is shown too (a command that gives the block's value lets its own
  ///   statement show it).
  func run(_ block: Block, showsLast: Bool = true) async throws -> Completion {
    var last = Value.nothing
    for (index, statement) in block.statements.enumerated() {
      try Task.checkCancellation()
      var context = self
      if index == block.statements.count - 1, !showsLast { context.showsValues = false }
      switch try await context.run(statement) {
      case .normal(let value): last = value
      case .returned(let value): return .returned(value)
      }
    }
    return .normal(last)
  }

  /// Runs the block of a command (`with`, `timeout`), which is not over before the work is that it started with `&`.
  func runStructured(_ block: Block, showsLast: Bool = true) async throws -> Completion {
    try await structured { try await $0.run(block, showsLast: showsLast) }
  }

  /// Runs one branch of `together` or `race`, likewise.
  func runStructured(_ statement: Statement) async throws -> Completion {
    try await structured { try await $0.run(statement) }
  }

  private func structured(_ body: (Context) async throws -> Completion) async throws -> Completion {
    var inner = self
    inner.children = Children()
    do {
      let completion = try await body(inner)
      try await inner.gatherChildren()
      return completion
    } catch {
      inner.cancelChildren()
      throw error
    }
  }

  func run(_ statement: Statement) async throws -> Completion {
    if statement.isBackground { return .normal(try await startInBackground(statement)) }
    return try await remarking { context in
      var inner = context
      let hand = statement.nameInHand.map { InHand($0, scope, depth: depth, within: inHand, session.underWay, of: statement.span) }
      inner.inHand = hand
      do {
        let completion = try await inner.runHere(statement)
        hand?.release()
        return completion
      } catch {
        if !endsScript(error) { hand?.release() }
        throw error
      }
    }
  }

  private func runHere(_ statement: Statement) async throws -> Completion {
    switch statement.node {
    case .pipeline(let pipeline):
      let value = try await launching(pipeline, isShown: showsValues)
      try await endCallbacks(of: pipeline)
      if showsValues {
        try await show(value, of: pipeline)
        if remarks?.hasCalls == true, depth == 0 { tellRetry("_", value) }
      }
      return .normal(value)
    case .binding(let name, let pipeline):
      if try await grow(name, pipeline) { break }
      let value = try await launching(pipeline, named: name.text)
      try await endCallbacks(of: pipeline)
      try bind(name, to: value)
      if remarks?.hasCalls == true, depth == 0 { tellRetry(name.text, value) }
    case .prompt(let definition):
      try bind(definition.name, to: .prompt(PromptValue(definition, scope: scope, source: source)))
    case .function(let definition):
      try bind(definition.name, to: .function(FunctionValue(definition, scope: scope, source: source)))
    case .if(let branches, let otherwise):
      for branch in branches where try await truth(branch.condition) { return try await run(branch.body) }
      if let otherwise { return try await run(otherwise) }
    case .for(let name, let items, let body):
      return try await loop(name, items, body)
    case .attempt(let body, let name, let handler):
      return try await attempt(body, name, handler)
    case .return(let pipeline):
      guard let pipeline else { return .returned(.nothing) }
      let value = try await launching(pipeline)
      try await endCallbacks(of: pipeline)
      return .returned(value)
    case .on(let event, let body):
      try session.callbacks.set(event, body, self)
    }
    return .normal(.nothing)
  }

  /// `let out = out + [x]`, without a copy of what `out` holds. False, with nothing evaluated, where the statement is not of this form.
  private func grow(_ name: Name, _ pipeline: Pipeline) async throws -> Bool {
    guard pipeline.stages.count == 1, case .expression(var rest)? = pipeline.stages.first, scope.grow(name.text, by: []) else {
      return false
    }
    let whole = rest
    var added: [Expression] = []
    while case .binary(.add, let left, let right) = rest.node { (rest, added) = (left, [right] + added) }
    guard case .name(name.text) = rest.node, !added.isEmpty else { return false }
    var values: [Value] = []
    for expression in added { values.append(try await value(expression)) }
    if scope.grow(name.text, by: values) { return true }
    var sum = try await value(rest)
    for value in values { sum = try located(whole.span) { () throws(OperationError) in try sum.apply(.add, value) } }
    try bind(name, to: sum)
    return true
  }

  /// The value of a statement that may launch rows: it knows what it was when it began.
  private func launching(_ pipeline: Pipeline, named: String? = nil, isShown: Bool = false) async throws -> Value {
    if launch != nil || pipeline.isPlain { return try await raw(pipeline, named: named, isShown: isShown) }
    var context = self
    let launch = Launch(session, scope, within: nil)
    if pipeline.isRetry { launch.noteRetry() }
    context.begun = launch
    let result: Result<Value, any Error>
    do { result = .success(try await context.raw(pipeline, named: named, isShown: isShown)) } catch { result = .failure(error) }
    launch.settle(source.text(pipeline.span))
    return try result.get()
  }

  /// A statement in the foreground ends after the callbacks of its calls.
  private func endCallbacks(of pipeline: Pipeline) async throws {
    if launch == nil, !isCallback, !session.callbacks.isEmpty, !pipeline.isPlain { try await session.callbacks.drain() }
  }

  private func bind(_ name: Name, to value: Value) throws {
    if name.text == "it" || name.text == "index" {
      throw error("`\(name.text)` is the name of a row's item", at: name.span, help: "choose another name")
    }
    session.assign(name.text, value, in: scope)
  }

  private func loop(_ name: Name, _ items: Pipeline, _ body: Block) async throws -> Completion {
    let value = try await value(items)
    inHand?.hold(value, in: scope)
    session.keepAtEnd(name.text, in: scope)
    if case .range(let low, let high) = value {
      var number = low
      while number <= high {
        try Task.checkCancellation()
        scope.set(name.text, .int(number))
        if case .returned(let value) = try await run(body) { return .returned(value) }
        number += 1
      }
      return .normal(.nothing)
    }
    guard let elements = value.elements else {
      throw error("`for` goes through a list or a range, not \(value.kind): \(value.preview)", at: items.span)
    }
    for element in elements {
      try Task.checkCancellation()
      scope.set(name.text, element)
      if case .returned(let value) = try await run(body) { return .returned(value) }
    }
    return .normal(.nothing)
  }

  private func attempt(_ body: Block, _ name: Name?, _ handler: Block?) async throws -> Completion {
    var inner = self
    inner.isCaught = true
    do {
      return try await inner.run(body)
    } catch let diagnostic as Diagnostic {
      guard let handler else { return .normal(.nothing) }
      if let name {
        let record = Record([
          ("message", .text(diagnostic.message)), ("help", diagnostic.help.map(Value.text) ?? .nothing),
          ("kind", .text(diagnostic.cause ?? FailureKind.script.rawValue)),
        ])
        scope.set(name.text, .record(record))
      }
      return try await run(handler)
    }
  }

  /// Shows what a statement gave, unless its command has shown it already.
  private func show(_ value: Value, of pipeline: Pipeline) async throws {
    if case .nothing = value { return }
    if case .command(let last)? = pipeline.stages.last, CommandRegistry.named(last.name.text)?.showsItself == true { return }
    if case .job(let handle) = value { return try await show(try await result(of: handle, at: pipeline.span), of: pipeline) }
    bindLast(value)
    do { try await world.output.show(value, options: ShowOptions()) } catch { throw self.error("\(error)", at: pipeline.span) }
  }

  /// Makes a value the last one shown: here, not where somebody else looks on.
  func bindLast(_ value: Value) {
    if output == nil { session.assign("_", value, in: session.globals) }
  }

  // MARK: background

  /// Starts a statement's work and goes on; the variable holds its job.
  private func startInBackground(_ statement: Statement) async throws -> Value {
    let variable: Name?
    let pipeline: Pipeline?
    switch statement.node {
    case .binding(let name, let value): (variable, pipeline) = (name, value)
    case .pipeline(let value): (variable, pipeline) = (nil, value)
    default: (variable, pipeline) = (nil, nil)
    }
    var context = try branching(1, at: statement.span)
    let words = source.text(statement.span).split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
    let name = variable?.text ?? (words.count > 24 ? words.prefix(23) + "…" : words)
    let handle = session.makeJob(name, total: nil, variable: variable?.text, isListed: true)
    session.beginsLongWork()
    context.tracker = Tracker(handle)
    context.remarks = nil
    // It may last longer than the statement around it.
    let hand = statement.nameInHand.map { InHand($0, scope, depth: depth, within: inHand, session.underWay, of: statement.span) }
    context.inHand = hand
    // Whoever cancels a job cancels what was started within it, and finds all of it cancelled.
    let outer = job
    outer?.started(handle.job)
    let launch = Launch(session, scope, within: launch)
    if let pipeline {
      launch.note(axes: pipeline.writtenAxes)
      if pipeline.isRetry { launch.noteRetry() }
    }
    handle.launch = launch
    context.launch = launch
    context.launchedBy = row
    context.launchedOverrides = overrides.count
    context.scope = launch.frozen(scope)
    context.jobScope = JobScope(background: handle, session)
    context.showsValues = showsValues && pipeline == nil
    let inner = context
    let task = Task {
      let result: Result<Value, any Error>
      do {
        if let pipeline {
          result = .success(try await inner.remarking { try await $0.value(pipeline) })
        } else {
          var copy = statement
          copy.isBackground = false
          result = .success(try await inner.run(copy).value)
        }
      } catch {
        result = .failure(error)
      }
      launch.settle(inner.source.text(statement.span))
      if case .failure(let error) = result, inner.endsScript(error) {} else { hand?.release() }
      inner.session.endBranches(1)
      if case .failure = result { handle.job.finished(failed: true) } else { handle.job.finished() }
      outer?.ended(handle.job)
      handle.finish(result) {
        inner.session.isOver(handle)
        // Whoever waits may end the program: its end is told before.
        inner.session.world.output.finished(handle.job)
      }
      if case .success(let value) = result { inner.tellRetry(handle.job.typedName, value) }
    }
    handle.job.onCancel { task.cancel() }
    children.add(handle)
    if let variable { try bind(variable, to: .job(handle)) }
    session.world.output.note("[\(handle.job.number ?? 0)] \(name)")
    return .nothing
  }

  /// Waits for what was started with `&` here. The first error among it is thrown, when all is over.
  func gatherChildren() async throws {
    var first: (any Error)?
    let handles = children.takeAll()
    for handle in handles {
      do { _ = try await handle.value() } catch { first = first ?? error }
      if Task.isCancelled {
        // Whoever waits is cancelled: what belongs to it ends too.
        await end(handles)
        throw CancellationError()
      }
    }
    if let first, !(first is CancellationError) { throw first }
  }

  func cancelChildren() {
    for handle in children.takeAll() { handle.job.cancel() }
  }

  /// The same for what is itself cancelled: it is over when they are, and what they came to is told before.
  func endChildren() async { await end(children.takeAll()) }

  private func end(_ handles: [JobHandle]) async {
    if handles.isEmpty { return }
    for handle in handles { handle.job.cancel() }
    // By a task of its own: the one that is cancelled waits for nothing any more.
    await Task { for handle in handles { _ = try? await handle.value() } }.value
  }
}

extension Statement {
  /// By what name replies are written down that it has in hand when the program is ended; nil where it never has any of its own.
  fileprivate var nameInHand: String? {
    switch node {
    case .binding(let name, _): name.text
    case .for(let name, _, _): name.text
    case .pipeline, .return, .if: "rows"
    case .prompt, .function, .attempt, .on: nil
    }
  }
}
