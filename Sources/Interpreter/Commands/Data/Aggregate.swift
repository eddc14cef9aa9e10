import Language

extension Value {
  /// A record's fields; of a reply, those that `save` writes.
  var recordFields: [(name: String, value: Value)] {
    switch self {
    case .record(let record): record.fields
    case .reply(let row): ReplyField.all.map { ($0.name, $0.read(row)) } + row.data
    default: [("value", self)]
    }
  }
}

/// `mean(latency)`: a function over the values of an expression for each row.
struct Aggregate: Sendable {
  var name: String
  /// As it is written: `mean(correct)`.
  var words: String
  var function: String
  var argument: Expression?
  let tally = AggregateTally()
}

extension Invocation {
  func aggregate(_ expression: Expression) throws -> Aggregate {
    if let aggregate = Columns.aggregate(expression, context.source) { return aggregate }
    throw error(
      "an aggregate was expected: mean(latency)", at: expression.span,
      help: "there is: \(Functions.aggregateNames.sorted().joined(separator: ", "))")
  }

  /// - Parameter group: what the rows have in common, for telling of those that were left out.
  func apply(_ aggregate: Aggregate, _ rows: [Value], group: String, _ context: Context) async throws -> Value {
    guard let argument = aggregate.argument else { return .int(rows.count) }
    let tally = RuleTally()
    let words = context.source.text(argument.span)
    let readsUsage = words.contains("tokens") || words.contains("usage")
    var values: [Value] = []
    for (index, row) in rows.enumerated() {
      let inner = context.inRow(Row(index: index, value: row))
      let outcome = try await tally.outcome(for: row, at: index) { try await inner.value(argument) }
      aggregate.tally.add(outcome, row, group, readsUsage: readsUsage)
      if case .value(let value) = outcome { values.append(value) } else { values.append(.nothing) }
    }
    aggregate.tally.note(tally.counts.firstProblem)
    guard let function = Functions.named(aggregate.function) else { return .nothing }
    return try context.located(argument.span) { () throws(OperationError) in try function.run([.list(values)], session) }
  }
}
