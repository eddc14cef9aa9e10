import Language
import Threads

extension CommandDefinition {
  static let flatten = CommandDefinition(
    name: "flatten", group: .data, summary: "the elements of lists within a list, one level", usage: ["lists | flatten"], arguments: 1...1,
    takesInput: true,
    examples: ["[[1, 2], [3]] | flatten"]
  ) { call in
    let values = try await call.values().values
    return .value(.list(values.flatMap { $0.elements ?? [$0] }))
  }
}
