import Chat
import JSON
import Language

extension Context {
  /// The value of an expression; a job's is its result, waited for.
  func value(_ expression: Expression) async throws -> Value {
    if let value = try immediate(expression) { return value }
    let value = try await raw(expression)
    guard case .job(let handle) = value else { return value }
    return try await result(of: handle, at: expression.span)
  }

  /// What a job gave; its error, if it ended with one, as this place's error. Who waits for it at the top waits in the foreground: its
  /// progress is shown, and keys steer it. At the prompt ^C ends the wait, and not the job.
  ///
  /// - Parameter bringsBack: the job is in the foreground from now on, and ^C ends it like any other there.
  func result(of handle: JobHandle, at span: Span, bringsBack: Bool = false) async throws -> Value {
    let isShown = job == nil && !handle.job.isOver
    if isShown {
      session.beginForeground(handle)
      session.world.output.foreground(handle.job, showsProgress: true)
    }
    defer {
      if isShown {
        session.endForeground(handle)
        session.world.output.foregroundEnded(handle.job, hasRows: false)
      }
    }
    do {
      return try await handle.value(mayBeLetGo: isShown && session.isAttended && !bringsBack)
    } catch let diagnostic as Diagnostic {
      throw handle.isEmptied && diagnostic.span == nil ? error(diagnostic.message, at: span, help: diagnostic.help) : diagnostic
    } catch is JobHandle.LetGo {
      let name = handle.job.typedName
      session.world.output.note(
        "\(handle.job.name) goes on in the background\n  = `gather \(name)` waits for it again, `cancel \(name)` ends it")
      throw CancellationError()
    } catch {
      if Task.isCancelled { throw CancellationError() }
      throw self.error("\(handle.job.name) was cancelled", at: span)
    }
  }

  /// The value of an expression, jobs left as they are.
  ///
  /// A frame on the heap is kept while a call in it waits for its answer: what each case needs stands in a function of its own.
  func raw(_ expression: Expression) async throws -> Value {
    switch expression.node {
    case .nothing, .bool, .int, .number, .duration, .name, .job: return try leaf(expression)
    case .text(let pieces): return .text(try await text(pieces))
    case .list(let elements): return try await list(elements, at: expression.span)
    case .record(let members): return try await record(members, at: expression.span)
    case .field(let base, let name): return try field(name, of: try await value(base), written: base, at: expression.span)
    case .index(let base, let index):
      let value = try await value(base)
      return try self.index(value, try await self.value(index), at: expression.span)
    case .call(let callee, let arguments): return try await called(callee, arguments, expression)
    case .unary(let op, let operand): return try unary(op, try await value(operand), at: expression.span)
    case .binary(.and, let left, let right): return .bool(try await truth(left) ? try await truth(right) : false)
    case .binary(.or, let left, let right): return .bool(try await truth(left) ? true : try await truth(right))
    case .binary(.in, let left, let right): return try await found(left, .in, right, at: expression.span)
    case .binary(.notIn, let left, let right): return try await found(left, .notIn, right, at: expression.span)
    case .binary(let op, let left, let right):
      if let answer = try isUnknownNow(left, op, right) { return .bool(answer) }
      let value = try await value(left)
      return try binary(value, op, try await self.value(right), at: expression.span)
    case .range(let low, let high):
      let value = try await value(low)
      return try range(value, try await self.value(high), at: expression.span)
    case .pipeline(let pipeline):
      // What is worked out once is held once: going through a long list for each row takes longer than reading its file.
      return try await oncePerRun(expression) { [scope] inner in
        let value = try await inner.value(pipeline)
        inner.inHand?.hold(value, in: scope)
        return value
      }
    case .block(let block): throw error("a block is no value here", at: block.span)
    }
  }

  @inline(never)
  private func list(_ elements: [Expression], at span: Span) async throws -> Value {
    var values: [Value] = []
    values.reserveCapacity(elements.count)
    for element in elements { values.append(try await value(element)) }
    return try bounded(.list(values), at: span)
  }

