import Language

extension CommandDefinition {
  static let set = CommandDefinition(
    name: "set", group: .session, summary: "shows or changes settings; a limit acts on running jobs at once",
    usage: ["set", "set concurrency 64", "set concurrency 10 for facts", "set model provider/name", "set system \"You are terse.\""],
    takesWords: true, showsItself: true,
    examples: ["set concurrency 5\nset temperature 0.2\nset"]
  ) { call in
    let words = call.command.words
    guard let first = words.first else {
      let settings = call.session.settings
      let rows = SettingDefinition.all.map { setting in
        Value.record(Record([("setting", .text(setting.name)), ("value", setting.shown(settings)), ("what", .text(setting.summary))]))
      }
      do { try call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
      return .value(.nothing)
    }
    let setting = try call.setting(first)
    guard words.count > 1 else {
      do { try call.world.output.print("\(setting.name) = \(setting.shown(call.session.settings).text)", raw: false) } catch {
        throw call.error("\(error)")
      }
      return .value(.nothing)
    }
    let given = try await call.context.value(words[1])
    if words.count == 4, case .word("for") = words[2].node, setting.name == "concurrency" {
      let handle = try call.job(words[3])
      if case .text("off") = given {
        call.world.engine.limiter.setCap(nil, of: handle.job)
      } else {
        let value = try call.context.located(words[1].span) { () throws(OperationError) in try setting.read(given) }
        if case .int(let cap) = value { call.world.engine.limiter.setCap(cap, of: handle.job) }
      }
      return .value(.nothing)
    }
    guard words.count == 2 else {
      throw call.error(
        "`set \(setting.name)` takes one value", at: words[2].span, help: "it takes \(setting.accepts); a text with spaces stands in quotes"
      )
    }
    let value = try call.context.located(words[1].span) { () throws(OperationError) in try setting.read(given) }
    if setting.name == "model", let name = value.asText { try call.checkModelName(name, at: words[1].span) }
    call.session.change { setting.put(&$0, value) }
    return .value(.nothing)
  }
}
