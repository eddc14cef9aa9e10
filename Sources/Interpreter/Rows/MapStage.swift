import Chat
import Language
import Scheduling

/// Sends a prompt for each row.
struct MapStage: RowStage {
  let sweep: Sweep
  let form: ReplyForm?
  let span: Span
  /// One for each variant.
  let resolved: [ResolvedSettings]
  /// The same for the variants whose flags fill parameters: what is sent for them says so.
  private let sending: [ResolvedSettings?]
  /// Filling holes with names and fields is glue; anything that may compute or call runs on the global pool.
  let isLight: Bool
  /// Of the sweep.
  private let columnNames: Set<String>
  /// Whether functions of the user's run while a prompt is made, and may send something themselves.
  private let asksOnItsWay: Bool

  init(sweep: Sweep, form: ReplyForm?, span: Span, context: Context) {
    self.sweep = sweep
    self.form = form
    self.span = span
    columnNames = sweep.columnNames
    let context = context.launched
    let contexts = sweep.variants.map { context.adding($0.overrides, isLaunched: !context.isInRow) }
    resolved = contexts.map { ResolvedSettings($0, form: form) }
    sending = zip(contexts, sweep.variants).map { context, variant in
      if variant.parameters.isEmpty { return nil }
      var context = context
      context.parameters = variant.sentParameters
      return ResolvedSettings(context, form: form)
    }
    asksOnItsWay = !sweep.prompts.allSatisfy(\.isLight)
    isLight = form == nil && !asksOnItsWay
    if !context.isInRow { context.launch?.note(axes: sweep.axes) }
  }

  var word: String { "map" }
  var callsModels: Bool { true }
  var answersAnew: Bool { true }

  var hasSeveralLanes: Bool { sweep.axes.contains("model") }

  func lane(of row: Row, _ context: Context) -> ModelName { resolved[row.variant].settings(context.session).settings.model }

  func check(_ visible: [Value], _ context: Context) async throws {
    noteHidden(visible, context)
    for item in visible { try context.located(span) { () throws(OperationError) in try item.boundedAsItem() } }
    try context.checkSending(at: span)
    var checked: Set<[String]> = []
    for variant in sweep.variants {
      // Which parameters are filled counts, not what with.
      if checked.insert(["\(variant.prompt)"] + variant.parameters.map(\.name.text)).inserted {
        try sweep.prompts[variant.prompt].check(visible, variant.parameters, at: span, context)
      }
      var context = context
      context.overrides += variant.overrides
      try context.checkModel(at: span)
    }
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    // A row that failed before goes no further, and keeps its error.
    if row.value.failure != nil { return [row] }
    // What its prompt asks on its way.
    let attempted = asksOnItsWay ? Attempted(within: context.attempted) : nil
    let context = self.context(for: row, context, attempted)
    let reply: Reply
    var parsed = form.map { _ in Value.nothing }
    do {
      try context.located(span) { () throws(OperationError) in try row.value.boundedAsItem() }
      let messages = try await messages(for: row, context)
      if let attempted, let cut = cut(row, attempted, context) { return [cut] }
      let board = context.board
      (reply, parsed) = await sending(row, context).call(
        messages, as: form, observer: board.map { CallEngine.Observer(board: $0, column: row.index) })
      await board?.end(row.index, note: reply.failure?.description)
    } catch let diagnostic as Diagnostic {
      // One row whose prompt cannot be made is that row's failure; a failed reply in it passes its kind on.
      let kind = diagnostic.cause.flatMap(FailureKind.init) ?? .script
      let attempt = Attempt(failure: Failure(kind, "the prompt could not be made: \(diagnostic.message)"))
      reply = Reply(call: sending(row, context).prepared([]), attempt: attempt, attempts: 0, queued: .zero)
    } catch is CancellationError {
      // Its prompt is made by something that takes its time.
      let attempt = Attempt(failure: Failure(.cancelled, "cancelled"))
      reply = Reply(call: sending(row, context).prepared([]), attempt: attempt, attempts: 0, queued: .zero)
    }
    return [made(of: row, reply, parsed, context)]
  }