  @inline(never)
  private func record(_ members: [RecordMember], at span: Span) async throws -> Value {
    var record = Record()
    for member in members { record[member.name] = try await value(member.value) }
    return try bounded(.record(record), at: span)
  }

  @inline(never)
  private func called(_ callee: Expression, _ arguments: [CallArgument], _ expression: Expression) async throws -> Value {
    guard invariants != nil, case .name(let name) = callee.node, Functions.aggregateNames.contains(name) else {
      return try bounded(try await call(callee, arguments, at: expression.span), at: expression.span)
    }
    return try await oncePerRun(expression) { try await $0.call(callee, arguments, at: expression.span) }
  }

  @inline(never)
  private func found(_ left: Expression, _ op: BinaryOperator, _ right: Expression, at span: Span) async throws -> Value {
    let value = try await value(left)
    if value.isNothing, op.isFalseOfNothing, scope.isWrongAnswer { return .bool(false) }
    return .bool(try await holds(value, in: right, at: span) == (op == .in))
  }

  /// A value that was put together of others.
  ///
  /// - Throws: where it nests deeper than values may.
  func bounded(_ value: Value, at span: Span) throws -> Value {
    if value.depth <= Value.maximumDepth { return value }
    return try located(span) { () throws(OperationError) in try value.bounded() }
  }

  func truth(_ expression: Expression) async throws -> Bool {
    let value = try await value(expression)
    return try located(expression.span) { () throws(OperationError) in try value.truth() }
  }

  /// Fills the holes of a text. A reply reads as its text, but a failed one may not pass unnoticed into the next prompt.
  func text(_ pieces: [TextPiece]) async throws -> String {
    var out = ""
    for piece in pieces {
      switch piece {
      case .plain(let text): out += text
      case .hole(let expression): out += try filling(try await value(expression), at: expression.span)
      }
    }
    return out
  }

  func filling(_ value: Value, at span: Span) throws -> String {
    if let unread = value.unread { throw noAnswer(unread, reading: nil, at: span) }
    return value.failure == nil ? value.filling : try text(of: value, at: span)
  }

  func text(of value: Value, at span: Span) throws -> String {
    if let failure = value.failure {
      // The error goes on from here: it ends the function, or is caught in it.
      settle(value)
      throw noAnswer(failure, at: span)
    }
    if value.failures > 0 { tellNoAnswer(value.failures, of: value.elements?.count ?? 0, instead: "`nothing` stands for them") }
    return value.text
  }

  /// The text of a reply that failed is wanted here.
  func noAnswer(_ failure: Failure, at span: Span) -> Diagnostic {
    let problem = OperationError(noAnswer: failure)
    var diagnostic = error(problem.message, at: span, help: problem.help)
    diagnostic.cause = failure.kind.rawValue
    return diagnostic
  }

  /// A column is wanted whose own call failed.
  func noAnswer(_ failure: Failure, reading column: String?, at span: Span) -> Diagnostic {
    guard column.map({ ReplyField.named($0) == nil }) ?? true else { return noAnswer(failure, at: span) }
    let what = column.map { "`\($0)`" } ?? "a column"
    var diagnostic = error(
      "\(what) of this row is not known: its call failed (\(failure.description))", at: span,
      help: "`retry` makes it" + (column.map { "; `\($0) == nothing` asks for it, `get(it, \"\($0)\", \"\")` reads on" } ?? ""))
    diagnostic.cause = failure.kind.rawValue
    return diagnostic
  }

  func unknownName(_ name: String, at span: Span) -> Diagnostic {
    let visible = scope.names
    var help = Suggestion.help(for: name, among: visible.union(Functions.names).subtracting(["_"]))
    if help == nil, session.vocabulary.commands.contains(name) {
      help = "`\(name)` is a command; in an expression it stands in parentheses: (\(name) …)"
    }
    return error("there is no `\(name)`", at: span, help: help ?? "`vars` lists the variables; a text is written in quotes")
  }

