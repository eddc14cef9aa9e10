import Language

extension CommandDefinition {
  static let sort = CommandDefinition(
    name: "sort", group: .data, summary: "rows in the order of a field; - before it turns the order round",
    usage: ["rows | sort latency", "rows | sort -latency input"],
    arguments: 1...99, takesInput: true, takesRowExpressions: true, onlyReads: true, steers: .behind,
    examples: ["[3, 1, 2] | sort", "[{n: 1}, {n: 2}] | sort -n"]
  ) { call in
    let (values, rest) = try await call.values()
    let context = call.context(for: values)
    var keyed: [(keys: [Value], value: Value)] = []
    var keys: [(expression: Expression, isDescending: Bool)] = []
    for expression in rest {
      if case .unary(.minus, let inner) = expression.node { keys.append((inner, true)) } else { keys.append((expression, false)) }
    }
    let tallies = keys.map { _ in RuleTally() }
    for (index, value) in values.enumerated() {
      var row: [Value] = keys.isEmpty ? [value.failure == nil ? value : .nothing] : []
      let inner = context.inRow(Row(index: index, value: value))
      for (key, tally) in zip(keys, tallies) {
        row.append(try await tally.value(for: value, at: index) { try await inner.value(key.expression) })
      }
      keyed.append((row, value))
    }
    for (key, tally) in zip(keys, tallies) {
      try tally.finish("sort \(call.context.source.text(key.expression.span))", "last", call.context)
    }
    let directions = keys.isEmpty ? [false] : keys.map(\.isDescending)
    var problem: OperationError?
    // Stable: rows that are equal keep their order. Missing values come last, whichever way.
    let sorted = keyed.enumerated().sorted { a, b in
      for (index, isDescending) in directions.enumerated() {
        let (x, y) = (a.element.keys[index], b.element.keys[index])
        switch (x, y) {
        case (.nothing, .nothing): continue
        case (.nothing, _): return false
        case (_, .nothing): return true
        default: break
        }
        do throws(OperationError) {
          let order = try x.compared(to: y)
          if order != 0 { return isDescending ? order > 0 : order < 0 }
        } catch { problem = problem ?? error }
      }
      return a.offset < b.offset
    }
    if let problem { throw call.error(problem.message, at: rest.first?.span, help: problem.help) }
    return .value(.list(sorted.map(\.element.value)))
  }
}
