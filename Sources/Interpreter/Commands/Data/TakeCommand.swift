import Language

extension CommandDefinition {
  static let take = CommandDefinition(
    name: "take", group: .data, summary: "the first rows", usage: ["rows | take 5"], arguments: 2...2, takesInput: true,
    onlyReads: true, steers: .behind, examples: ["1..100 | take 3"]
  ) { call in
    let (stream, rest) = try await call.rows()
    return try await call.ordered(stream, .take(try await call.countArgument(rest)))
  }
}
