import Chat
import Language
import Threads

extension CommandDefinition {
  static let retry = CommandDefinition(
    name: "retry", group: .concurrency,
    summary: "makes again what failed in a variable, rows or one reply, with the settings they had, and puts it in its place",
    usage: ["retry name", "retry _", "retry %1", "retry name --wrong", "retry name --model provider/name"],
    arguments: 1...1,
    flags: [FlagDefinition(name: "wrong", summary: "make wrong answers again too: not in the form, refused, empty", isSwitch: true)],
    takesRequestFlags: true, showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\"\nretry facts"]
  ) { call in
    let argument = call.command.arguments[0]
    let name = try call.nameToRetry(argument)
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
      let unknown = wrong == 0 ? rows.lazy.compactMap(\.marksMissing).first : nil
      call.world.output.note(
        unknown.map { "nothing in `\(name)` is known to have failed: its rows are no replies, for they have no \($0)" }
          ?? "nothing in `\(name)` failed\(advice)")
      return .value(.nothing)
    }
    let again = failed.filter { rows[$0].canBeMadeAgain }
    if again.count < failed.count {
      let first = failed.first { !rows[$0].canBeMadeAgain } ?? 0
      let stages = rows[first].stagesBehind
      let missing =
        stages > 0
        ? "row \(first) of `\(name)` failed with \(stages) more of its prompts or functions behind it, which the file does not hold"
        : rows[first].isReply
          ? "row \(first) of `\(name)` \(rows[first].messagesLost)"
          : rows[first].marksMissing.map { "row \(first) of `\(name)` failed, and does not say what was sent: it has no \($0)" }
            ?? "row \(first) of `\(name)` was made of a row that failed, and does not say how"
      if again.isEmpty {
        throw call.error(
          missing, at: argument.span,
          help: stages > 0
            ? "`retry` in the session that made it goes through all of them; else the script that made the file is run again"
            : rows[first].isReply
              ? rows[first].helpForMessagesLost(name)
              : "`retry` makes the rows again that it was made of, or those of a file that was saved without `select`")
      }
      call.world.output.note("\(failed.count - again.count) of \(failed.count) rows cannot be sent again: \(missing)")
    }
    var context = call.context
    try context.checkSending(at: call.span)
    context.retried = try await call.overrides()
    for change in context.retried where change.setting.name == "model" { try call.checkModelName(change.value.text, at: call.span) }
    call.tellHeaders(missing: again.map { rows[$0] }, name)
    let groups = RowOrigin.groups(again, of: rows)
    let keys = groups.compactMap { rows[$0[0]].retryKey }
    let job = call.context.tracker?.handle.job.typedName
    if let other = call.session.retries.take(keys, by: job ?? "another `retry`") {
      throw call.error(
        "rows of `\(name)` are being made again already, by \(other)", at: argument.span,
        help: other.hasPrefix("%") ? "`gather \(other)` waits for them, `cancel \(other)` ends it" : "they are sent once")
    }
    defer { call.session.retries.leave(keys) }
    var made: [Int: [Value]] = [:]
    let stage = RetryStage()
    let stream = RowStream(source: ListSource(groups.map { rows[$0[0]] }), stages: [stage], context: context)
    for row in try await stream.collectRows(named: name) { made[row.index, default: []].append(row.value) }
    for group in stage.gone { made[group] = [] }
    var places = rows.map { [$0] }
    for (group, new) in made {
      let old = groups[group]
      for (number, index) in old.enumerated() {
        places[index] = number == old.count - 1 ? Array(new.dropFirst(number)) : Array(new.dropFirst(number).prefix(1))
        // The new one has its own say of whether it has an answer.
        rows[index].forgetFailure(call.session.unanswered)
      }
    }
    call.tellOfColumns(again.map { rows[$0] }, in: name)
    let mended = places.flatMap { $0 }
    let whole = isSingle && mended.count == 1 ? mended[0] : .list(mended)
    // What was set anew meanwhile stays: that too was paid for.
    if !call.givesToLast(argument, name), let now = call.context.scope.heldNow(name)?.given, !now.isSame(as: value) {
      if let job, call.context.depth == 0, call.context.launch?.isRetry == true {
        call.world.output.note("`\(name)` was set anew meanwhile and stays so; the rows that were made again are in \(job)")
        return .value(whole)
      }
      call.session.assign("_", whole, in: call.session.globals)
      call.world.output.note("`\(name)` was set anew meanwhile and stays so; the rows that were made again are in `_`")
      if call.context.depth == 0, !call.context.isInRow { call.context.tellRetry("_", whole) }
      return .value(.nothing)
    }
    call.session.assign(name, whole, in: call.context.scope)
    if call.context.depth == 0, !call.context.isInRow { call.context.tellRetry(name, whole) }
    return .value(.nothing)
  }
}

