import Names
import Threads

/// What a statement has to say of the rows it left out, told once when it is over: a function that runs for a thousand rows says the
/// same thing a thousand times.
final class Remarks: Sendable {
  private let texts = Mutex<[(text: String, times: Int)]>([])
  private let calls = Atomic(false)

  /// Rows or a call ran in the foreground: what they left without an answer can be sent again.
  func noteCalls() { calls.store(true, ordering: .relaxed) }
  var hasCalls: Bool { calls.load(ordering: .relaxed) }

  func add(_ text: String) {
    texts.withLock { texts in
      if let index = texts.firstIndex(where: { $0.text == text }) {
        texts[index].times += 1
      } else {
        texts.append((text, 1))
      }
    }
  }

  func tell(_ output: any Output) {
    let said = texts.withLock { texts in
      defer { texts = [] }
      return texts
    }
    for (text, times) in said { output.note(times > 1 ? "\(text) (\(times) times)" : text) }
  }
}

extension Context {
  /// Says something about the statement being run, when it is over.
  func tell(_ text: String) {
    if let remarks { remarks.add(text.oneLine) } else { world.output.note(text.oneLine) }
  }

  /// Replies of a list that were read and have no answer.
  func tellNoAnswer(_ count: Int, of total: Int, instead: String) {
    tell("\(count) of \(total) \(total == 1 ? "reply" : "replies") without an answer: \(instead)")
  }

  /// Answers of a list whose server did not count.
  func tellNoUsage(_ count: Int, of total: Int, _ name: String) {
    tell("\(count) of \(total) \(total == 1 ? "reply" : "replies") whose server states no usage: their `\(name)` is nothing")
  }

  /// How what has no answer is sent again, where `name` now holds it.
  func tellRetry(_ name: String, _ value: Value) {
    if case .reply(let row) = value, let failure = row.reply.failure, failure.kind != .cancelled {
      return session.world.output.note("  `retry \(name)` sends it again")
    }
    let missing = value.retried
    if missing > 0 { world.output.note("  `retry \(name)` sends the \(missing) that \(missing == 1 ? "has" : "have") no answer") }
  }

  /// Runs a statement, and tells then what it remarked; one within another leaves that to the outer one.
  func remarking<T>(_ body: (Context) async throws -> T) async rethrows -> T {
    if remarks != nil { return try await body(self) }
    let remarks = Remarks()
    var inner = self
    inner.remarks = remarks
    defer { remarks.tell(world.output) }
    return try await body(inner)
  }
}
