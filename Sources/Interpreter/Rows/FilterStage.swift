import Chat
import Language

/// Keeps the rows for which an expression is true; one that it cannot be told of is dropped and counted.
struct FilterStage: RowStage {
  var word: String { "where" }
  let condition: Expression
  /// Whether it may ask for something itself.
  private let mayCall: Bool
  private let tally = RuleTally()
  var mayDrop: Bool { true }
  var held: [Value] { tally.held }

  init(condition: Expression) {
    self.condition = condition
    mayCall = condition.mayCall
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    var inner = context.inRow(row)
    let attempted = mayCall ? Attempted(within: context.attempted) : nil
    if let attempted { inner.attempted = attempted }
    var cut: Failure?
    let verdict = try await tally.value(for: row.value, at: row.index) { [inner] in
      let result: Result<Bool, any Error>
      do { result = .success(try await inner.truth(condition)) } catch { result = .failure(error) }
      cut = attempted?.cut(isCancelled: Task.isCancelled)
      return cut == nil ? .bool(try result.get()) : .nothing
    }
    if let attempted, let cut {
      // What it would say with all that it asked for nobody knows: `retry` has it asked again.
      let value = Value.reply(FailedRow.make(cut, row, context, attempted.last))
      return [Row(index: row.index, value: value, variant: row.variant, lost: attempted.ifAny, isUnjudged: true)]
    }
    if case .bool(true) = verdict { return [row] }
    return []
  }

  func finish(_ context: Context) throws { try tally.finish("where", "dropped", context) }
}

/// Gives each row a column more: nothing where there is no answer to judge, or the rule breaks.
struct AddStage: RowStage {
  var word: String { "add" }
  let column: Name
  let body: Expression
  /// Rows whose column is a prompt's answer run side by side, like those of `map`.
  let callsModels: Bool
  private let tally = RuleTally()

  init(column: Name, body: Expression) {
    self.column = column
    self.body = body
    callsModels = body.mayCall
  }

  func finish(_ context: Context) throws { try tally.finish("add \(column.text)", "nothing for them", context) }

  func check(_ visible: [Value], _ context: Context) throws {
    if visible.contains(where: { if case .reply = $0 { true } else { false } }) { try checkName(context) }
  }

  /// A column of a reply may not have the name of one of its own fields: it could never be read.
  func checkName(_ context: Context) throws {
    guard ReplyField.named(column.text) != nil else { return }
    throw context.error(
      "`\(column.text)` is a reply's own field; a column needs another name", at: column.span,
      help: "`help fields` lists the names that are taken")
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    if case .reply = row.value { try checkName(context) }
    var inner = context.inRow(row)
    let attempted = callsModels ? Attempted(within: context.attempted) : nil
    if let attempted { inner.attempted = attempted }
    var value = Value.nothing
    var made = row
    let outcome = try await tally.outcome(for: row.value, at: row.index) { [inner] in
      do { return try await inner.rowValue(body) } catch let problem as Diagnostic where problem.cause != nil && attempted?.isEmpty == false
      {
        // No mistake in the rule: its own call failed.
        made.lost = attempted
        made.lacks[column.text] = attempted?.last?.failure ?? problem.failureBehind
        tally.failedCall()
        return .nothing
      }
    }
    switch outcome {
    case .value(let worked):
      // A call of its own that failed leaves the column nothing, and the row what it was.
      value = worked.failure == nil || !callsModels ? worked : .nothing
      if let failure = worked.failure, made.lost == nil {
        made.lost = attempted?.ifAny
        if callsModels { made.lacks[column.text] = failure }
      }
    case .broken:
      made.lost = attempted?.ifAny
      if let failure = made.lost?.last?.failure { made.lacks[column.text] = failure }
    case .unsent: return [lacking(row, Failure(.notSent, "not sent"), inner)]
    case .unanswered:
      if row.value.failure == nil { made.lacks[column.text] = row.value.lacking?.lack }
    }
    if let attempted, attempted.cut(isCancelled: Task.isCancelled) != nil {
      // What it would be with all that it asked for nobody knows.
      value = .nothing
      made.lost = attempted.cut
    }
    made.lacksColumn = made.lost != nil
    if case .reply(let reply) = row.value { context.noteHidden(by: [column.text], in: reply) }
    made.value = adding(value, to: row.value)
    return [made]
  }

