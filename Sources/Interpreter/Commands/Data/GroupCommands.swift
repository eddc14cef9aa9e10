import Language

extension CommandDefinition {
  static let group = CommandDefinition(
    name: "group", group: .data, summary: "rows by the values of fields; each group has the fields and its `rows`",
    usage: ["rows | group model", "rows | group model prompt"],
    arguments: 2...99, takesInput: true, takesRowExpressions: true,
    examples: ["[{a: 1, b: 2}, {a: 1, b: 3}] | group a | summarize sum(b)"]
  ) { call in
    let (values, rest) = try await call.values()
    let names = rest.map { expression -> String in
      if case .name(let name) = expression.node { return name }
      if case .field(_, let name) = expression.node { return name }
      return call.context.source.text(expression.span)
    }
    var places: [String: Int] = [:]
    var groups: [(keys: [Value], rows: [Value])] = []
    for (index, value) in values.enumerated() {
      let inner = call.context.inRow(Row(index: index, value: value))
      var keys: [Value] = []
      for expression in rest { keys.append(try await inner.value(expression)) }
      let label = keys.map(\.quoted).joined(separator: "\u{0}")
      if let place = places[label] {
        groups[place].rows.append(value)
      } else {
        places[label] = groups.count
        groups.append((keys, [value]))
      }
    }
    return .value(
      .list(
        groups.map { group in
          .record(Record(zip(names, group.keys).map { ($0, $1) } + [("count", .int(group.rows.count)), ("rows", .list(group.rows))]))
        }))
  }

  static let summarize = CommandDefinition(
    name: "summarize", group: .data,
    summary: "aggregates over rows, or over each group of `group`: count sum mean median min max p50 p95 p99 stdev",
    usage: ["rows | summarize mean(latency) p95(latency)", "rows | group model | summarize mean(correct) sum(tokens)"], arguments: 2...99,
    takesInput: true,
    takesRowExpressions: true, examples: ["map 1..4 \"A fact about {it}.\" | summarize mean(tokens) max(tokens) count()"]
  ) { call in
    let (values, rest) = try await call.values()
    let aggregates = try rest.map { try call.aggregate($0) }
    var groups: [(keys: Record, rows: [Value])] = []
    for value in values {
      guard case .record(var record) = value, case .list(let rows)? = record["rows"] else {
        groups = []
        break
      }
      record["rows"] = nil
      record["count"] = nil
      groups.append((record, rows))
    }
    let isGrouped = !groups.isEmpty
    if !isGrouped { groups = [(Record(), values)] }
    var results: [Value] = []
    for (keys, rows) in groups {
      var record = keys
      for aggregate in aggregates { record[aggregate.name] = try await call.apply(aggregate, rows) }
      results.append(.record(record))
    }
    return .value(isGrouped ? .list(results) : results[0])
  }

  static let join = CommandDefinition(
    name: "join", group: .data, summary: "adds the fields of the row of another list that has the same key",
    usage: ["rows | join others key"], arguments: 3...3, takesInput: true,
    takesRowExpressions: true, examples: ["[{id: 1, a: \"x\"}] | join [{id: 1, b: \"y\"}] id"]
  ) { call in
    let (values, rest) = try await call.values()
    guard rest.count == 2, let key = rest.last, let first = rest.first else {
      throw call.error("`join` takes a list and a key: \(call.definition.usage[0])")
    }
    let others = try await call.context.value(first)
    guard let elements = others.elements else { throw call.error("`join` takes a list, not \(others.kind)", at: first.span) }
    var byKey: [String: Value] = [:]
    for (index, element) in elements.enumerated() {
      byKey[try await call.context.inRow(Row(index: index, value: element)).value(key).quoted] = element
    }
    var joined: [Value] = []
    for (index, value) in values.enumerated() {
      let found = byKey[try await call.context.inRow(Row(index: index, value: value)).value(key).quoted]
      var record = Record(value.recordFields)
      for field in found?.recordFields ?? [] where record[field.name] == nil { record[field.name] = field.value }
      joined.append(.record(record))
    }
    return .value(.list(joined))
  }
}

extension Value {
  /// A record's fields; of a reply, those that `save` writes.
  var recordFields: [(name: String, value: Value)] {
    switch self {
    case .record(let record): record.fields
    case .reply(let row): row.fieldNames.compactMap { name in row.field(name).map { (name, $0) } }
    default: [("value", self)]
    }
  }
}

/// `mean(latency)`: a function over the values of an expression for each row.
struct Aggregate: Sendable {
  var name: String
  var function: String
  var argument: Expression?
}

extension Invocation {
  func aggregate(_ expression: Expression) throws -> Aggregate {
    guard case .call(let callee, let arguments) = expression.node, case .name(let function) = callee.node,
      Functions.aggregateNames.contains(function),
      arguments.count == 1 || (arguments.isEmpty && function == "count")
    else {
      throw error(
        "an aggregate was expected: mean(latency)", at: expression.span,
        help: "there is: \(Functions.aggregateNames.sorted().joined(separator: ", "))")
    }
    let argument = arguments.first?.value
    let inner = argument.map { context.source.text($0.span) } ?? ""
    return Aggregate(
      name: inner.isEmpty ? function : "\(function)_\(inner.replacing(".", with: "_"))", function: function, argument: argument)
  }

  func apply(_ aggregate: Aggregate, _ rows: [Value]) async throws -> Value {
    guard let argument = aggregate.argument else { return .int(rows.count) }
    var values: [Value] = []
    for (index, row) in rows.enumerated() { values.append(try await context.inRow(Row(index: index, value: row)).value(argument)) }
    guard let function = Functions.named(aggregate.function) else { return .nothing }
    return try context.located(argument.span) { () throws(OperationError) in try function.run([.list(values)], session) }
  }
}
