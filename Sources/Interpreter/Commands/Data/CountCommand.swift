import Language
import Threads

extension CommandDefinition {
  static let count = CommandDefinition(
    name: "count", group: .data, summary: "how many rows there are", usage: ["rows | count"], arguments: 1...1, takesInput: true,
    onlyReads: true, steers: .behind, examples: ["1..10 | where it > 3 | count"]
  ) { call in
    let counter = Counter()
    try await call.rows().stream.forEach(named: call.jobName) { _ in counter.add() }
    return .value(.int(counter.value))
  }
}
