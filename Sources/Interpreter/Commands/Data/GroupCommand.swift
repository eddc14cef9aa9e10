import Language

extension CommandDefinition {
  static let group = CommandDefinition(
    name: "group", group: .data, summary: "rows by the values of fields; each group has the fields and its `rows`",
    usage: ["rows | group model", "rows | group model prompt"],
    arguments: 2...99, takesInput: true, takesRowExpressions: true,
    onlyReads: true, examples: ["[{a: 1, b: 2}, {a: 1, b: 3}] | group a | summarize sum(b)"]
  ) { call in
    let (values, rest) = try await call.values()
    let context = call.context(for: values)
    let names = rest.map { Columns.name(of: $0, call.context.source) }
    var places: [[ValueKey]: Int] = [:]
    var groups: [(keys: [Value], rows: [Value])] = []
    let tallies = rest.map { _ in RuleTally() }
    for (index, value) in values.enumerated() {
      let inner = context.inRow(Row(index: index, value: value))
      var keys: [Value] = []
      for (expression, tally) in zip(rest, tallies) {
        keys.append(try await tally.value(for: value, at: index) { try await inner.value(expression) })
      }
      let label = keys.map(ValueKey.init)
      if let place = places[label] {
        groups[place].rows.append(value)
      } else {
        places[label] = groups.count
        groups.append((keys, [value]))
      }
    }
    for (name, tally) in zip(names, tallies) { try tally.finish("group \(name)", "in the group `nothing`", call.context) }
    return .value(
      .list(
        groups.map { group in
          .record(Record(zip(names, group.keys).map { ($0, $1) } + [("count", .int(group.rows.count)), ("rows", .list(group.rows))]))
        }))
  }
}
