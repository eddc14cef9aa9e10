import Language

extension CommandDefinition {
  static let shuffle = CommandDefinition(
    name: "shuffle", group: .data, summary: "rows in a random order", usage: ["rows | shuffle --seed 7"], arguments: 1...1,
    takesInput: true,
    flags: [FlagDefinition(name: "seed", summary: "makes the order repeatable", accepts: .whole(Int.min ... .max))],
    examples: ["1..5 | shuffle --seed 7"]
  ) { call in
    var random = try await call.random()
    return .value(.list(try await call.values().values.shuffled(using: &random)))
  }
}
