import Chat
import Language
import Threads

/// Puts the fields of another list's row to each row.
///
/// Where that row has no answer, what it would have said is a column that is not known, and `retry` makes the other row again.
final class JoinStage: RowStage {
  var word: String { "join" }
  private let keys: [Expression]
  /// The rows of the other list by their keys.
  private let places: [[ValueKey]: Value]
  /// Every row gets the same columns, whether or not there is a row for it.
  private let added: [String]
  private let tally: RuleTally
  private let seen = Mutex<[String]>([])
  /// Others that are being made again, or were: many rows may have one.
  private let remade = Mutex<[[ValueKey]: Task<Value, any Error>]>([:])

  /// Rows of the other list whose key a later one has.
  let leftOut: Int
  /// Fields that both lists have.
  var doubled: [String] { seen.withLock { $0 } }

  init(keys: [Expression], named names: Set<String>, others: [Value], _ context: Context) async throws {
    let tally = RuleTally()
    var places: [[ValueKey]: Value] = [:]
    var added: [String] = []
    var seen = names
    var leftOut = 0
    for (index, other) in others.enumerated() {
      for field in other.recordFields where seen.insert(field.name).inserted { added.append(field.name) }
      if let key = try await Self.key(keys, Row(index: index, value: other), tally, context), places.updateValue(other, forKey: key) != nil
      {
        leftOut += 1
      }
    }
    (self.keys, self.places, self.added, self.tally, self.leftOut) = (keys, places, added, tally, leftOut)
  }

  /// Nil for a row without a key: it is like no other.
  private static func key(_ keys: [Expression], _ row: Row, _ tally: RuleTally, _ context: Context) async throws -> [ValueKey]? {
    let inner = context.inRow(row)
    var key: [ValueKey] = []
    for expression in keys {
      let value = try await tally.value(for: row.value, at: row.index) { try await inner.value(expression) }
      if value.isNothing { return nil }
      key.append(ValueKey(value))
    }
    return key
  }

  func finish(_ context: Context) throws { try tally.finish("join", "joined with nothing", context) }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    let key = try await Self.key(keys, row, tally, context)
    return [joined(row, key.flatMap { places[$0] })]
  }

  func again(_ row: Row, _ old: ReplyRow?, _ context: Context) async throws -> [Row] {
    guard let key = try await Self.key(keys, row, tally, context), let other = places[key] else { return [joined(row, nil)] }
    return [joined(row, try await again(other, key, context))]
  }

  private func again(_ other: Value, _ key: [ValueKey], _ context: Context) async throws -> Value {
    guard other.isMadeAgain(wrong: false), other.canBeMadeAgain else { return other }
    let task = remade.withLock { remade in
      if let task = remade[key] { return task }
      let task = Task {
        let made = try await context.makingAgain(Row(index: 0, value: other))
        other.forgetFailure(context.session.unanswered)
        return made.first?.value ?? other
      }
      remade[key] = task
      return task
    }
    let made = try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
    // What failed anew is made once more with the next `retry`.
    if made.isMadeAgain(wrong: false) { remade.withLock { if $0[key] == task { $0[key] = nil } } }
    return made
  }

  private func joined(_ row: Row, _ other: Value?) -> Row {
    var record = Record(row.value.recordFields)
    let found = other.map { Record($0.recordFields) }
    var lacks: [String: Failure] = [:]
    var names = Set(record.fields.map(\.name))
    for added in added {
      let name = Join.name(added, besides: names)
      if name != added { seen.withLock { if !$0.contains(added) { $0.append(added) } } }
      names.insert(name)
      record.append(name, found?[added] ?? .nothing)
      if let other, let failure = other.noAnswer(reading: added) ?? other.failureOfField(added) { lacks[name] = failure }
    }
    let value = Value.record(record).failing(with: row.value)
    return Row(index: row.index, value: value, variant: row.variant, lacksColumn: !lacks.isEmpty, lacks: lacks)
  }
}

extension Value {
  /// Why a field of a record that was made of a failed row is nothing.
  fileprivate func failureOfField(_ name: String) -> Failure? {
    guard case .record(let record) = self, let failure = record.failure, record[name]?.isNothing == true else { return nil }
    return failure
  }
}