  private func adding(_ value: Value, to row: Value) -> Value {
    switch row {
    case .reply(let reply): return .reply(reply.adding((column.text, value)))
    case .record(var record):
      record[column.text] = value
      return .record(record)
    default: return .record(Record([("value", row), (column.text, value)]))
    }
  }

  func handOn(_ row: Row) -> Row {
    var made = row
    made.value = adding(.nothing, to: row.value)
    return made
  }

  /// The row stays, and lacks the column.
  func unsent(_ row: Row, _ context: Context) async -> Row? { lacking(row, Failure(.notSent, "not sent"), context) }
  func cancelled(_ row: Row, _ context: Context) -> Row? { lacking(row, Failure(.cancelled, "cancelled"), context) }

  private func lacking(_ row: Row, _ failure: Failure, _ context: Context) -> Row {
    var unsent = row
    unsent.value = adding(.nothing, to: row.value)
    let lost = Attempted(within: nil)
    lost.add(Reply(call: context.prepared([]), attempt: Attempt(failure: failure), attempts: 0, queued: .zero))
    (unsent.lost, unsent.lacksColumn) = (lost, true)
    unsent.lacks[column.text] = failure
    return unsent
  }
}

/// Makes a record of each row.
struct SelectStage: RowStage {
  var word: String { "select" }
  let columns: [(name: String, value: Expression)]
  private let tallies: [RuleTally]
  /// Whether one of them may ask for something itself.
  private let mayCall: Bool
  var held: [Value] { tallies.lazy.map(\.held).first { !$0.isEmpty } ?? [] }

  init(columns: [(name: String, value: Expression)]) {
    self.columns = columns
    tallies = columns.map { _ in RuleTally() }
    mayCall = columns.contains { $0.value.mayCall }
  }

  func finish(_ context: Context) throws {
    for (column, tally) in zip(columns, tallies) { try tally.finish("select \(column.name)", "nothing for them", context) }
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    var inner = context.inRow(row)
    let attempted = mayCall ? Attempted(within: context.attempted) : nil
    if let attempted { inner.attempted = attempted }
    var record = Record()
    var lacks: [String: Failure] = [:]
    for ((name, expression), tally) in zip(columns, tallies) {
      let outcome = try await tally.outcome(for: row.value, at: row.index) { [inner] in
        do { return try await inner.value(expression) } catch {
          if attempted?.cut(isCancelled: Task.isCancelled) != nil { return .nothing }
          throw error
        }
      }
      record[name] = .nothing
      if case .value(let value) = outcome { record[name] = value }
      if case .unanswered = outcome, row.value.failure == nil { lacks[name] = row.value.lacking?.lack }
      if case .unsent = outcome { lacks[name] = Failure(.notSent, "not sent") }
    }
    if let attempted, let cut = attempted.cut(isCancelled: Task.isCancelled), row.value.rowFailure == nil {
      let value = Value.reply(FailedRow.make(cut, row, context, attempted.last))
      return [Row(index: row.index, value: value, variant: row.variant, lost: attempted.ifAny)]
    }
    return [
      Row(
        index: row.index, value: Value.record(record).failing(with: row.value), variant: row.variant, lacksColumn: !lacks.isEmpty,
        lacks: lacks)
    ]
  }
}

/// Runs a function for each row, side by side under the session's width.
struct EachStage: RowStage {
  let function: Value
  let span: Span
  var word: String { "each" }
  var callsModels: Bool { true }
  var answersAnew: Bool { true }

