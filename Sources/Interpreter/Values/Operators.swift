import Chat
import Language

/// What went wrong in an operation, before it is known where.
struct OperationError: Error {
  var message: String
  var help: String?
  /// The kind of failure of a reply that was to be read as text and has none.
  var cause: FailureKind?
  /// Not an error of the script's, which it could catch: the work was told to stop.
  var isCancelled = false

  static let cancelled = {
    var error = OperationError("cancelled")
    error.isCancelled = true
    return error
  }()

  init(_ message: String, help: String? = nil) {
    self.message = message
    self.help = help
  }

  /// The text of a reply that failed is wanted: there is none.
  init(noAnswer failure: Failure) {
    message = "this reply failed (\(failure.description))"
    help = "\(failure.advice); `.partial` is what came of it, `get(r, \"text\", \"\")` reads on"
    cause = failure.kind
  }
}

extension Value {
  /// The value where true or false is wanted: nothing is false.
  func truth() throws(OperationError) -> Bool {
    switch self {
    case .bool(let flag): return flag
    case .nothing: return false
    default:
      throw OperationError("true or false was expected, not \(kind): \(preview)", help: "compare it: `x != \"\"`, `x > 0`, `x != nothing`")
    }
  }

  /// Its number, a duration's in seconds; nil for anything else.
  var asNumber: Double? {
    switch self {
    case .int(let whole): Double(whole)
    case .number(let number): number
    case .exact(let number): number.value
    case .duration(let duration): duration.seconds
    default: nil
    }
  }

  /// A text, or a reply read as its text; nil for anything else, a reply that failed among it: it has none.
  var asText: String? {
    switch self {
    case .text(let text): text
    case .reply(let row): row.reply.succeeded ? row.reply.text : nil
    default: nil
    }
  }

  /// - Throws: for a reply that failed, where its text is wanted.
  func answered() throws(OperationError) {
    if let failure { throw OperationError(noAnswer: failure) }
  }

  func equals(_ other: Value) -> Bool {
    if case .list(let a) = self, case .list(let b) = other { return Self.equal(a.values, b.values) }
    if case .record(let a) = self, case .record(let b) = other { return Self.equal(a, b) }
    return equalsPlain(other)
  }

  private static func equal(_ a: [Value], _ b: [Value]) -> Bool {
    if a.count != b.count { return false }
    for index in a.indices { if !a[index].equals(b[index]) { return false } }
    return true
  }

  private static func equal(_ a: Record, _ b: Record) -> Bool {
    if a.fields.count != b.fields.count { return false }
    for index in a.fields.indices {
      let name = a.fields[index].name
      // Mostly they stand in the same order.
      let isThere = b.fields[index].name == name
      guard let other = isThere ? b.fields[index].value : b[name], a.fields[index].value.equals(other) else { return false }
    }
    return true
  }

  private func equalsPlain(_ other: Value) -> Bool {
    switch (self, other) {
    case (.nothing, .nothing): return true
    case (.bool(let a), .bool(let b)): return a == b
    case (.int(let a), .int(let b)): return a == b
    case (.duration(let a), .duration(let b)): return a == b
    case (.range(let a, let b), .range(let c, let d)): return a == c && b == d
    case (.number, _), (.exact, _), (_, .number), (_, .exact): return comparedAsNumber(to: other) == 0
    default:
      if let a = asText, let b = other.asText { return a == b }
      return false
    }
  }

  /// -1, 0 or 1; for values that have an order among each other.
  func compared(to other: Value) throws(OperationError) -> Int {
    switch (self, other) {
    case (.duration(let a), .duration(let b)): return a < b ? -1 : a == b ? 0 : 1
    case (.bool(let a), .bool(let b)): return a == b ? 0 : a ? 1 : -1
    case _ where isNumber && other.isNumber:
      guard let order = comparedAsNumber(to: other) else { throw OperationError("what is not a number (NaN) cannot be compared") }
      return order
    case (.duration, _) where other.isNumber, (_, .duration) where isNumber:
      throw OperationError(
        "a duration cannot be compared with a number", help: "write a unit: 2s, 500ms; durations that `select` left in a file are seconds")
    default:
      if let a = asText, let b = other.asText { return a < b ? -1 : a == b ? 0 : 1 }
      throw OperationError("\(kind) cannot be compared with \(other.kind): \(preview) and \(other.preview)")
    }
  }

