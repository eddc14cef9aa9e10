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

/// What a variable holds that no file has.
public struct UnsavedReplies: Sendable {
  public var name: String
  /// Of those that have an answer.
  public var count: Int
  let rows: [Value]

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
  public var unsavedReplies: [UnsavedReplies] { unsaved([]) }

  /// The same, with what is under way: the variables of functions that run, and rows that have come for statements.
  public var recoverableReplies: [UnsavedReplies] {
    let running = reachableJobs.filter { !$0.job.isOver }
    return unsaved(underWay.values + running.map { ($0.variable ?? "rows", .list($0.soFar())) })
  }

  private func unsaved(_ underWay: [(name: String, value: Value)]) -> [UnsavedReplies] {
    var found: [UnsavedReplies] = []
    var seen: Set<KeptReplies.Rows> = []
    // `_` last: what a variable holds too is told of once, by its name.
    let own = globals.own.sorted { ($0.name == "_" ? 1 : 0, $0.name) < ($1.name == "_" ? 1 : 0, $1.name) }
    for (name, value) in own + underWay {
      let held = Self.held(value)
      var rows = KeptReplies.Rows()
      var answered = 0
      for case .reply(let row) in held {
        rows.add(row)
        if row.reply.succeeded { answered += 1 }
      }
      // A single answer that was shown and given no name was looked at, and that was all.
      if answered == 0 || name == "_" && rows.count == 1 || kept.contains(rows) || !seen.insert(rows).inserted { continue }
      found.append(UnsavedReplies(name: name, count: answered, rows: held))
    }
    return found
  }

  private static func held(_ value: Value) -> [Value] {
    switch value {
    case .reply: [value]
    case .list(let list): list.values
    case .job(let handle): handle.soFar()
    default: []
    }
  }
}
