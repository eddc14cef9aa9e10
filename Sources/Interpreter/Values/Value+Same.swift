extension Value {
  /// Whether it is the same value: of replies, the same one and not merely an equal one.
  func isSame(as other: Value) -> Bool {
    switch (self, other) {
    case (.reply(let a), .reply(let b)): a === b
    case (.list(let a), .list(let b)): a.count == b.count && zip(a.values, b.values).allSatisfy { $0.isSame(as: $1) }
    case (.record(let a), .record(let b)):
      a.origin === b.origin && a.lacking === b.lacking && a.fields.count == b.fields.count
        && zip(a.fields, b.fields).allSatisfy { $0.name == $1.name && $0.value.isSame(as: $1.value) }
    case (.function(let a), .function(let b)): a === b
    case (.prompt(let a), .prompt(let b)): a === b
    case (.job(let a), .job(let b)): a === b
    case (.number(let a), .number(let b)): a == b || a.isNaN && b.isNaN
    default: equals(other)
    }
  }
}