  func apply(_ op: BinaryOperator, _ other: Value) throws(OperationError) -> Value {
    // A reply is its text here, and a failed one has none. Whether it is there at all can always be asked: `r == nothing`.
    if !isNothing, !other.isNothing {
      try answered()
      try other.answered()
    }
    switch op {
    case .equal: return .bool(equals(other))
    case .notEqual: return .bool(!equals(other))
    case .less: return .bool(try compared(to: other) < 0)
    case .lessOrEqual: return .bool(try compared(to: other) <= 0)
    case .greater: return .bool(try compared(to: other) > 0)
    case .greaterOrEqual: return .bool(try compared(to: other) >= 0)
    case .in: return .bool(try other.holds(self))
    case .notIn: return .bool(try !other.holds(self))
    case .contains: return .bool(try holds(other))
    case .matches:
      guard let text = asText, let pattern = other.asText else {
        throw OperationError("`matches` takes a text and a pattern, not \(kind) and \(other.kind)")
      }
      return .bool(try Matching.isFound(pattern, in: text))
    case .add:
      if let a = asText, let b = other.asText { return .text(a + b) }
      if case .list(var list) = self, case .list(let more) = other {
        list.append(contentsOf: more)
        return .list(list)
      }
      if case .record(let a) = self, case .record(let b) = other {
        return .record(b.fields.reduce(into: a) { $0[$1.name] = $1.value })
      }
      if case .reply(let row) = self, case .record(let b) = other {
        if let taken = b.fields.first(where: { ReplyRow.isTaken($0.name) }) {
          throw OperationError(
            "`\(taken.name)` is a reply's own field; a column needs another name", help: "`help fields` lists the names that are taken")
        }
        return .reply(row.adding(b.fields))
      }
      return try arithmetic(op, other)
    case .subtract, .multiply, .divide, .remainder: return try arithmetic(op, other)
    // Decided by the evaluator, since the right side may not run.
    case .and: return try truth() ? .bool(other.truth()) : .bool(false)
    case .or: return try truth() ? .bool(true) : .bool(other.truth())
    }
  }

  private func holds(_ other: Value) throws(OperationError) -> Bool {
    switch self {
    case .list(let list): return list.holds(other)
    case .range(let low, let high):
      guard let least = other.comparedAsNumber(to: .int(low)), let most = other.comparedAsNumber(to: .int(high)) else { return false }
      return least >= 0 && most <= 0
    case .record(let record): return other.asText.map { record[$0] != nil } ?? false
    case .nothing: return false
    default:
      guard let text = asText else { throw OperationError("\(kind) contains nothing: \(preview)") }
      guard other.asText != nil || other.asNumber != nil else { throw OperationError("a text can contain a text, not \(other.kind)") }
      return other.text.isEmpty || text.contains(other.text)
    }
  }

  private func arithmetic(_ op: BinaryOperator, _ other: Value) throws(OperationError) -> Value {
    let (left, right) = (operand, other.operand)
    return try left.computed(op, right)
  }

  /// Without its spelling; true and false count as 1 and 0, as they do in `sum`.
  private var operand: Value {
    switch self {
    case .exact: withoutSpelling
    case .bool(let flag): .int(flag ? 1 : 0)
    default: self
    }
  }

  /// Whether the result has fewer digits than its operands: it was worked out by doubles, past 2^63.
  func losesDigits(_ op: BinaryOperator, _ other: Value, _ result: Value) -> Bool {
    switch op {
    case .add, .subtract, .multiply, .divide, .remainder: break
    default: return false
    }
    if case .exact(let number) = self, number.isLarge { return true }
    if case .exact(let number) = other, number.isLarge { return true }
    if case (.int, .int, .number) = (self, other, result), op != .divide { return true }
    return false
  }