  func check(_ visible: [Value], _ context: Context) throws {
    for item in visible { try context.located(span) { () throws(OperationError) in try item.boundedAsItem() } }
  }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    if row.value.failure != nil { return [row] }
    var context = context
    context.scope = Scope(parent: context.scope, row: Scope.Row(it: row.value, index: row.index))
    let attempted = Attempted(within: context.attempted)
    context.attempted = attempted
    do {
      try context.located(span) { () throws(OperationError) in try row.value.boundedAsItem() }
      let value = try await context.invoke(function, [row.value], [], at: span, calleeSpan: span)
      // A chain's last reply is the row's; the item it was made for comes along.
      let kept = value.keepingFields(of: row).failing().with(lacking: row.value.lacking)
      var made = Row(index: row.index, value: kept, variant: row.variant)
      if let failure = attempted.cut(isCancelled: Task.isCancelled), !made.value.saysThatItIsCut {
        made.value = .reply(FailedRow.make(failure, row, context, attempted.last))
      }
      if made.value.rowFailure != nil { made.lost = attempted.ifAny }
      // What the function left unknown in it is made again by the function.
      if value.innerLacking != nil {
        (made.lost, made.lacksColumn, made.lacks) = (attempted.ifAny, true, value.lacking?.lacks ?? [:])
      }
      return [made]
    } catch let diagnostic as Diagnostic {
      // What broke on what was cut is no mistake of the script's.
      let cut = attempted.cut(isCancelled: Task.isCancelled)
      let failed =
        cut.map { FailedRow.make($0, row, context, attempted.last) } ?? FailedRow.make(diagnostic, row, context, attempted.last)
      return [Row(index: row.index, value: .reply(failed), lost: attempted.ifAny)]
    } catch is CancellationError {
      return [Row(index: row.index, value: FailedRow.cancelled(row, context, attempted.last), lost: attempted.ifAny)]
    }
  }

  /// What its calls would have been, only the function knows: `retry` runs it.
  func unsent(_ row: Row, _ context: Context) async -> Row? {
    Row(index: row.index, value: .reply(FailedRow.make(Failure(.notSent, "not sent"), row, context)))
  }
}

extension Value {
  /// Whether it has failed because something was held back or cancelled.
  fileprivate var saysThatItIsCut: Bool {
    rowFailure.map { $0.kind == .notSent || $0.kind == .cancelled } ?? false && !failedReplies.isEmpty
  }

  /// What a function gave for a row, with the fields of the row's item; the function's own win.
  fileprivate func keepingFields(of row: Row) -> Value {
    switch self {
    case .reply(let reply):
      let own = reply.data.filter { ReplyField.named($0.name) == nil && !$0.name.hasPrefix("input.") }
      return .reply(reply.with(origin: nil).with(index: row.index, item: row.value).adding(own))
    case .record(let record):
      var all: Record
      switch row.value {
      case .record(let item): all = Record(item.fields)
      case .reply(let item): all = Record(item.data)
      default: return self
      }
      for field in record.fields { all[field.name] = field.value }
      all.failure = record.failure
      return .record(all)
    default: return self
    }
  }
}

extension Context {
  func inRow(_ row: Row) -> Context {
    var context = self
    context.scope = Scope(parent: scope, row: Scope.Row(it: row.value, index: row.index, others: rowFields))
    return context
  }

  /// An expression for a row, or the value of the last statement of a block `{ … }`.
  func rowValue(_ expression: Expression) async throws -> Value {
    guard case .block(let block) = expression.node else { return try await value(expression) }
    var inner = self
    inner.scope = Scope(parent: scope)
    inner.showsValues = false
    var value = Value.nothing
    defer { if !session.isEnding { inner.scope.end(giving: value) } }
    value = try await inner.run(block).value
    if case .job(let handle) = value { value = try await result(of: handle, at: block.span) }
    return value
  }
}
