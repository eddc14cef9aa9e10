import Language

extension CommandDefinition {
  static let unique = CommandDefinition(
    name: "unique", group: .data, summary: "each value once, the first of its kind", usage: ["rows | unique", "rows | unique field"],
    arguments: 1...2, takesInput: true,
    takesRowExpressions: true, examples: ["[1, 2, 1] | unique"]
  ) { call in
    let (values, rest) = try await call.values()
    let context = call.context(for: values)
    var seen: Set<ValueKey> = []
    var kept: [Value] = []
    let tally = RuleTally()
    for (index, value) in values.enumerated() {
      var key = value
      if let expression = rest.first {
        key = try await tally.value(for: value, at: index) {
          try await context.inRow(Row(index: index, value: value)).value(expression)
        }
        // Rows that have no key are not alike.
        if key.isNothing {
          kept.append(value)
          continue
        }
      }
      if seen.insert(ValueKey(key)).inserted { kept.append(value) }
    }
    try tally.finish("unique", "all kept", call.context)
    return .value(.list(kept))
  }
}
