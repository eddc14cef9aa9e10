import Language

extension CommandDefinition {
  static let join = CommandDefinition(
    name: "join", group: .data,
    summary:
      "adds the fields of the row of another list that has the same keys, of several the last; one that both have is kept as `NAME.2`",
    usage: ["rows | join others key", "rows | join others key key"], arguments: 3...99, takesInput: true,
    takesRowExpressions: true, onlyReads: true, examples: ["[{id: 1, a: \"x\"}] | join [{id: 1, b: \"y\"}] id"]
  ) { call in
    let (stream, rest) = try await call.rows()
    guard rest.count >= 2, let first = rest.first else {
      throw call.error("`join` takes a list and a key: \(call.definition.usage[0])")
    }
    let keys = rest.dropFirst()
    let others = try await call.context.value(first)
    guard let elements = others.elements else { throw call.error("`join` takes a list, not \(others.kind)", at: first.span) }
    // The other list first: a file that is not there is told before anything is paid for.
    let values = try await stream.collect(named: call.jobName)
    let context = call.context(for: values)
    let names = keys.map { context.source.text($0.span) }
    let stage = try await JoinStage(keys: Array(keys), named: Set(names), others: elements, call.context(for: elements))
    let program = RowStream(source: ListSource(values), stages: [stage], context: context)
    let joined = try await program.collect(named: nil)
    if stage.leftOut > 0 {
      call.context.tell(
        "join: \(RuleTally.rows(stage.leftOut)) of the other list left out: a later one has the same key, and each row is joined with one")
    }
    let doubled = stage.doubled
    if !doubled.isEmpty {
      call.session.noteOnce(
        "both lists have " + doubled.prefix(5).map { "`\($0)`" }.joined(separator: ", ") + (doubled.count > 5 ? " …" : "")
          + "; the second's is `\(doubled[0]).2`, in an expression it[\"\(doubled[0]).2\"]")
    }
    return .value(.list(joined))
  }
}

enum Join {
  /// `text`, or where there is one already, `text.2`, `text.3` …
  static func name(_ name: String, besides names: Set<String>) -> String {
    if !names.contains(name) { return name }
    var number = 2
    while names.contains("\(name).\(number)") { number += 1 }
    return "\(name).\(number)"
  }
}
