import Language

extension CommandDefinition {
  static let join = CommandDefinition(
    name: "join", group: .data, summary: "adds the fields of the row of another list that has the same key",
    usage: ["rows | join others key"], arguments: 3...3, takesInput: true,
    takesRowExpressions: true, examples: ["[{id: 1, a: \"x\"}] | join [{id: 1, b: \"y\"}] id"]
  ) { call in
    let (values, rest) = try await call.values()
    guard rest.count == 2, let keyExpression = rest.last, let first = rest.first else {
      throw call.error("`join` takes a list and a key: \(call.definition.usage[0])")
    }
    let others = try await call.context.value(first)
    guard let elements = others.elements else { throw call.error("`join` takes a list, not \(others.kind)", at: first.span) }
    var byKey: [String: Value] = [:]
    let tally = RuleTally()
    /// Nil for a row without a key: it is like no other.
    func key(of value: Value, _ index: Int) async throws -> String? {
      let found = try await tally.value(for: value) { try await call.context.inRow(Row(index: index, value: value)).value(keyExpression) }
      return found.isNothing ? nil : found.quoted
    }
    for (index, element) in elements.enumerated() {
      if let key = try await key(of: element, index) { byKey[key] = element }
    }
    var joined: [Value] = []
    for (index, value) in values.enumerated() {
      let found = try await key(of: value, index).flatMap { byKey[$0] }
      var record = Record(value.recordFields)
      for field in found?.recordFields ?? [] where record[field.name] == nil { record[field.name] = field.value }
      joined.append(.record(record))
    }
    try tally.finish("join", "joined with nothing", call.context)
    return .value(.list(joined))
  }
}
