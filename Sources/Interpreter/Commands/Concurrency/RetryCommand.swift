import Chat
import Language

extension CommandDefinition {
  static let retry = CommandDefinition(
    name: "retry", group: .concurrency,
    summary: "makes again what failed in a variable, rows or one reply, with the settings they had, and puts it in its place",
    usage: ["retry name", "retry _", "retry name --wrong", "retry name --model provider/name"],
    arguments: 1...1,
    flags: [FlagDefinition(name: "wrong", summary: "make wrong answers again too: not in the form, refused, empty", isSwitch: true)],
    takesRequestFlags: true, showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\"\nretry facts"]
  ) { call in
    let argument = call.command.arguments[0]
    guard case .name(let name) = argument.node else { throw call.error("`retry` takes the name of a variable", at: argument.span) }
    let value = try await call.context.value(argument)
    let isSingle = if case .reply = value { true } else { false }
    guard let rows = isSingle ? [value] : value.elements else {
      throw call.error("`\(name)` holds no rows but \(value.kind)", at: argument.span)
    }
    let failed = rows.indices.filter { rows[$0].isMadeAgain(wrong: call.has("wrong")) }
    if failed.isEmpty {
      let wrong = rows.count { $0.isMadeAgain(wrong: true) }
      let advice =
        wrong == 0
        ? ""
        : "; \(wrong) \(wrong == 1 ? "is a wrong answer" : "are wrong answers"): `retry \(name) --wrong` sends \(wrong == 1 ? "it" : "them") again"
      call.world.output.note("nothing in `\(name)` failed\(advice)")
      return .value(.nothing)
    }
    let again = failed.filter { rows[$0].canBeMadeAgain }
    if again.count < failed.count {
      let first = failed.first { !rows[$0].canBeMadeAgain } ?? 0
      let missing =
        rows[first].isReply
        ? "row \(first) of `\(name)` does not say all that was sent: \(rows[first].turnsLost)"
        : "row \(first) of `\(name)` was made of a row that failed, and does not say how"
      if again.isEmpty {
        throw call.error(
          missing, at: argument.span,
          help: rows[first].isReply ? "`save` to .jsonl or .json keeps them" : "`retry` makes the rows again that it was made of")
      }
      call.world.output.note("\(failed.count - again.count) of \(failed.count) rows cannot be sent again: \(missing)")
    }
    var context = call.context
    try context.checkSending(at: call.span)
    context.retried = try await call.overrides()
    for change in context.retried where change.setting.name == "model" { try call.checkModelName(change.value.text, at: call.span) }
    let stage = RetryStage()
    var made: [Int: [Value]] = [:]
    let stream = RowStream(source: ListSource(again.map { rows[$0] }), stages: [stage], context: context)
    for row in try await stream.collectRows(named: name) { made[again[row.index], default: []].append(row.value) }
    var mended: [Value] = []
    for (index, row) in rows.enumerated() {
      mended += made[index] ?? [row]
      // The new one has its own say of whether it has an answer.
      if made[index] != nil { row.forgetFailure(call.session.unanswered) }
    }
    call.context.scope.set(name, isSingle && mended.count == 1 ? mended[0] : .list(mended))
    return .value(.nothing)
  }
}

extension Value {
  /// A reply without an answer, or with `--wrong` one that is not as asked.
  ///
  /// Or a row with a column whose own call failed.
  func isMadeAgain(wrong: Bool) -> Bool {
    if rowFailure != nil || lacking != nil { return true }
    guard wrong, case .reply(let row) = self else { return false }
    return row.reply.attempt.wrong != nil
  }

  var canBeMadeAgain: Bool {
    if origin != nil || lacking != nil { return true }
    guard case .reply(let row) = self else { return false }
    return row.knowsMessages
  }

  /// Why a reply's messages are not known.
  fileprivate var turnsLost: String {
    guard case .reply(let row) = self, let turns = (row.reply.call.settings as? AnswerSettings)?.turnsSent else {
      return "it has no `messages`"
    }
    return "a table kept the last of its \(turns) turns"
  }

  fileprivate var isReply: Bool { if case .reply = self { true } else { false } }

  /// Another try takes its place, and has its own say of whether there is an answer.
  fileprivate func forgetFailure(_ unanswered: Unanswered) {
    origin?.forget(unanswered)
    lacking?.forget(unanswered)
    if case .reply(let row) = self { unanswered.remove(row.reply.call) }
  }
}

/// Makes a row again that failed: the stage that failed it, and those behind it, in the pipeline that it comes from; what comes from
/// elsewhere (a file) is sent with the messages and settings that it kept.
private struct RetryStage: RowStage {
  var callsModels: Bool { true }
  var mends: Bool { true }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    let isAnswered: Bool
    if case .reply(let old) = row.value { isAnswered = old.reply.error == nil } else { isAnswered = row.value.rowFailure == nil }
    // A row that is answered lacks a column: it is made again from there on.
    guard let origin = isAnswered ? row.value.lacking ?? row.value.origin : row.value.origin ?? row.value.lacking else {
      guard case .reply(let old) = row.value else { return [row] }
      let (reply, parsed) = await context.call(again: old.reply.call)
      return [
        Row(
          index: row.index,
          value: .reply(ReplyRow(reply, index: old.index, item: old.item, columns: old.columns, parsed: parsed)))
      ]
    }
    var inner = origin.program.context
    (inner.jobScope, inner.row, inner.tracker, inner.board) = (context.jobScope, context.row, nil, nil)
    inner.retried = context.retried
    return try await origin.program.again(origin, inner).map { made in
      var made = made
      made.index = row.index
      return made
    }
  }
}