  private func computed(_ op: BinaryOperator, _ other: Value) throws(OperationError) -> Value {
    if case .int(let a) = self, case .int(let b) = other, let whole = try Value.whole(op, a, b) { return .int(whole) }
    if case .duration(let a) = self { return try Value.time(op, a, other) }
    if case .duration(let b) = other, op == .multiply, asNumber != nil { return try Value.time(op, b, self) }
    guard let a = asNumber, let b = other.asNumber, !isDuration, !other.isDuration else {
      var help: String?
      if asText != nil || other.asText != nil { help = "`number(text)` reads a text as a number; a text is joined with \"{…}\"" }
      throw OperationError("`\(op.rawValue)` cannot take \(kind) and \(other.kind): \(preview) \(op.rawValue) \(other.preview)", help: help)
    }
    let result: Double
    switch op {
    case .add: result = a + b
    case .subtract: result = a - b
    case .multiply: result = a * b
    case .divide:
      if b == 0 { throw OperationError("division by zero") }
      result = a / b
    default:
      if b == 0 { throw OperationError("division by zero") }
      result = a.truncatingRemainder(dividingBy: b)
    }
    // Infinity is no number of a file: it would be saved as nothing.
    guard result.isFinite else { throw OperationError("`\(text) \(op.rawValue) \(other.text)` is out of range") }
    return .number(result)
  }

  private var isDuration: Bool { if case .duration = self { true } else { false } }

  /// Nil where the result is not whole or does not fit: the caller goes on with fractions.
  private static func whole(_ op: BinaryOperator, _ a: Int, _ b: Int) throws(OperationError) -> Int? {
    let result: (partialValue: Int, overflow: Bool)
    switch op {
    case .add: result = a.addingReportingOverflow(b)
    case .subtract: result = a.subtractingReportingOverflow(b)
    case .multiply: result = a.multipliedReportingOverflow(by: b)
    default:
      if b == 0 { throw OperationError("division by zero") }
      let remainder = a.remainderReportingOverflow(dividingBy: b)
      if op == .remainder { return remainder.overflow ? 0 : remainder.partialValue }
      guard !remainder.overflow, remainder.partialValue == 0 else { return nil }
      result = a.dividedReportingOverflow(by: b)
    }
    return result.overflow ? nil : result.partialValue
  }

  private static func bounded(_ duration: Duration) throws(OperationError) -> Duration {
    guard duration.seconds.magnitude < 1e12 else { throw OperationError("the duration is out of range") }
    return duration
  }

  /// A duration of so many seconds, to the microsecond.
  static func duration(seconds: Double) throws(OperationError) -> Value {
    guard seconds.magnitude < 1e12 else { throw OperationError("the duration is out of range") }
    return .duration(.microseconds(Int64((seconds * 1e6).rounded())))
  }

  private static func time(_ op: BinaryOperator, _ a: Duration, _ other: Value) throws(OperationError) -> Value {
    switch (op, other) {
    case (.add, .duration(let b)): return try .duration(bounded(a + b))
    case (.subtract, .duration(let b)): return try .duration(bounded(a - b))
    case (.divide, .duration(let b)):
      if b == .zero { throw OperationError("division by zero") }
      return .number(a.seconds / b.seconds)
    case (.multiply, .int), (.multiply, .number), (.divide, .int), (.divide, .number):
      guard let factor = other.asNumber, op == .multiply || factor != 0 else { throw OperationError("division by zero") }
      let seconds = op == .multiply ? a.seconds * factor : a.seconds / factor
      return try .duration(seconds: seconds)
    default: throw OperationError("`\(op.rawValue)` cannot take a duration and \(other.kind)", help: "write a unit: 2s, 500ms")
    }
  }
}
