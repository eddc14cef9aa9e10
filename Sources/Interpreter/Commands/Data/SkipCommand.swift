import Language
import Threads

extension CommandDefinition {
  static let skip = CommandDefinition(
    name: "skip", group: .data, summary: "all but the first rows", usage: ["rows | skip 5"], arguments: 2...2, takesInput: true,
    steers: .behind, examples: ["1..5 | skip 3"]
  ) { call in
    let (values, rest) = try await call.values()
    return .value(.list(Array(values.dropFirst(try await call.countArgument(rest)))))
  }
}
