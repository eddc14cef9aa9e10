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

extension Session {
  /// Variables with replies that no file has, and how many each.
  public var unsavedReplies: [(name: String, count: Int)] {
    var found: [(name: String, count: Int)] = []
    var seen: Set<KeptReplies.Rows> = []
    // `_` last: what a variable holds too is told of once, by its name.
    for (name, value) in globals.own.sorted(by: { ($0.name == "_" ? 1 : 0, $0.name) < ($1.name == "_" ? 1 : 0, $1.name) }) {
      var rows = KeptReplies.Rows()
      var answered = 0
      for case .reply(let row) in Self.held(value) {
        rows.add(row)
        if row.reply.succeeded { answered += 1 }
      }
      // A single answer that was shown and given no name was looked at, and that was all.
      if answered == 0 || name == "_" && rows.count == 1 || kept.contains(rows) || !seen.insert(rows).inserted { continue }
      found.append((name, answered))
    }
    return found
  }

  private static func held(_ value: Value) -> [Value] {
    switch value {
    case .reply: [value]
    case .list(let elements): elements
    case .job(let handle): handle.soFar()
    default: []
    }
  }
}
