import Language
import Threads

extension CommandDefinition {
  static let take = CommandDefinition(
    name: "take", group: .data, summary: "the first rows", usage: ["rows | take 5"], arguments: 2...2, takesInput: true,
    steers: .behind, examples: ["1..100 | take 3"]
  ) { call in
    let (values, rest) = try await call.values()
    return .value(.list(Array(values.prefix(try await call.countArgument(rest)))))
  }
}
