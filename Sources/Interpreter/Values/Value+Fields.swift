import Chat
import Language

extension Value {
  /// The names `value.name` can be asked for; of a list, those of its elements.
  public var fieldNames: [String] {
    switch self {
    case .record(let record): record.fields.map(\.name)
    case .reply(let row): row.fieldNames
    case .list(let elements): elements.first?.fieldNames ?? []
    default: []
    }
  }

  /// The names of the fields that it came with: all of a record's, of a reply those that are not its own.
  var dataNames: [String] {
    switch self {
    case .record(let record): record.fields.map(\.name)
    case .reply(let row): row.data.map(\.name)
    default: []
    }
  }

  /// The field of a record or reply; nil if it has none of this name.
  func field(_ name: String) -> Value? {
    switch self {
    case .record(let record): record[name] ?? (record.failure == nil ? nil : record.standing(name))
    case .reply(let row): row.field(name)
    default: nil
    }
  }

  /// The elements of what can be gone through; nil for anything else.
  public var elements: [Value]? {
    switch self {
    case .list(let list): list.values
    // Pipelines go through a range without spelling it out; what needs it as a list may not fill the memory with it.
    case .range(let low, let high): low > high ? [] : high - low < 50_000_000 ? (low...high).map(Value.int) : nil
    default: nil
    }
  }

  /// Why it has no answer, where it is a reply that failed, or a row that was made of one.
  var failure: Failure? {
    switch self {
    case .reply(let row): row.reply.failure
    case .record(let record): record.failure
    default: nil
    }
  }

  /// The same for a row, which may be a list that a function gave: one with a failed reply in it has failed.
  var rowFailure: Failure? { if case .list = self { innerFailure } else { failure } }

  /// A row that was made of another, which had failed or lacks a column, or by a function for it: it has failed where that one had, or a
  /// reply within it.
  func failing(with row: Value? = nil) -> Value {
    guard case .record(var record) = self else { return self }
    record.failure = row?.failure ?? innerFailure
    (record.origin, record.lacking) = (row?.origin, row?.lacking)
    return .record(record)
  }

  /// How the row is made again, where something is wrong with it.
  var origin: RowOrigin? {
    switch self {
    case .reply(let row): row.origin
    case .record(let record): record.origin
    case .list(let list): list.origin
    default: nil
    }
  }

  /// How a column of it is made again whose own call failed.
  var lacking: RowOrigin? {
    switch self {
    case .reply(let row): row.lacking
    case .record(let record): record.lacking
    case .list(let list): list.lacking
    default: nil
    }
  }

  func with(origin: RowOrigin?) -> Value {
    switch self {
    case .reply(let row): return .reply(row.with(origin: origin))
    case .record(var record):
      record.origin = origin
      return .record(record)
    case .list(var list):
      list.origin = origin
      return .list(list)
    default: return self
    }
  }

  func with(lacking: RowOrigin?) -> Value {
    switch self {
    case .reply(let row): return .reply(row.with(lacking: lacking))
    case .record(var record):
      record.lacking = lacking
      return .record(record)
    case .list(var list):
      list.lacking = lacking
      return .list(list)
    default: return self
    }
  }

  /// Whether it is an answer whose server did not count, so that this field of its is nothing.
  func lacksUsage(_ name: String) -> Bool {
    guard name == "tokens" || name == "usage", case .reply(let row) = self else { return false }
    return row.reply.succeeded && row.reply.attempts > 0 && row.reply.attempt.usage == nil
  }

  /// How many of its elements are replies that failed.
  var failures: Int { if case .list(let list) = self, list.inside.holdsFailure { list.count { $0.rowFailure != nil } } else { 0 } }

  /// How many of its elements `retry` makes again.
  var retried: Int { elements?.count { $0.isMadeAgain(wrong: false) && $0.canBeMadeAgain } ?? 0 }

  /// What the fields of a reply that may be nothing hold: their fields are nothing then (`r.error.kind` of a good row).
  static let fieldsOfNothing = Set(ReplyField.namesWithin.values.joined())
}

extension Record {
  /// What a row that has failed says of itself, where it has no field of that name.
  fileprivate func standing(_ name: String) -> Value? {
    switch name {
    case "failed": .bool(true)
    case "error": failure?.value
    default: nil
    }
  }
}

extension ReplyRow {
  /// Its own fields, then what came with it from its sweep, from `add` and from its item.
  var fieldNames: [String] { ReplyField.names + data.map(\.name) }

  /// By the one precedence of `ReplyField`.
  public func field(_ name: String) -> Value? {
    if let own = ReplyField.named(name) { return own.read(self) }
    if let column = columns.last(where: { $0.name == name }) { return column.value }
    return item.field(name)
  }

  /// What is not the reply's own: the fields of its item, then the columns of its sweep and of `add`.
  ///
  /// A field of the item that an own name or a column hides is called `input.NAME` here.
  var data: [(name: String, value: Value)] { itemData + columns }

  /// The fields of the item; of an item that is a reply, what that one had come with.
  var itemData: [(name: String, value: Value)] {
    let fields: [(name: String, value: Value)] =
      switch item {
      case .record(let record): record.fields.map { ($0.name, $0.value) }
      case .reply(let row): row.data
      default: []
      }
    return fields.map { (isHidden($0.name) ? "input.\($0.name)" : $0.name, $0.value) }
  }

  /// Whether an item's field of this name cannot be reached by it: the reply has one of its own, or a column.
  private func isHidden(_ name: String) -> Bool { Self.isTaken(name) || columns.contains { $0.name == name } }

  /// Whether a reply has a field of its own under this name, or a file says something of it there.
  static func isTaken(_ name: String) -> Bool {
    ReplyField.named(name) != nil || name.hasPrefix("input.") || flattened.contains(name)
  }

  /// Columns of a row from a file that are no sweep's: what they were worked out of, and how, the file does not say.
  var columnsOfUnknownMaking: [String] {
    guard reply.isFromFile, origin == nil else { return [] }
    let settings = field("settings")
    let known = [Sweep.promptName, Sweep.sampleName, "file"]
    return columns.map(\.name).filter { !known.contains($0) && settings?.field($0) == nil }
  }
}
