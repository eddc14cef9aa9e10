import Chat
import JSON
import Language

/// Expressions whose value is there at once: most of what stands in prompts and filters. Nothing here suspends, so none of it costs a
/// frame on the heap, which a row would keep until its answer is there.
extension Context {
  /// - Returns: nil where a call has to be made, or a job waited for: nothing has been read then, nor said of it.
  func immediate(_ expression: Expression) throws -> Value? {
    guard expression.isImmediate, !waits(for: expression) else { return nil }
    return try worked(expression)
  }

  /// Whether a variable in it holds a job.
  private func waits(for expression: Expression) -> Bool {
    switch expression.node {
    case .nothing, .bool, .int, .number, .duration: false
    case .name(let name): if case .job? = scope.lookup(name) { true } else { false }
    case .text(let pieces): pieces.contains { if case .hole(let hole) = $0 { waits(for: hole) } else { false } }
    case .list(let elements): elements.contains(where: waits)
    case .record(let members): members.contains { waits(for: $0.value) }
    case .field(let base, _): waits(for: base)
    case .unary(_, let operand): waits(for: operand)
    case .index(let a, let b), .binary(_, let a, let b), .range(let a, let b): waits(for: a) || waits(for: b)
    case .job, .call, .pipeline, .block: true
    }
  }

  private func worked(_ expression: Expression) throws -> Value {
    let span = expression.span
    switch expression.node {
    case .text(let pieces): return .text(try worked(pieces))
    case .list(let elements): return try bounded(.list(try elements.map(worked)), at: span)
    case .record(let members):
      var record = Record()
      for member in members { record[member.name] = try worked(member.value) }
      return try bounded(.record(record), at: span)
    case .field(let base, let name): return try field(name, of: try worked(base), written: base, at: span)
    case .index(let base, let index):
      let value = try worked(base)
      return try self.index(value, try worked(index), at: span)
    case .unary(let op, let operand): return try unary(op, try worked(operand), at: span)
    case .binary(.and, let left, let right): return .bool(try isTrue(left) ? try isTrue(right) : false)
    case .binary(.or, let left, let right): return .bool(try isTrue(left) ? true : try isTrue(right))
    case .binary(let op, let left, let right):
      if let answer = try isUnknownNow(left, op, right) { return .bool(answer) }
      let value = try worked(left)
      return try binary(value, op, try worked(right), at: span)
    case .range(let low, let high):
      let value = try worked(low)
      return try range(value, try worked(high), at: span)
    default: return try leaf(expression)
    }
  }

  /// Whether a column that is compared with nothing is one that is not known: so a rule can ask for it. Nil for anything else.
  func isUnknownNow(_ left: Expression, _ op: BinaryOperator, _ right: Expression) throws -> Bool? {
    guard op == .equal || op == .notEqual, case .nothing = right.node else { return nil }
    let failure: Failure?
    let field: String
    switch left.node {
    case .name(let name):
      field = name
      guard ReplyField.named(name) == nil, scope.lookup(name)?.isNothing == true else { return nil }
      failure = scope.noAnswer(reading: name)
    case .field(let base, let name) where base.isImmediate && !waits(for: base):
      field = name
      failure = try worked(base).noAnswer(reading: name)
    default: return nil
    }
    return failure == nil || ReplyField.named(field) != nil ? nil : op == .equal
  }

  private func isTrue(_ expression: Expression) throws -> Bool {
    let value = try worked(expression)
    return try located(expression.span) { () throws(OperationError) in try value.truth() }
  }

  private func worked(_ pieces: [TextPiece]) throws -> String {
    if pieces.count == 1, case .plain(let text) = pieces[0] { return text }
    var out = ""
    for piece in pieces {
      switch piece {
      case .plain(let text): out += text
      case .hole(let expression): out += try filling(try worked(expression), at: expression.span)
      }
    }
    return out
  }
}

// MARK: what an expression makes of the values in it

extension Context {
  /// The value of an expression that has no other in it.
  func leaf(_ expression: Expression) throws -> Value {
    switch expression.node {
    case .bool(let flag): return .bool(flag)
    case .int(let whole): return .int(whole)
    case .number(let number): return literal(number, expression.span)
    case .duration(let duration): return .duration(duration)
    case .name(let name):
      if let value = scope.lookup(name) {
        if value.isNothing, let failure = scope.noAnswer(reading: name) {
          throw noAnswer(failure, reading: name, at: expression.span)
        }
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
    default: return .nothing
    }
  }

  /// A number as it stands in the script; a whole one past 2^63 keeps its digits.
  private func literal(_ number: Double, _ span: Span) -> Value {
    guard number.magnitude >= 9_223_372_036_854_775_808 else { return .number(number) }
    let digits = source.text(span).filter { !"_() \n".contains($0) }
    return digits.allSatisfy { $0.isASCII && $0.isNumber } ? .exact(ExactNumber(digits, number)) : .number(number)
  }

  /// - Parameter base: the expression that gave the value.
  func field(_ name: String, of value: Value, written base: Expression, at span: Span) throws -> Value {
    if case .name("it") = base.node {
      if case .record(let record) = value, record[name] == nil, scope.isField(name) { return .nothing }
      if scope.isFailedResult, value.field(name) == nil { return .nothing }
    }
    return try field(name, of: value, at: span)
  }

  func unary(_ op: UnaryOperator, _ value: Value, at span: Span) throws -> Value {
    try located(span, on: [value]) { () throws(OperationError) in
      switch op {
      case .not: return .bool(try !value.truth())
      case .minus:
        if case .duration(let duration) = value { return .duration(.zero - duration) }
        if case .exact(let number) = value { return .exact(number.negated) }
        return try Value.int(0).apply(.subtract, value)
      }
    }
  }

  func binary(_ a: Value, _ op: BinaryOperator, _ b: Value, at span: Span) throws -> Value {
    if a.isNothing || b.isNothing, op.isFalseOfNothing, scope.isWrongAnswer { return .bool(false) }
    if a.failure != nil { settle(a) }
    if b.failure != nil { settle(b) }
    let result = try located(span, on: [a, b]) { () throws(OperationError) in try a.apply(op, b) }
    if op == .add, case .reply(let row) = a, case .record(let columns) = b { noteHidden(by: columns.fields.map(\.name), in: row) }
    if a.losesDigits(op, b, result) { session.noteLostDigits() }
    return result
  }

  /// Says once which fields of a reply's item have another name from now on, for a column has theirs.
  func noteHidden(by columns: [String], in row: ReplyRow) {
    let names = row.item.dataNames
    for column in columns where names.contains(column) {
      session.noteOnce("the items have a field `\(column)`, which is a column now; theirs is `input.\(column)`")
    }
  }

  func range(_ low: Value, _ high: Value, at span: Span) throws -> Value {
    guard case .int(let a) = low, case .int(let b) = high else {
      throw lacking([low, high], error("a range goes from one whole number to another", at: span))
    }
    // Its length must be a number that can be counted with.
    if a <= b, b.subtractingReportingOverflow(a).overflow || b - a >= Int.max / 4 {
      throw error("the range is too long", at: span)
    }
    return .range(a, b)
  }
}
