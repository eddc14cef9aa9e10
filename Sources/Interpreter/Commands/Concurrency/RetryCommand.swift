import Chat
import Language

extension CommandDefinition {
  static let retry = CommandDefinition(
    name: "retry", group: .concurrency, summary: "sends again what failed in a variable's rows, and puts the answers in their places",
    usage: ["retry name"],
    arguments: 1...1, takesRequestFlags: true, showsItself: true,
    examples: ["let facts = map 1..3 \"A fact about {it}.\"\nretry facts"]
  ) { call in
    let argument = call.command.arguments[0]
    guard case .name(let name) = argument.node else { throw call.error("`retry` takes the name of a variable", at: argument.span) }
    let value = try await call.context.value(argument)
    guard let rows = value.elements else { throw call.error("`\(name)` holds no rows but \(value.kind)", at: argument.span) }
    let again = rows.filter { row in
      if case .reply(let reply) = row { return !reply.reply.succeeded && !reply.reply.messages.isEmpty }
      return false
    }
    if again.isEmpty {
      call.world.output.note("nothing in `\(name)` failed")
      return .value(.nothing)
    }
    var context = try await call.callContext()
    context.tracker = call.context.tracker
    let stage = ResendStage(keepsModel: call.flag("model") == nil)
    let answered = try await RowStream(source: ListSource(again), stages: [stage], context: context).collect(named: name)
    var byIndex: [Int: Value] = [:]
    for case .reply(let row) in answered { byIndex[row.index] = .reply(row) }
    let mended = rows.map { row -> Value in
      guard case .reply(let reply) = row, !reply.reply.succeeded, let new = byIndex[reply.index] else { return row }
      return new
    }
    call.context.scope.set(name, .list(mended))
    return .value(.nothing)
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
