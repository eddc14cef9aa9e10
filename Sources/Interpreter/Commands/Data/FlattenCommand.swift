import Language

extension CommandDefinition {
  static let flatten = CommandDefinition(
    name: "flatten", group: .data, summary: "the elements of lists within a list, one level", usage: ["lists | flatten"], arguments: 1...1,
    takesInput: true,
    onlyReads: true, examples: ["[[1, 2], [3]] | flatten"]
  ) { call in
    try await call.ordered(try await call.rows().stream, .flatten)
  }
}
