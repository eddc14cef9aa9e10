import Language

extension CommandDefinition {
  static let sample = CommandDefinition(
    name: "sample", group: .data, summary: "some rows at random, in their order", usage: ["rows | sample 10 --seed 7"], arguments: 2...2,
    takesInput: true,
    flags: [FlagDefinition(name: "seed", summary: "makes the choice repeatable", accepts: .whole(Int.min ... .max))],
    examples: ["1..100 | sample 3 --seed 7"]
  ) { call in
    let (stream, rest) = try await call.rows()
    // Before any row is made: a slip here is found before anything is paid for.
    var random = try await call.random()
    let count = try await call.countArgument(rest)
    let values = try await stream.collect(named: call.jobName)
    let chosen = values.indices.shuffled(using: &random).prefix(count).sorted()
    return .value(.list(chosen.map { values[$0] }))
  }
}
