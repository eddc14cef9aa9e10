import Chat
import Formats
import JSON
import Scheduling
import Threads

/// Which replies were written to a file: for the question, when the session ends, whether some were kept nowhere.
///
/// A set of rows is known by the sum of their hashes: in any order, and without keeping one of them.
public final class KeptReplies: Sendable {
  struct Rows: Hashable {
    private(set) var count = 0
    private var sum: UInt64 = 0

    mutating func add(_ row: ReplyRow) {
      var hasher = Hasher()
      hasher.combine(row.reply.prompt)
      hasher.combine(row.reply.text)
      hasher.combine(row.reply.model.description)
      hasher.combine(row.reply.attempt.latency)
      hasher.combine(row.index)
      sum &+= UInt64(bitPattern: Int64(hasher.finalize()))
      count += 1
    }
  }

  private let saved = Mutex<Set<Rows>>([])

  func note(_ rows: Rows) { saved.withLock { _ = $0.insert(rows) } }

  func contains(_ rows: Rows) -> Bool { saved.withLock { $0.contains(rows) } }
}

/// A conversation, which no variable holds.
public struct UnsavedConversation: Sendable {
  /// Empty for the one that has none.
  public var name: String
  let turns: [Message]
  public var count: Int { turns.count }

  /// Its turns as lines of a `.jsonl`: `chat --from` goes on from there.
  public var lines: [[UInt8]] {
    turns.map { turn in
      var bytes: [UInt8] = []
      turn.value.json.write(to: &bytes)
      bytes.append(0x0A)
      return bytes
    }
  }
}

/// What a variable holds that no file has.
public struct UnsavedReplies: Sendable {
  public var name: String
  /// Of those that have an answer, and of answers that rows without one were made for.
  public var count: Int
  /// How many of them are such answers, which are what their rows have as input.
  public var asInput: Int
  let rows: [Value]
  public var rowCount: Int { rows.count }

  /// The rows as lines of a `.jsonl`, which `load` knows again; those without an answer too, for `retry`.
  public var lines: some Sequence<[UInt8]> {
    rows.lazy.map { row in
      var bytes: [UInt8] = []
      row.row(.jsonl).write(to: &bytes)
      bytes.append(0x0A)
      return bytes
    }
  }
}

extension Session {
  /// Variables with replies that no file has.
  public var unsavedReplies: [UnsavedReplies] { unsaved(globals.own, [], [], []) }

  /// Conversations that have an answer in them.
  public var recoverableConversations: [UnsavedConversation] {
    conversations.answered.map { UnsavedConversation(name: $0.name, turns: $0.turns) }
  }

  /// The same, with what is under way: the variables of functions that run, and rows that have come for statements.
  public var recoverableReplies: [UnsavedReplies] {
    let running = reachableJobs.filter { !$0.job.isOver }
    // First: what is replaced meanwhile has been noted before it is.
    let own = globals.own
    let values = underWay.values
    return unsaved(own, values + running.map { ($0.variable ?? "rows", .list($0.soFar())) }, underWay.given, underWay.asked)
  }

  /// - Parameters:
  ///   - underWay: told of where not all of it has been told of already.
  ///   - given: told of as far as nobody else has it.
  ///   - asked: likewise.
  private func unsaved(
    _ globals: [(name: String, value: Value)], _ underWay: [(name: String, value: Value)], _ given: [(name: String, value: Value)],
    _ asked: [(name: String, value: Value)]
  ) -> [UnsavedReplies] {
    var found: [UnsavedReplies] = []
    var seen: Set<KeptReplies.Rows> = []
    var written: Set<ObjectIdentifier> = []
    // `_` last: what a variable holds too is told of once, by its name.
    let own = globals.sorted { ($0.name == "_" ? 1 : 0, $0.name) < ($1.name == "_" ? 1 : 0, $1.name) }
    let all = (own + underWay + given + asked).map { (name: $0.name, rows: Self.held($0.value)) }
    let held = Set(
      all.dropLast(asked.count).filter { !Self.isOnlyShown($0.name, $0.rows) }.flatMap { $0.rows.compactMap(\.replyIdentity) })
    for (place, (name, rows)) in all.enumerated() {
      var rows = rows
      if place >= own.count + underWay.count {
        rows.removeAll { $0.callIdentity.map(written.contains) ?? false }
      } else if place >= own.count, rows.compactMap(\.callIdentity).allSatisfy(written.contains) {
        // What a variable holds by now may still be under way, too.
        continue
      }
      var sum = KeptReplies.Rows()
      var answered = 0
      var inputs: Set<ObjectIdentifier> = []
      var hidden: [Value] = []
      for case .reply(let row) in rows {
        sum.add(row)
        if row.reply.succeeded {
          answered += 1
          continue
        }
        let paid = row.answersWithin.filter { !held.contains(ObjectIdentifier($0)) }
        for answer in paid where inputs.insert(ObjectIdentifier(answer)).inserted && !row.showsItem {
          hidden.append(.reply(answer))
        }
      }
      if answered + inputs.count == 0 || inputs.isEmpty && Self.isOnlyShown(name, rows) { continue }
      if kept.contains(sum) || !seen.insert(sum).inserted { continue }
      written.formUnion((rows + hidden).flatMap(\.calls))
      found.append(
        UnsavedReplies(
          name: name, count: answered + inputs.count, asInput: inputs.count - hidden.count, rows: rows + hidden))
    }
    return found
  }

  /// A single answer that was shown and given no name was looked at, and that was all.
  private static func isOnlyShown(_ name: String, _ rows: [Value]) -> Bool {
    name == "_" && rows.count { $0.replyIdentity != nil } == 1
  }

  /// Rows as they are; of what holds replies deeper down, those.
  private static func held(_ value: Value) -> [Value] {
    switch value {
    case .list(let list) where list.values.contains { if case .reply = $0 { true } else { false } }: list.values
    case .job(let handle): held(.list(handle.soFar()))
    default: value.repliesWithin
    }
  }
}

extension Value {
  fileprivate var replyIdentity: ObjectIdentifier? {
    if case .reply(let row) = self { ObjectIdentifier(row) } else { nil }
  }

  /// The same for all copies of a reply, with whatever columns.
  fileprivate var callIdentity: ObjectIdentifier? {
    if case .reply(let row) = self { ObjectIdentifier(row.reply.call) } else { nil }
  }
}

extension ReplyRow {
  /// The nearest answered replies in what it was made for, however deep.
  fileprivate var answersWithin: [ReplyRow] {
    var found: [ReplyRow] = []
    for value in [item] + columns.map(\.value) {
      for case .reply(let row) in value.repliesWithin { found += row.reply.succeeded ? [row] : row.answersWithin }
    }
    return found
  }

  /// Whether its line in a file has the answers in its item: of a reply that is the item it has only the text.
  fileprivate var showsItem: Bool {
    if case .reply(let row) = item { row.reply.succeeded } else { true }
  }
}