  /// Sends what was prepared for the row just as it was, with what the retry itself says over it.
  func again(_ row: Row, _ old: ReplyRow?, _ context: Context) async throws -> [Row] {
    guard let old, !old.reply.messages.isEmpty else { return try await apply(row, context) }
    let (reply, parsed) = await self.context(for: row, context).call(again: old.reply.call)
    return [made(of: row, reply, parsed, context)]
  }

  private func messages(for row: Row, _ context: Context) async throws -> [Message] {
    let variant = sweep.variants[row.variant]
    return try await sweep.prompts[variant.prompt].messages(for: row, variant.parameters, at: span, context)
  }

  /// A prompt that was made without all that it asked for is not the one that was meant, and is not sent.
  @inline(never)  // else it stands in the frame that waits for the answer
  private func cut(_ row: Row, _ attempted: Attempted, _ context: Context) -> Row? {
    guard let failure = attempted.cut(isCancelled: Task.isCancelled) else { return nil }
    let unsent = Reply(call: sending(row, context).prepared([]), attempt: Attempt(failure: failure), attempts: 0, queued: .zero)
    return made(of: row, unsent, form.map { _ in .nothing }, context)
  }

  /// Where the call itself is made; what the prompt asks on its way is not sent with its parameters.
  private func sending(_ row: Row, _ context: Context) -> Context {
    guard let sending = sending[row.variant] else { return context }
    var context = context
    context.parameters = sweep.variants[row.variant].sentParameters
    if context.retried.isEmpty { context.resolved = sending }
    return context
  }

  private func context(for row: Row, _ context: Context, _ attempted: Attempted? = nil) -> Context {
    var context = context
    if let attempted { context.attempted = attempted }
    let isResolved = context.retried.isEmpty
    // Where nothing but the call itself asks for settings, they are worked out already.
    if !isResolved || !isLight {
      context = context.adding(sweep.variants[row.variant].overrides, isLaunched: context.row?.isWithinRow == false)
    }
    if isResolved { context.resolved = resolved[row.variant] }
    context.scope = Scope(parent: context.scope, row: Scope.Row(it: row.value, index: row.index))
    return context
  }

  private func made(of row: Row, _ reply: Reply, _ parsed: Value?, _ context: Context) -> Row {
    if !columnNames.isEmpty { noteHiddenByColumns(row.value, context) }
    var columns = sweep.variants[row.variant].columns
    if let sent = reply.call.settings as? AnswerSettings { columns = sent.labels(columns) }
    return Row(
      index: row.index,
      value: .reply(
        ReplyRow(
          reply, index: row.index, item: row.value, columns: columns, parsed: parsed, origin: nil, lacking: row.value.lacking)))
  }
}

extension MapStage {
  /// Says once which fields of the items have another name in the replies.
  private func noteHidden(_ visible: [Value], _ context: Context) {
    if !sweep.hidden.isEmpty {
      context.session.noteOnce(
        "a reply has " + sweep.hidden.map { "`\($0)`" }.joined(separator: ", ") + " itself; the parameter's value is "
          + sweep.hidden.map { "`settings.\($0)`" }.joined(separator: ", "))
    }
    if !columnNames.isEmpty { for item in visible.prefix(100) { noteHiddenByColumns(item, context) } }
    var names: [String] = []
    for case .record(let record) in visible.prefix(100) {
      for field in record.fields where ReplyField.named(field.name) != nil && !names.contains(field.name) { names.append(field.name) }
    }
    if names.isEmpty { return }
    context.session.noteOnce(
      "the items have fields that a reply has itself; theirs are "
        + names.map { "`input.\($0)`" }.joined(separator: ", "))
  }

  /// The same for a name that the sweep gives to a column.
  private func noteHiddenByColumns(_ item: Value, _ context: Context) {
    for name in item.dataNames where columnNames.contains(name) {
      context.session.noteOnce("the items have a field `\(name)`, which is a column of the sweep; theirs is `input.\(name)`")
    }
  }

