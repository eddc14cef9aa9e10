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
    let tally = RuleTally()
    /// Nil for a row without a key: it is like no other.
    func key(_ row: Value, _ index: Int, _ context: Context) async throws -> [ValueKey]? {
      let inner = context.inRow(Row(index: index, value: row))
      var key: [ValueKey] = []
      for expression in keys {
        let value = try await tally.value(for: row, at: index) { try await inner.value(expression) }
        if value.isNothing { return nil }
        key.append(ValueKey(value))
      }
      return key
    }
    let keyNames = Set(keys.map { call.context.source.text($0.span) })
    var places: [[ValueKey]: Record] = [:]
    var doubles = 0
    // Every row gets the same columns, whether or not there is a row for it.
    var added: [String] = []
    var seen = keyNames
    let otherContext = call.context(for: elements)
    for (index, element) in elements.enumerated() {
      let record = Record(element.recordFields)
      for field in record.fields where seen.insert(field.name).inserted { added.append(field.name) }
      if let key = try await key(element, index, otherContext) {
        if places.updateValue(record, forKey: key) != nil { doubles += 1 }
      }
    }
    let context = call.context(for: values)
    var joined: [Value] = []
    var doubled: [String] = []
    for (index, value) in values.enumerated() {
      let found = try await key(value, index, context).flatMap { places[$0] }
      var record = Record(value.recordFields)
      var names = Set(record.fields.map(\.name))
      for added in added {
        let name = Join.name(added, besides: names)
        if name != added, !doubled.contains(added) { doubled.append(added) }
        names.insert(name)
        record.append(name, found?[added] ?? .nothing)
      }
      record.failure = value.failure
      joined.append(.record(record))
    }
    try tally.finish("join", "joined with nothing", call.context)
    if doubles > 0 {
      call.context.tell(
        "join: \(RuleTally.rows(doubles)) of the other list left out: a later one has the same key, and each row is joined with one")
    }
    if !doubled.isEmpty {
      call.session.noteOnce(
        "both lists have " + doubled.prefix(5).map { "`\($0)`" }.joined(separator: ", ") + (doubled.count > 5 ? " …" : "")
          + "; the second's is `\(doubled[0]).2`, in an expression it[\"\(doubled[0]).2\"]")
    }
    return .value(.list(joined))
  }
}

private enum Join {
  /// `text`, or where there is one already, `text.2`, `text.3` …
  static func name(_ name: String, besides names: Set<String>) -> String {
    if !names.contains(name) { return name }
    var number = 2
    while names.contains("\(name).\(number)") { number += 1 }
    return "\(name).\(number)"
  }
}
