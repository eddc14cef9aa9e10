import Language

extension CommandDefinition {
  static let set = CommandDefinition(
    name: "set", group: .session, summary: "shows or changes settings; a limit acts on running jobs at once",
    usage: [
      "set", "set concurrency 64", "set concurrency 10 for facts", "set concurrency auto 4..200", "set budget tokens 2000000",
      "set model provider/name", "set system \"You are terse.\"",
    ],
    takesWords: true, showsItself: true,
    steers: .liveSettings, examples: ["set concurrency 5\nset temperature 0.2\nset"]
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
    if try await call.setForJob() { return .value(.nothing) }
    try call.refuseInLaunched(setting)
    var values = words.dropFirst()
    var handle: JobHandle?
    if values.count >= 3, case .word("for") = values[values.endIndex - 2].node, let last = values.last {
      guard setting.name == "concurrency" else {
        throw call.error("only `concurrency` can be set for one job", at: values[values.endIndex - 2].span)
      }
      handle = try call.job(last)
      values = values.dropLast(2)
    }
    let span = values.first.map { Span($0.span.start, (values.last ?? $0).span.end) } ?? call.span
    let given = try await call.given(values, to: setting)
    if let handle {
      if call.isOver(handle, "there is nothing to set for it") { return .value(.nothing) }
      if case .text("off") = given {
        call.world.engine.limiter.setCap(nil, of: handle.job)
      } else if case .int(let cap) = given, (1...Settings.maximumWidth).contains(cap) {
        call.world.engine.limiter.setCap(cap, of: handle.job)
      } else {
        throw call.error("a job's own cap is a whole number from 1 to \(Settings.maximumWidth), or off; not \(given.preview)", at: span)
      }
      return .value(.nothing)
    }
    let value = try call.context.located(span) { () throws(OperationError) in try setting.read(given) }
    if setting.name == "model", let name = value.asText { try call.chooseModel(name, at: span) }
    call.change(setting, to: value)
    return .value(.nothing)
  }
}
