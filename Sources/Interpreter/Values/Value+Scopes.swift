import Language

/// What a value holds of the scope that it comes from. A function's scope holds its variables, and what these hold may hold the scope:
/// a function defined in it, a row that was made in it. So it has to be let go of by hand when the function is over.
extension Value {
  private var inside: Inside? {
    switch self {
    case .list(let list): list.inside
    case .record(let record): record.inside
    case .reply(let row): row.inside
    default: nil
    }
  }

  /// Whether a function or a prompt is in it.
  var holdsCode: Bool {
    switch self {
    case .function, .prompt: true
    default: inside?.holdsCode ?? false
    }
  }

  /// Whether it is a row that knows how it is made again, or has one in it.
  var holdsOrigins: Bool { origin != nil || lacking != nil || inside?.holdsOrigins ?? false }

  /// Without a scope, where it is that one: what is kept in the scope itself is given it back when it is read there.
  func detached(from scope: Scope) -> Value { holdsCode ? replacing(scope, by: .nowhere) : self }

  /// As it was before.
  func attached(to scope: Scope) -> Value { holdsCode ? replacing(.nowhere, by: scope) : self }

  private func replacing(_ old: Scope, by new: Scope) -> Value {
    switch self {
    case .function(let function) where function.scope === old:
      .function(FunctionValue(function.definition, scope: new, source: function.source))
    case .prompt(let prompt) where prompt.scope === old: .prompt(PromptValue(prompt.definition, scope: new, source: prompt.source))
    default: mapped(where: \.holdsCode) { $0.replacing(old, by: new) }
    }
  }

  /// The same data, which nobody can make again.
  var withoutOrigins: Value {
    guard holdsOrigins else { return self }
    let mapped = mapped(where: \.holdsOrigins) { $0.withoutOrigins }
    return mapped.origin == nil && mapped.lacking == nil ? mapped : mapped.with(origin: nil).with(lacking: nil)
  }

  /// With something done to those of its parts of which this is true.
  private func mapped(where isMeant: (Value) -> Bool, _ change: (Value) -> Value) -> Value {
    switch self {
    case .list(let list):
      var copy = List(list.values.map { isMeant($0) ? change($0) : $0 })
      (copy.origin, copy.lacking) = (list.origin, list.lacking)
      return .list(copy)
    case .record(let record):
      var copy = Record(record.fields.map { ($0.name, isMeant($0.value) ? change($0.value) : $0.value) })
      (copy.failure, copy.origin, copy.lacking) = (record.failure, record.origin, record.lacking)
      return .record(copy)
    case .reply(let row) where isMeant(row.item) || row.columns.contains(where: { isMeant($0.value) }):
      return .reply(
        ReplyRow(
          row.reply, index: row.index, item: isMeant(row.item) ? change(row.item) : row.item,
          columns: row.columns.map { ($0.name, isMeant($0.value) ? change($0.value) : $0.value) }, parsed: row.parsed, origin: row.origin,
          lacking: row.lacking, chain: row.chain))
    default: return self
    }
  }
}
