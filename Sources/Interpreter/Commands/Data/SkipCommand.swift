import Language

extension CommandDefinition {
  static let skip = CommandDefinition(
    name: "skip", group: .data, summary: "all but the first rows", usage: ["rows | skip 5"], arguments: 2...2, takesInput: true,
    onlyReads: true, steers: .behind, examples: ["1..5 | skip 3"]
  ) { call in
    let (stream, rest) = try await call.rows()
    return try await call.ordered(stream, .skip(try await call.countArgument(rest)))
  }
}
