import Chat
import Language

/// A row that a function failed for: shown and counted like a reply that failed. Where a failed reply is the reason, its kind is kept.
enum FailedRow {
  static func make(_ diagnostic: Diagnostic, _ row: Row, _ context: Context, _ last: Reply? = nil) -> ReplyRow {
    make(Failure(diagnostic.cause.flatMap(FailureKind.init) ?? .script, diagnostic.message), row, context, last)
  }

  /// - Parameter last: the last of its calls that failed: where that is why the row did, what had come of it is what had come of the row.
  static func make(_ failure: Failure, _ row: Row, _ context: Context, _ last: Reply? = nil) -> ReplyRow {
    var attempt = Attempt(failure: failure)
    if let last, last.failure?.kind == failure.kind {
      attempt.failure?.status = last.failure?.status
      (attempt.text, attempt.reasoning) = (last.attempt.text, last.attempt.reasoning)
    }
    return ReplyRow(Reply(call: context.prepared([]), attempt: attempt, attempts: 0, queued: .zero), index: row.index, item: row.value)
  }

  /// One that was under way when its run was cancelled.
  static func cancelled(_ row: Row, _ context: Context, _ last: Reply? = nil) -> Value {
    .reply(make(Failure(.cancelled, "cancelled"), row, context, last))
  }
}
