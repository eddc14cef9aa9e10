import Language
import Threads

extension CommandDefinition {
  static let select = CommandDefinition(
    name: "select", group: .data, summary: "makes a record of each row with just these columns",
    usage: ["rows | select input text latency", "rows | select name (expression)"],
    arguments: 2...99, takesInput: true, takesRowExpressions: true,
    steers: .behind, examples: ["map 1..3 \"A fact about {it}.\" | select input text latency"]
  ) { call in
    let (stream, rest) = try await call.rows()
    var columns: [(name: String, value: Expression)] = []
    var left = rest
    while let expression = left.popFirst() {
      let words = call.context.source.text(expression.span)
      switch expression.node {
      case .name(let name):
        // `name (expression)` is a column of that name.
        let isComputed = left.first.map { call.context.source.text($0.span).hasPrefix("(") } ?? false
        columns.append((name, isComputed ? left.removeFirst() : expression))
      case .field(_, let name): columns.append((columns.contains { $0.name == name } ? words : name, expression))
      default:
        columns.append((words, expression))
      }
    }
    if columns.isEmpty { throw call.error("`select` needs the names of columns") }
    return .rows(stream.adding(SelectStage(columns: columns)))
  }
}
