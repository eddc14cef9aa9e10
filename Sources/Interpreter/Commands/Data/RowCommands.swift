import Language
import Synchronization

extension CommandDefinition {
  static let `where` = CommandDefinition(
    name: "where", group: .data, summary: "keeps the rows for which an expression is true",
    usage: ["rows | where latency > 2s and not failed"],
    arguments: 2...2, takesInput: true, takesRowExpressions: true,
    examples: ["1..10 | where it % 2 == 0", "map 1..3 \"A fact about {it}.\" | where not failed | count"]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 1, let condition = rest.first else {
      throw call.error("`where` takes one expression", at: rest.dropFirst().first?.span, help: "rows | where a > 1 and b < 2")
    }
    return .rows(stream.adding(FilterStage(condition: condition)))
  }

  static let add = CommandDefinition(
    name: "add", group: .data, summary: "gives every row a column more", usage: ["rows | add name (expression)", "rows | add name { … }"],
    arguments: 3...3,
    takesInput: true, takesRowExpressions: true,
    examples: ["1..3 | add square (it * it)", "map 1..2 \"A fact about {it}.\" | add long { len(text) > 20 }"]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 2, let column = rest.first, let body = rest.last, case .name(let name) = column.node else {
      throw call.error("`add` takes a column's name and an expression", help: "rows | add correct { it.text contains it.answer }")
    }
    return .rows(stream.adding(AddStage(column: name, body: body)))
  }

  static let select = CommandDefinition(
    name: "select", group: .data, summary: "makes a record of each row with just these columns",
    usage: ["rows | select input text latency", "rows | select name (expression)"],
    arguments: 2...99, takesInput: true, takesRowExpressions: true,
    examples: ["map 1..3 \"A fact about {it}.\" | select input text latency"]
  ) { call in
    let (stream, rest) = try await call.rows()
    var columns: [(name: String, value: Expression)] = []
    for expression in rest {
      switch expression.node {
      case .name(let name): columns.append((name, expression))
      case .field(_, let name): columns.append((name, expression))
      default:
        // What is computed takes the place of the name before it.
        columns.append((call.context.source.text(expression.span), expression))
      }
    }
    if columns.isEmpty { throw call.error("`select` needs the names of columns") }
    return .rows(stream.adding(SelectStage(columns: columns)))
  }

  static let take = CommandDefinition(
    name: "take", group: .data, summary: "the first rows", usage: ["rows | take 5"], arguments: 2...2, takesInput: true,
    examples: ["1..100 | take 3"]
  ) { call in
    let (values, rest) = try await call.values()
    return .value(.list(Array(values.prefix(try await call.countArgument(rest)))))
  }

  static let skip = CommandDefinition(
    name: "skip", group: .data, summary: "all but the first rows", usage: ["rows | skip 5"], arguments: 2...2, takesInput: true,
    examples: ["1..5 | skip 3"]
  ) { call in
    let (values, rest) = try await call.values()
    return .value(.list(Array(values.dropFirst(try await call.countArgument(rest)))))
  }

  static let count = CommandDefinition(
    name: "count", group: .data, summary: "how many rows there are", usage: ["rows | count"], arguments: 1...1, takesInput: true,
    examples: ["1..10 | where it > 3 | count"]
  ) { call in
    let counter = Counter()
    try await call.rows().stream.forEach(named: call.jobName) { _ in counter.add() }
    return .value(.int(counter.value))
  }

  static let flatten = CommandDefinition(
    name: "flatten", group: .data, summary: "the elements of lists within a list, one level", usage: ["lists | flatten"], arguments: 1...1,
    takesInput: true,
    examples: ["[[1, 2], [3]] | flatten"]
  ) { call in
    let values = try await call.values().values
    return .value(.list(values.flatMap { $0.elements ?? [$0] }))
  }
}

extension Invocation {
  func countArgument(_ rest: ArraySlice<Expression>) async throws -> Int {
    guard let expression = rest.first, rest.count == 1 else {
      throw error("`\(definition.name)` takes how many rows: \(definition.usage[0])")
    }
    let value = try await context.value(expression)
    guard case .int(let count) = value, count >= 0 else {
      throw error("`\(definition.name)` takes a whole number from 0, not \(value.preview)", at: expression.span)
    }
    return count
  }
}

private final class Counter: Sendable {
  private let count = Mutex(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}