  /// What a function reads of a reply to deal with its failure.
  static let namesOfFailure: Set<String> = ["failed", "error", "partial"]

  func field(_ name: String, of value: Value, at span: Span) throws -> Value {
    if depth > 0, Self.namesOfFailure.contains(name) { settle(value) }
    if case .list(let elements) = value {
      if name == "count", elements.isEmpty { return .int(0) }
      var values: [Value] = []
      values.reserveCapacity(elements.count)
      // A field that some of the rows have is nothing in the others.
      var isKnown = false
      var missing = 0
      var uncounted = 0
      for element in elements {
        if let found = element.field(name) {
          if found.isNothing {
            if element.lacksUsage(name) { uncounted += 1 }
            if element.noAnswer(reading: name) != nil { missing += 1 }
          }
          values.append(found)
          isKnown = true
        } else if element.hasFields {
          values.append(.nothing)
        } else {
          // A list of rows, or what an answered reply has for an error: it is an error itself where it has no such field.
          values.append(try field(name, of: element, at: span))
          isKnown = true
        }
      }
      if !isKnown, let first = elements.first { return .list([try field(name, of: first, at: span)]) }
      if missing > 0 { tellNoAnswer(missing, of: elements.count, instead: "their `\(name)` is nothing") }
      if uncounted > 0 { tellNoUsage(uncounted, of: elements.count, name) }
      return .list(values)
    }
    if let field = value.field(name) {
      if field.isNothing, let failure = value.noAnswer(reading: name) {
        settle(value)
        throw noAnswer(failure, reading: name, at: span)
      }
      return field
    }
    switch value {
    case .nothing where Value.fieldsOfNothing.contains(name) || scope.isWrongAnswer: return .nothing
    case .record, .reply:
      throw error("\(value.kind) with no field `\(name)`", at: span, help: Suggestion.help(for: name, among: value.fieldNames))
    default: throw lacking([value], error("\(value.kind) has no fields: \(value.preview)", at: span))
    }
  }

  func index(_ value: Value, _ index: Value, at span: Span) throws -> Value {
    var unread = index.failure
    if case .reply(let row) = value { unread = row.reply.failure ?? unread }
    if let failure = unread { throw noAnswer(failure, at: span) }
    switch (value, index) {
    case (.record(let record), _) where index.asText != nil:
      if let field = record[index.text] {
        if let failure = record.noAnswer(reading: index.text) { throw noAnswer(failure, reading: index.text, at: span) }
        return field
      }
      throw error(
        "the record has no field \(index.preview)", at: span, help: Suggestion.help(for: index.text, among: record.fields.map(\.name)))
    case (.range(let low, let high), .int(let position)) where position >= 0 && low <= high && position <= high - low:
      return .int(low + position)
    case (_, .int(let position)):
      guard let elements = value.elements ?? value.asText.map({ $0.map { .text(String($0)) } }) else { break }
      // From the end where it is negative.
      let place = position < 0 ? elements.count + position : position
      guard elements.indices.contains(place) else {
        throw error("there is no element \(position): \(value.kind) of \(elements.count)", at: span, help: "the first is 0, the last -1")
      }
      return elements[place]
    case (_, .range(let low, let high)):
      guard let elements = value.elements else { break }
      let start = min(max(low < 0 ? elements.count + low : low, 0), elements.count)
      let end = min(max(high < 0 ? elements.count + high : high, start - 1), elements.count - 1)
      return .list(start <= end ? Array(elements[start...end]) : [])
    default: break
    }
    throw lacking(
      [value, index], error("\(value.kind) cannot be indexed with \(index.kind): \(value.preview)[\(index.preview)]", at: span))
  }
}

extension Value {
  /// Whether it is a row that others of its kind may have more fields than.
  fileprivate var hasFields: Bool {
    switch self {
    case .record, .reply: true
    default: false
    }
  }
}
