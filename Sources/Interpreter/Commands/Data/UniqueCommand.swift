import Language

extension CommandDefinition {
  static let unique = CommandDefinition(
    name: "unique", group: .data, summary: "each value once, the first of its kind", usage: ["rows | unique", "rows | unique field"],
    arguments: 1...2, takesInput: true,
    takesRowExpressions: true, onlyReads: true, examples: ["[1, 2, 1] | unique"]
  ) { call in
    let (stream, rest) = try await call.rows()
    return try await call.ordered(stream, .unique(rest.first, stream.context))
  }
}