extension Invocation {
  /// A new answer stands beside what `add` had made of the old one, or of none, before the row was saved.
  fileprivate func tellOfColumns(_ old: [Value], in name: String) {
    var names: [String] = []
    var count = 0
    for case .reply(let row) in old {
      let columns = row.columnsOfUnknownMaking
      if !columns.isEmpty { count += 1 }
      for column in columns where !names.contains(column) { names.append(column) }
    }
    guard let first = names.first else { return }
    let words = names.prefix(5).map { "`\($0)`" }.joined(separator: ", ") + (names.count > 5 ? " …" : "")
    world.output.note(
      "\(RuleTally.rows(count)) of `\(name)`: \(words) as the file has \(names.count == 1 ? "it" : "them"), from before the new answer"
        + "\n  = `\(name) | add \(first) …` works it out anew")
  }

  /// The variable that holds the rows, and gets them back. Those of a job by number (`%1`) go to its variable, or to `_` where that has
  /// another value by now.
  fileprivate func nameToRetry(_ argument: Expression) throws -> String {
    switch argument.node {
    case .name(let name): return name
    case .job(let number):
      let handle = session.jobs.last { $0.job.number == number }
      guard let variable = handle?.variable, case .job(let held)? = context.scope.lookup(variable), held === handle else { return "_" }
      return variable
    default: throw error("`retry` takes the name of a variable, or a job by its number", at: argument.span, help: "retry facts")
    }
  }
}

extension Invocation {
  /// Whether the rows of a job that no variable holds go to `_`, whatever that is.
  fileprivate func givesToLast(_ argument: Expression, _ name: String) -> Bool {
    if case .job = argument.node { name == "_" } else { false }
  }

  /// Says which headers rows of a file were sent with and will not be now.
  fileprivate func tellHeaders(missing rows: [Value], _ name: String) {
    let given = Set(context.settings.headers.map { $0.name.lowercased() })
    var missing: [String] = []
    var count = 0
    for case .reply(let row) in rows where row.origin == nil {
      let names = (row.reply.call.settings as? AnswerSettings)?.headersSent.filter { !given.contains($0.lowercased()) } ?? []
      if !names.isEmpty { count += 1 }
      for name in names where !missing.contains(name) { missing.append(name) }
    }
    guard let first = missing.first else { return }
    let names = missing.map { "`\($0)`" }.joined(separator: ", ")
    world.output.note(
      "\(RuleTally.rows(count)) of `\(name)` \(count == 1 ? "was" : "were") sent with \(missing.count == 1 ? "the header" : "the headers") \(names), which no file holds, and \(count == 1 ? "goes" : "go") out without\n"
        + "  = `set headers {\"\(first)\": …}` before `retry` sends them again as they were")
  }
}

extension Value {
  /// What a job gave, where it is one that is over.
  fileprivate var given: Value? {
    guard case .job(let handle) = self else { return self }
    if case .success(let value)? = handle.finished { return value }
    return nil
  }

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

  /// Why a reply's messages are not known: a table has not kept them, or it is of a call that no prompt was made for.
  fileprivate var messagesLost: String {
    guard let turns = turnsSent else {
      return "failed in a function, or before its prompt was made: what it would send, only the statement knows that made it"
    }
    return "does not say all that was sent: a table kept the last of its \(turns) turns"
  }

  fileprivate func helpForMessagesLost(_ name: String) -> String {
    turnsSent == nil ? "`failed(\(name)).input` are the items to run it for again" : "`save` to .jsonl or .json keeps them"
  }

  private var turnsSent: Int? {
    guard case .reply(let row) = self else { return nil }
    return (row.reply.call.settings as? AnswerSettings)?.turnsSent
  }

  /// What a row of a file has to have for a reply, and lacks: where `select` left it out.
  fileprivate var marksMissing: String? {
    guard case .record(let record) = self else { return nil }
    let missing = ReplyRow.marks.filter { record[$0] == nil }
    return missing.isEmpty ? nil : missing.map { "`\($0)`" }.joined(separator: ", ")
  }

  fileprivate var isReply: Bool { if case .reply = self { true } else { false } }

  /// Another try takes its place, and has its own say of whether there is an answer.
  func forgetFailure(_ unanswered: Unanswered) {
    origin?.forget(unanswered)
    lacking?.forget(unanswered)
    for reply in failedReplies { unanswered.remove(reply.call) }
  }
}

private final class RetryStage: RowStage {
  var word: String { "retry" }
  var callsModels: Bool { true }
  var mends: Bool { true }
  /// Those that nothing came of: a filter behind dropped them.
  var gone: [Int] { dropped.withLock { $0 } }
  private let dropped = Mutex<[Int]>([])

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    let made = try await context.makingAgain(row)
    if made.isEmpty { dropped.withLock { $0.append(row.index) } }
    return made
  }
  /// The row stays what it was.
  func cancelled(_ row: Row, _ context: Context) -> Row? { nil }
}
