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

  static let unset = CommandDefinition(
    name: "unset", group: .session, summary: "puts settings back to their defaults", usage: ["unset temperature"], takesWords: true,
    showsItself: true,
    examples: ["set temperature 0.2\nunset temperature"]
  ) { call in
    guard !call.command.words.isEmpty else {
      throw call.error("`unset` needs the name of a setting", at: call.command.name.span, help: "`set` lists them")
    }
    for word in call.command.words {
      let setting = try call.setting(word)
      let fallback = setting.get(Settings(model: call.session.initialModel))
      call.session.change { setting.put(&$0, fallback) }
    }
    return .value(.nothing)
  }
}

extension SettingDefinition {
  func shown(_ settings: Settings) -> Value {
    switch get(settings) {
    case .nothing: .text(kindIsLimit ? "off" : "default")
    case .bool(let on): .text(on ? "on" : "off")
    case let value: value
    }
  }

  private var kindIsLimit: Bool { if case .duration = kind { true } else { name == "system" || name == "stop" } }
}

extension Invocation {
  func setting(_ word: SettingValue) throws -> SettingDefinition {
    guard case .word(let name) = word.node, let setting = SettingDefinition.named(name) else {
      let name = context.source.text(word.span)
      throw error(
        "there is no setting `\(name)`", at: word.span,
        help: Suggestion.nearest(to: name, among: SettingDefinition.all.map(\.name)).map { "did you mean `\($0)`?" } ?? "`set` lists them")
    }
    return setting
  }

  func checkModelName(_ name: String, at span: Span) throws {
    var context = context
    context.overrides = []
    if let model = SettingDefinition.named("model") { context.overrides = [Context.Override(setting: model, value: .text(name))] }
    try context.checkModel(at: span)
  }

  fileprivate func job(_ word: SettingValue) throws -> JobHandle {
    if case .word(let name) = word.node {
      if case .job(let handle)? = context.scope.lookup(name) { return handle }
      if let handle = session.jobs.last(where: { $0.job.name == name || "%\($0.job.id)" == name }) { return handle }
    }
    throw error("this is no job", at: word.span, help: "`jobs` lists them; a name or %1")
  }
}