  /// A reply that is all question: its messages are made, and were not sent.
  func unsent(_ row: Row, _ context: Context) async -> Row? {
    let context = self.context(for: row, context)
    // Where they cannot be made that shows when it is tried again.
    let messages = (try? await messages(for: row, context)) ?? []
    let attempt = Attempt(failure: Failure(.notSent, "not sent"))
    let call = sending(row, context).prepared(messages)
    return made(of: row, Reply(call: call, attempt: attempt, attempts: 0, queued: .zero), form.map { _ in .nothing }, context)
  }
}

extension Expression {
  /// Whether commands or functions of the user's run in it.
  var mayCall: Bool {
    switch node {
    case .block, .pipeline: true
    case .nothing, .bool, .int, .number, .duration, .name, .job: false
    case .text(let pieces): pieces.contains { if case .hole(let inner) = $0 { inner.mayCall } else { false } }
    case .list(let elements): elements.contains(where: \.mayCall)
    case .record(let members): members.contains { $0.value.mayCall }
    case .field(let base, _): base.mayCall
    case .index(let base, let index): base.mayCall || index.mayCall
    case .call(let callee, let arguments):
      if case .name(let name) = callee.node, Functions.named(name) != nil { arguments.contains { $0.value.mayCall } } else { true }
    case .unary(_, let operand): operand.mayCall
    case .binary(_, let left, let right), .range(let left, let right): left.mayCall || right.mayCall
    }
  }

  /// Names, fields and literals only: nothing in it computes, calls or asks.
  var isLight: Bool {
    switch node {
    case .nothing, .bool, .int, .number, .duration, .name: true
    case .text(let pieces): pieces.allSatisfy { if case .hole(let inner) = $0 { inner.isLight } else { true } }
    case .field(let base, _): base.isLight
    default: false
    }
  }
}

extension Context {
  /// After ^C neither a script nor the rest of a line sends any more. The statement that would ends it; of a script, a row that is under
  /// way fails, and `retry` makes it again.
  func checkSending(at span: Span) throws {
    if launch == nil, line?.hasStopped == true { throw CancellationError() }
    guard session.hasStoppedSending else { return }
    if row == nil { throw CancellationError() }
    attempted?.hold(Failure(.notSent, "interrupted: nothing more is sent"))
    var diagnostic = error("interrupted: nothing more is sent", at: span)
    diagnostic.cause = FailureKind.notSent.rawValue
    throw diagnostic
  }

  /// Where the calls made here go must be known before anything is sent.
  func checkModel(at span: Span) throws {
    let model = settings.model
    if let problem = session.world.directory.problem(with: model) {
      guard model.isChosen else {
        throw error(
          problem, at: span, help: "`set model \(model.provider)/NAME` chooses one; `models \(model.provider)` lists what there is")
      }
      throw error("\(model) cannot be used: \(problem)", at: span, help: "`models` lists what there is; `set model provider/name` chooses")
    }
    if let count = session.listings.count(without: model) {
      session.noteOnce(
        "\(model) is not \(count == 1 ? "the one model" : "among the \(count) models") that the server lists; `models \(model.provider)` shows them"
      )
    }
  }
}

/// What `--as` makes of a reply's text.
enum ReplyForm: String, Sendable, CaseIterable {
  case text, number, json, lines

  /// The value, and the reply: as it is, or marked as a wrong answer where it is not of this form. A refusal is no answer in any form,
  /// and what was cut at max-tokens is not read: half a number is another number.
  func read(_ reply: Reply) -> (Value, Reply) {
    guard reply.succeeded, reply.attempt.wrong == nil else { return (.nothing, reply) }
    var wrong = reply
    if reply.attempt.finish == .length {
      wrong.attempt.wrong = Failure(.parse, "cut at max-tokens, and so not read as \(rawValue): \(reply.text.prefix(80))")
    } else if let value = value(reply.text) {
      return (value, reply)
    } else {
      wrong.attempt.wrong = Failure(.parse, "the reply is no \(rawValue): \(reply.text.prefix(80))")
    }
    return (.nothing, wrong)
  }

  private func value(_ text: String) -> Value? {
    switch self {
    case .text: return .text(text)
    case .lines: return .list(text.split(whereSeparator: \.isNewline).map { .text(String($0)) })
    case .number: return Functions.number(in: text)
    case .json: return Functions.json(in: text)
    }
  }
}
