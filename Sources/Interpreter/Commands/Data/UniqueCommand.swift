import Language

extension CommandDefinition {
  static let unique = CommandDefinition(
    name: "unique", group: .data, summary: "each value once, the first of its kind", usage: ["rows | unique", "rows | unique field"],
    arguments: 1...2, takesInput: true,
    takesRowExpressions: true, examples: ["[1, 2, 1] | unique"]
  ) { call in
    let (values, rest) = try await call.values()
    var seen: Set<String> = []
    var kept: [Value] = []
    for (index, value) in values.enumerated() {
      let key =
        if let expression = rest.first { try await call.context.inRow(Row(index: index, value: value)).value(expression) } else { value }
      if seen.insert(key.quoted).inserted { kept.append(value) }
    }
    return .value(.list(kept))
  }
}
