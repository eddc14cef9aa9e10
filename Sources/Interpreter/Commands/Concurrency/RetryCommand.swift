import Chat
import Language

extension CommandDefinition {
  static let retry = CommandDefinition(
    name: "retry", group: .concurrency, summary: "sends again what failed in a variable's rows, and puts the answers in their places",
    usage: ["retry name", "retry name --wrong"],
    arguments: 1...1,
    flags: [FlagDefinition(name: "wrong", summary: "send wrong answers again too: not in the form, refused, empty", isSwitch: true)],
    takesRequestFlags: true, showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\"\nretry facts"]
  ) { call in
    let argument = call.command.arguments[0]
    guard case .name(let name) = argument.node else { throw call.error("`retry` takes the name of a variable", at: argument.span) }
    let value = try await call.context.value(argument)
    guard let rows = value.elements else { throw call.error("`\(name)` holds no rows but \(value.kind)", at: argument.span) }
    let again = rows.filter { $0.isSentAgain(wrong: call.has("wrong")) }
    if again.isEmpty {
      let wrong = rows.count { $0.isSentAgain(wrong: true) }
      let advice =
        wrong == 0
        ? ""
        : "; \(wrong) \(wrong == 1 ? "is a wrong answer" : "are wrong answers"): `retry \(name) --wrong` sends \(wrong == 1 ? "it" : "them") again"
      call.world.output.note("nothing in `\(name)` failed\(advice)")
      return .value(.nothing)
    }
    var context = try await call.callContext()
    context.tracker = call.context.tracker
    let stage = ResendStage(keepsModel: call.flag("model") == nil)
    let answered = try await RowStream(source: ListSource(again), stages: [stage], context: context).collect(named: name)
    var byIndex: [Int: Value] = [:]
    for case .reply(let row) in answered { byIndex[row.index] = .reply(row) }
    let mended = rows.map { row -> Value in
      guard case .reply(let reply) = row, row.isSentAgain(wrong: call.has("wrong")), let new = byIndex[reply.index] else { return row }
      return new
    }
    call.context.scope.set(name, .list(mended))
    return .value(.nothing)
  }
}

extension Value {
  /// Whether `retry` sends it: a reply without an answer, or with `--wrong` one that is not as asked.
  fileprivate func isSentAgain(wrong: Bool) -> Bool {
    guard case .reply(let row) = self, !row.reply.messages.isEmpty else { return false }
    return !row.reply.succeeded || wrong && row.reply.attempt.wrong != nil
  }
}

/// Sends a failed row's messages once more.
private struct ResendStage: RowStage {
  let keepsModel: Bool
  var callsModels: Bool { true }
  var isLight: Bool { true }

  func apply(_ row: Row, _ context: Context) async throws -> [Row] {
    guard case .reply(let old) = row.value else { return [row] }
    var context = context
    if keepsModel, let model = SettingDefinition.named("model") {
      context.overrides.insert(Context.Override(setting: model, value: .text(old.reply.model.description)), at: 0)
    }
    let reply = await context.call(old.reply.messages)
    return [Row(index: row.index, value: .reply(ReplyRow(reply, index: old.index, item: old.item, columns: old.columns)))]
  }
}
