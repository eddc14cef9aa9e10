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

  init(sweep: Sweep, form: ReplyForm?, span: Span, context: Context) {
    self.sweep = sweep
    self.form = form
    self.span = span
    resolved = sweep.variants.map { ResolvedSettings(context.overrides + $0.overrides) }
  }

  var callsModels: Bool { true }

  /// Filling holes with names and fields is glue; anything that may compute or call runs on the global pool.
  var isLight: Bool {
    form == nil
      && sweep.prompts.allSatisfy { prompt in
        switch prompt {
        case .text: true
        case .expression(let expression, _): expression.isLight
        case .prompt(let prompt, _): prompt.definition.turns.allSatisfy { $0.text.isLight }
        }
      }
  }

  func check(_ visible: [Value], _ context: Context) async throws {
    noteHidden(visible, context)
    for prompt in sweep.prompts { try prompt.check(visible, at: span, context) }
    for variant in sweep.variants {
      var context = context
      context.overrides += variant.overrides
      try context.checkModel(at: span)
    }
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    // A row that failed before goes no further, and keeps its error.
    if row.value.failure != nil { return [row] }
    let variant = sweep.variants[row.variant]
    var context = context
    context.overrides += variant.overrides
    context.resolved = resolved[row.variant]
    context.scope = Scope(parent: context.scope, row: Scope.Row(it: row.value, index: row.index))
    let reply: Reply
    do {
      let messages = try await sweep.prompts[variant.prompt].messages(for: row, at: span, context)
      let board = context.board
      reply = await context.call(messages, observer: board.map { CallEngine.Observer(board: $0, column: row.index) })
      board?.end(row.index, note: reply.failure?.description)
    } catch let diagnostic as Diagnostic {
      // One row whose prompt cannot be made is that row's failure; a failed reply in it passes its kind on.
      let kind = diagnostic.cause.flatMap(FailureKind.init) ?? .script
      let attempt = Attempt(failure: Failure(kind, "the prompt could not be made: \(diagnostic.message)"))
      reply = Reply(model: context.settings.model, messages: [], attempt: attempt, attempts: 0, queued: .zero)
    }
    let read = form?.read(reply)
    let (parsed, finished) = (read?.0, read?.1 ?? reply)
    return [
      Row(index: row.index, value: .reply(ReplyRow(finished, index: row.index, item: row.value, columns: variant.columns, parsed: parsed)))
    ]
  }
}

extension MapStage {
  /// Says once which fields of the items have another name in the replies.
  private func noteHidden(_ visible: [Value], _ context: Context) {
    var names: [String] = []
    for case .record(let record) in visible.prefix(100) {
      for field in record.fields where ReplyField.named(field.name) != nil && !names.contains(field.name) { names.append(field.name) }
    }
    if names.isEmpty { return }
    context.session.noteOnce(
      "the items have fields that a reply has itself; theirs are "
        + names.map { "`input.\($0)`" }.joined(separator: ", "))
  }

  /// A reply that is all question: its messages are made, and were not sent.
  func unsent(_ row: Row, _ context: Context) async -> Row? {
    let variant = sweep.variants[row.variant]
    var context = context
    context.overrides += variant.overrides
    context.scope = Scope(parent: context.scope, row: Scope.Row(it: row.value, index: row.index))
    guard let messages = try? await sweep.prompts[variant.prompt].messages(for: row, at: span, context) else { return nil }
    let attempt = Attempt(failure: Failure(.notSent, "not sent"))
    let reply = Reply(model: context.settings.model, messages: messages, attempt: attempt, attempts: 0, queued: .zero)
    return Row(index: row.index, value: .reply(ReplyRow(reply, index: row.index, item: row.value, columns: variant.columns)))
  }
}

extension Expression {
  /// Names, fields and literals only.
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
  /// Where the calls made here go must be known before anything is sent.
  func checkModel(at span: Span) throws {
    let model = settings.model
    if let problem = session.world.directory.problem(with: model) {
      throw error("\(model) cannot be used: \(problem)", at: span, help: "`models` lists what there is; `set model provider/name` chooses")
    }
  }

  /// Sends messages with the settings that hold here. Never throws: a failure is a reply with an error.
  func call(_ messages: [Message], observer: CallEngine.Observer? = nil) async -> Reply {
    let settings = settings
    var messages = messages
    if let system = settings.system, !messages.contains(where: { $0.role == .system }) { messages.insert(Message(.system, system), at: 0) }
    var request = ChatRequest(model: settings.model, messages: messages)
    request.sampling = settings.sampling
    request.timeouts = settings.timeouts
    request.streams = settings.streaming
    let call = PreparedCall(request)
    let job = job ?? session.makeJob("call", total: 1, isListed: false).job
    var observed = session.callbacks.isEmpty ? observer : session.callbacks.observer(request, observer)
    let slot = session.world.tails.wanted > 0 && observed?.watch == nil ? session.world.tails.claim() : nil
    if let slot { observed = session.world.tails.observer(slot, observed) }
    defer { if let slot { session.world.tails.release(slot) } }
    let reply = await session.world.engine.call(
      call, in: job, policy: settings.retry, hedge: settings.hedge, row: row, observer: observed, budgetSpent: jobScope?.budgetSpent)
    if !session.callbacks.isEmpty { session.callbacks.ended(request, reply) }
    return reply
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
