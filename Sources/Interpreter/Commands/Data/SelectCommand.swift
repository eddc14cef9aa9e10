import Language
import Threads

extension CommandDefinition {
  static let select = CommandDefinition(
    name: "select", group: .data, summary: "makes a record of each row with just these columns",
    usage: ["rows | select input text latency", "rows | select name (expression)"],
    arguments: 2...99, takesInput: true, takesRowExpressions: true,
    onlyReads: true, steers: .behind, examples: ["map 1..3 \"A fact about {it}.\" | select input text latency"]
  ) { call in
    let (stream, rest) = try await call.rows()
    let columns = Columns.selected(rest, call.context.source)
    if columns.isEmpty { throw call.error("`select` needs the names of columns") }
    return .rows(stream.adding(SelectStage(columns: columns)))
  }
}
