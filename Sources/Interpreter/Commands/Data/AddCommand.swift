import Language
import Threads

extension CommandDefinition {
  static let add = CommandDefinition(
    name: "add", group: .data, summary: "gives every row a column more", usage: ["rows | add name (expression)", "rows | add name { … }"],
    arguments: 3...3,
    takesInput: true, takesRowExpressions: true,
    onlyReads: true, examples: ["1..3 | add square (it * it)", "map 1..2 \"A fact about {it}.\" | add long { len(text) > 20 }"]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count == 2, let column = rest.first, let body = rest.last, case .name(let name) = column.node else {
      throw call.error("`add` takes a column's name and an expression", help: "rows | add correct { it.text contains it.answer }")
    }
    let stage = AddStage(column: Name(text: name, span: column.span), body: body)
    if stream.stages.contains(where: { $0 is MapStage }) { try stage.checkName(call.context) }
    return .rows(stream.adding(stage))
  }
}
