import Chat
import Language

/// A row that a function failed for: shown and counted like a reply that failed. Where a failed reply is the reason, its kind is kept.
enum FailedRow {
  static func make(_ diagnostic: Diagnostic, _ row: Row, _ context: Context) -> ReplyRow {
    make(Failure(diagnostic.cause.flatMap(FailureKind.init) ?? .script, diagnostic.message), row, context)
  }

  static func make(_ failure: Failure, _ row: Row, _ context: Context) -> ReplyRow {
    let reply = Reply(call: context.prepared([]), attempt: Attempt(failure: failure), attempts: 0, queued: .zero)
    return ReplyRow(reply, index: row.index, item: row.value)
  }
}
