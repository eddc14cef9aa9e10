import Language
import Threads

extension CommandDefinition {
  static let `where` = CommandDefinition(
    name: "where", group: .data, summary: "keeps the rows for which an expression is true",
    usage: ["rows | where latency > 2s and not failed"],
    arguments: 2...2, takesInput: true, takesRowExpressions: true,
    onlyReads: true, steers: .behind, examples: ["1..10 | where it % 2 == 0", "map 1..3 \"A fact about {it}.\" | where not failed | count"]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 1, let condition = rest.first else {
      throw call.error("`where` takes one expression", at: rest.dropFirst().first?.span, help: "rows | where a > 1 and b < 2")
    }
    return .rows(stream.adding(FilterStage(condition: condition)))
  }
}
