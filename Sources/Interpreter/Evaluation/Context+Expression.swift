import Chat
import JSON
import Language

extension Context {
  /// The value of an expression; a job's is its result, waited for.
  func value(_ expression: Expression) async throws -> Value {
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
      throw diagnostic
    } catch is JobHandle.LetGo {
      let name = handle.variable ?? handle.job.number.map { "%\($0)" } ?? handle.job.name
      session.world.output.note(
        "\(handle.job.name) goes on in the background\n  = `gather \(name)` waits for it again, `cancel \(name)` ends it")
      throw CancellationError()
    } catch {
      if Task.isCancelled { throw CancellationError() }
      throw self.error("\(handle.job.name) was cancelled", at: span)
    }
  }

  /// The value of an expression, jobs left as they are.
  func raw(_ expression: Expression) async throws -> Value {
    switch expression.node {
    case .nothing: return .nothing
    case .bool(let flag): return .bool(flag)
    case .int(let whole): return .int(whole)
    case .number(let number): return literal(number, expression.span)
    case .duration(let duration): return .duration(duration)
    case .text(let pieces): return .text(try await text(pieces))
    case .name(let name):
      if let value = scope.lookup(name) {
        if value.isNothing, let failure = scope.noAnswer(reading: name) { throw noAnswer(failure, at: expression.span) }
        if depth > 0, Self.namesOfFailure.contains(name), let row = scope.lookup("it") { settle(row) }
        return value
      }
      // A function that failed returned no fields: which there would have been, nobody knows.
      if scope.isFailedResult { return .nothing }
      // As in every shell, before the first `!command`.
      if name == "status" { return .int(0) }
      throw unknownName(name, at: expression.span)
    case .job(let number):
      if let handle = session.jobs.last(where: { $0.job.number == number }) { return .job(handle) }
      throw error("there is no job %\(number)", at: expression.span, help: "`jobs` lists them")
    case .list(let elements):
      var values: [Value] = []
      values.reserveCapacity(elements.count)
      for element in elements { values.append(try await value(element)) }
      return try bounded(.list(values), at: expression.span)
    case .record(let members):
      var record = Record()
      for member in members { record[member.name] = try await value(member.value) }
      return try bounded(.record(record), at: expression.span)
    case .field(let base, let name):
      let value = try await value(base)
      if case .name("it") = base.node, case .record(let record) = value, record[name] == nil, scope.isField(name) { return .nothing }
      if case .name("it") = base.node, scope.isFailedResult, value.field(name) == nil { return .nothing }
      return try field(name, of: value, at: expression.span)
    case .index(let base, let index):
      return try self.index(try await value(base), try await value(index), at: expression.span)
    case .call(let callee, let arguments):
      guard invariants != nil, case .name(let name) = callee.node, Functions.aggregateNames.contains(name) else {
        return try bounded(try await call(callee, arguments, at: expression.span), at: expression.span)
      }
      return try await oncePerRun(expression) { try await $0.call(callee, arguments, at: expression.span) }
    case .unary(let op, let operand):
      let value = try await value(operand)
      return try located(expression.span) { () throws(OperationError) in
        switch op {
        case .not: return .bool(try !value.truth())
        case .minus:
          if case .duration(let duration) = value { return .duration(.zero - duration) }
          if case .exact(let number) = value { return .exact(number.negated) }
          return try Value.int(0).apply(.subtract, value)
        }
      }
    case .binary(.and, let left, let right):
      let first = try await truth(left)
      return .bool(first ? try await truth(right) : false)
    case .binary(.or, let left, let right):
      let first = try await truth(left)
      return .bool(first ? true : try await truth(right))
    case .binary(let op, let left, let right) where op == .in || op == .notIn:
      let value = try await value(left)
      if value.isNothing, op.isFalseOfNothing, scope.isWrongAnswer { return .bool(false) }
      return .bool(try await holds(value, in: right, at: expression.span) == (op == .in))
    case .binary(let op, let left, let right):
      let (a, b) = (try await value(left), try await value(right))
      if a.isNothing || b.isNothing, op.isFalseOfNothing, scope.isWrongAnswer { return .bool(false) }
      if a.failure != nil { settle(a) }
      if b.failure != nil { settle(b) }
      let result = try located(expression.span) { () throws(OperationError) in try a.apply(op, b) }
      if a.losesDigits(op, b, result) { session.noteLostDigits() }
      return result
    case .range(let low, let high):
      guard case .int(let a) = try await value(low), case .int(let b) = try await value(high) else {
        throw error("a range goes from one whole number to another", at: expression.span)
      }
      // Its length must be a number that can be counted with.
      if a <= b, b.subtractingReportingOverflow(a).overflow || b - a >= Int.max / 4 {
        throw error("the range is too long", at: expression.span)
      }
      return .range(a, b)
    case .pipeline(let pipeline): return try await oncePerRun(expression) { try await $0.value(pipeline) }
    case .block(let block): throw error("a block is no value here", at: block.span)
    }
  }

  /// A value that was put together of others.
  ///
  /// - Throws: where it nests deeper than values may.
  func bounded(_ value: Value, at span: Span) throws -> Value {
    if value.depth <= Value.maximumDepth { return value }
    return try located(span) { () throws(OperationError) in try value.bounded() }
  }

  /// A number as it stands in the script; a whole one past 2^63 keeps its digits.
  private func literal(_ number: Double, _ span: Span) -> Value {
    guard number.magnitude >= 9_223_372_036_854_775_808 else { return .number(number) }
    let digits = source.text(span).filter { !"_() \n".contains($0) }
    return digits.allSatisfy { $0.isASCII && $0.isNumber } ? .exact(ExactNumber(digits, number)) : .number(number)
  }

  func truth(_ expression: Expression) async throws -> Bool {
    let value = try await value(expression)
    return try located(expression.span) { () throws(OperationError) in try value.truth() }
  }

  /// Fills the holes of a text. A reply reads as its text, but a failed one may not pass unnoticed into the next prompt.
  func text(_ pieces: [TextPiece]) async throws -> String {
    if pieces.count == 1, case .plain(let text) = pieces[0] { return text }
    var out = ""
    for piece in pieces {
      switch piece {
      case .plain(let text): out += text
      case .hole(let expression):
        let value = try await value(expression)
        out += value.failure == nil ? value.filling : try text(of: value, at: expression.span)
      }
    }
    return out
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

  func unknownName(_ name: String, at span: Span) -> Diagnostic {
    let visible = scope.names
    var help = Suggestion.help(for: name, among: visible.union(Functions.names).subtracting(["_"]))
    if help == nil, session.vocabulary.commands.contains(name) {
      help = "`\(name)` is a command; in an expression it stands in parentheses: (\(name) …)"
    }
    return error("there is no `\(name)`", at: span, help: help ?? "`vars` lists the variables; a text is written in quotes")
  }

  /// What a function reads of a reply to deal with its failure.
  private static let namesOfFailure: Set<String> = ["failed", "error", "partial"]

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
        if case .reply(let row) = element, row.noAnswer(reading: name) != nil {
          missing += 1
          isKnown = true
          values.append(.nothing)
        } else if let found = element.field(name) {
          if found.isNothing, element.lacksUsage(name) { uncounted += 1 }
          values.append(found)
          isKnown = true
        } else if case .record = element {
          values.append(.nothing)
        } else {
          values.append(try field(name, of: element, at: span))
        }
      }
      if !isKnown, let first = elements.first { return .list([try field(name, of: first, at: span)]) }
      if missing > 0 { tellNoAnswer(missing, of: elements.count, instead: "their `\(name)` is nothing") }
      if uncounted > 0 { tellNoUsage(uncounted, of: elements.count, name) }
      return .list(values)
    }
    if let field = value.field(name) {
      if field.isNothing, case .reply(let row) = value, let failure = row.noAnswer(reading: name) {
        settle(value)
        throw noAnswer(failure, at: span)
      }
      return field
    }
    switch value {
    case .nothing where Value.fieldsOfNothing.contains(name) || scope.isWrongAnswer: return .nothing
    case .record, .reply:
      throw error("\(value.kind) with no field `\(name)`", at: span, help: Suggestion.help(for: name, among: value.fieldNames))
    default: throw error("\(value.kind) has no fields: \(value.preview)", at: span)
    }
  }

  func index(_ value: Value, _ index: Value, at span: Span) throws -> Value {
    var unread = index.failure
    if case .reply(let row) = value { unread = row.reply.failure ?? unread }
    if let failure = unread { throw noAnswer(failure, at: span) }
    switch (value, index) {
    case (.record(let record), _) where index.asText != nil:
      if let field = record[index.text] { return field }
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
    throw error("\(value.kind) cannot be indexed with \(index.kind): \(value.preview)[\(index.preview)]", at: span)
  }
}
