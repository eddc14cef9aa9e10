import Chat
import Language

/// What is not known: a column whose own call failed is nothing, but what should stand there is no "nothing" that may be sent.
extension Value {
  /// Why this field of a row cannot be read: its reply failed, or the call that was to make the column.
  func noAnswer(reading name: String) -> Failure? {
    switch self {
    case .reply(let row): row.noAnswer(reading: name)
    case .record(let record): record.noAnswer(reading: name)
    default: nil
    }
  }

  /// Why something in it is not known, where all of it is put into a text.
  var unread: Failure? {
    guard holdsOrigins else { return nil }
    switch self {
    case .record(let record):
      for field in record.fields { if let failure = record.noAnswer(reading: field.name) ?? field.value.unread { return failure } }
    case .list(let list): for value in list { if let failure = value.unread { return failure } }
    default: break
    }
    return nil
  }

  /// How it, or the first row in it that lacks a column, is made again.
  var innerLacking: RowOrigin? {
    if let lacking { return lacking }
    guard holdsOrigins else { return nil }
    switch self {
    case .list(let list): for value in list { if let found = value.innerLacking { return found } }
    case .record(let record): for field in record.fields { if let found = field.value.innerLacking { return found } }
    default: break
    }
    return nil
  }
}

extension Record {
  func noAnswer(reading name: String) -> Failure? {
    guard let failure = lacking?.lacks[name], self[name]?.isNothing == true else { return nil }
    return failure
  }
}

extension ReplyRow {
  /// Why this field cannot be read: the reply failed and the field is what it would have said, or it is a column that is not known.
  func noAnswer(reading name: String) -> Failure? {
    if ReplyField.named(name) != nil { return name == "text" || name == "value" ? reply.failure : nil }
    guard let column = columns.last(where: { $0.name == name }) else { return item.noAnswer(reading: name) }
    return column.value.isNothing ? lacking?.lacks[name] : nil
  }
}

extension Diagnostic {
  /// The failed call that is why.
  var failureBehind: Failure? { cause.flatMap(FailureKind.init).map { Failure($0, message) } }
}
