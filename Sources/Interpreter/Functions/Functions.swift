import Language

/// A built-in function.
public struct Function: Sendable {
  public var name: String
  /// How it is called, e.g. `len(x)`.
  public var usage: String
  public var summary: String
  var accepts: ClosedRange<Int>
  /// It gives another value each time.
  var isOfTheMoment = false
  var run: @Sendable ([Value], Session) throws(OperationError) -> Value

  /// What is nothing in the list it is given does not count, and that is told.
  var leavesNothingOut: Bool { name == "joined" || name != "count" && Functions.aggregateNames.contains(name) }

  var arity: String {
    accepts.lowerBound == accepts.upperBound
      ? accepts.lowerBound == 1 ? "one argument" : "\(accepts.lowerBound) arguments"
      : "\(accepts.lowerBound) to \(accepts.upperBound) arguments"
  }
}

/// The built-in functions, by what they work on.
public enum Functions {
  public static let all: [Function] = aggregates + texts + lists + numbers + others
  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
  public static let names = all.map(\.name)

  public static func named(_ name: String) -> Function? { byName[name] }

  static func make(
    _ usage: String, _ summary: String, _ accepts: ClosedRange<Int>,
    _ run: @escaping @Sendable ([Value]) throws(OperationError) -> Value
  ) -> Function {
    let name = String(usage.prefix { $0 != "(" })
    return Function(name: name, usage: usage, summary: summary, accepts: accepts) { (values, _) throws(OperationError) in try run(values) }
  }

  static func text(_ value: Value, _ function: String) throws(OperationError) -> String {
    try value.answered()
    guard let text = value.asText else {
      throw OperationError("`\(function)` takes a text, not \(value.kind): \(value.preview)", help: "`text(x)` makes one of anything")
    }
    return text
  }

  static func list(_ value: Value, _ function: String) throws(OperationError) -> [Value] {
    guard let elements = value.elements else { throw OperationError("`\(function)` takes a list, not \(value.kind): \(value.preview)") }
    return elements
  }

  static func whole(_ value: Value, _ function: String) throws(OperationError) -> Int {
    guard case .int(let whole) = value else {
      throw OperationError("`\(function)` takes a whole number, not \(value.kind): \(value.preview)")
    }
    return whole
  }
}
