import Chat

/// The elements of a list, with what is known of all that is within them.
public struct List: RandomAccessCollection, Sendable {
  public private(set) var values: [Value]
  private(set) var inside: Inside
  /// How it is made again, where it is a row in which something is wrong.
  var origin: RowOrigin?
  /// The same where a row in it lacks a column.
  var lacking: RowOrigin?
  /// Of this list alone and its copies; nil where it is short.
  private(set) var index: ListIndex?

  public init(_ values: [Value]) {
    self.values = values
    inside = Inside()
    for value in values { inside.note(value) }
    if values.count >= ListIndex.leastCount { index = ListIndex() }
  }

  mutating func append(contentsOf more: some Collection<Value>) {
    for value in more { inside.note(value) }
    values += more
    (origin, lacking) = (nil, nil)
    if values.count >= ListIndex.leastCount, !isKnownUniquelyReferenced(&index) { index = ListIndex() }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { values.count }
  public subscript(index: Int) -> Value { values[index] }
}

extension Value {
  public static func list(_ values: [Value]) -> Value { .list(List(values)) }
}

/// What holds of all that is within a value. Lists, records and replies know it from when they are made, so that nobody goes through
/// them for it: that takes long in a large value, and in a deep one it takes the stack.
struct Inside: Sendable, Equatable {
  /// Levels of lists, records and replies.
  private(set) var depth: Int32 = 0
  /// Whether one of them is a reply that failed.
  private(set) var holdsFailure = false
  /// Whether a function or a prompt is among them, with the scope that it was defined in.
  private(set) var holdsCode = false
  /// Whether one of them is a row that knows how it is made again, and holds what it was launched in for that.
  private(set) var holdsOrigins = false

  mutating func note(_ value: Value) {
    switch value {
    case .list(let list): note(list.inside)
    case .record(let record):
      note(record.inside)
      if record.failure != nil { holdsFailure = true }
    case .reply(let row): note(row.inside)
    case .function, .prompt: holdsCode = true
    default: break
    }
    if value.origin != nil || value.lacking != nil { holdsOrigins = true }
  }

  private mutating func note(_ other: Inside) {
    if other.depth >= depth { depth = other.depth + 1 }
    if other.holdsFailure { holdsFailure = true }
    if other.holdsCode { holdsCode = true }
    if other.holdsOrigins { holdsOrigins = true }
  }

  /// Of a reply: what it holds is not its own failure.
  func ofReply(failed: Bool) -> Inside {
    var copy = self
    copy.holdsFailure = failed
    return copy
  }
}

extension Value {
  /// How deep a value may nest. What goes through values (printing, comparing, sorting, saving, letting go of them) goes down the stack,
  /// and threads have half a megabyte on macOS; JSON is read 256 deep, so that what is saved can be loaded.
  static let maximumDepth = 200
  /// How deep an item may nest: what is made for it has it within.
  static let maximumItemDepth = 190

  /// Levels of lists, records and replies, itself among them.
  var depth: Int {
    switch self {
    case .list(let list): Int(list.inside.depth) + 1
    case .record(let record): Int(record.inside.depth) + 1
    case .reply(let row): Int(row.inside.depth) + 1
    default: 0
    }
  }

  /// - Throws: where it nests deeper than values may.
  func bounded() throws(OperationError) -> Value {
    guard depth > Self.maximumDepth else { return self }
    throw OperationError(
      "\(kind) nested more than \(Self.maximumDepth) deep", help: "what grows in a loop stays flat in a list: `let xs = xs + [x]`")
  }

  /// - Throws: where what is made for it as an item would nest too deep.
  func boundedAsItem() throws(OperationError) {
    guard depth > Self.maximumItemDepth else { return }
    throw OperationError(
      "the item is \(kind) nested more than \(Self.maximumItemDepth) deep",
      help: "a reply keeps the item it answers; `xs.text` are the texts alone")
  }

  /// The replies that failed in it, however deep they stand.
  var failedReplies: [Reply] {
    switch self {
    case .reply(let row): row.reply.failure == nil ? [] : [row.reply]
    case .list(let list): list.inside.holdsFailure ? list.flatMap(\.failedReplies) : []
    case .record(let record): record.inside.holdsFailure ? record.fields.flatMap(\.value.failedReplies) : []
    default: []
    }
  }

  /// Why it, or the first of what it holds, has no answer.
  var innerFailure: Failure? {
    if let failure { return failure }
    switch self {
    case .list(let list) where list.inside.holdsFailure:
      for value in list { if let failure = value.innerFailure { return failure } }
    case .record(let record) where record.inside.holdsFailure:
      for field in record.fields { if let failure = field.value.innerFailure { return failure } }
    default: break
    }
    return nil
  }
}
