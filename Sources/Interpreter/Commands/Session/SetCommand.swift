import Language
import Names
import Scheduling

extension CommandDefinition {
  static let set = CommandDefinition(
    name: "set", group: .session, summary: "shows or changes settings; a limit acts on running jobs at once",
    usage: [
      "set", "set concurrency 64", "set concurrency 10 for facts", "set concurrency auto 4..200", "set rpm 60 for openai",
      "set concurrency 4 for openai/gpt-5", "set budget tokens 2000000",
      "set model provider/name", "set system \"You are terse.\"",
    ],
    takesWords: true, showsItself: true,
    steers: .liveSettings, examples: ["set concurrency 5\nset temperature 0.2\nset"]
  ) { call in
    let words = call.command.words
    guard let first = words.first else {
      let settings = call.session.settings
      var rows = SettingDefinition.all.map { setting in
        Value.record(Record([("setting", .text(setting.name)), ("value", setting.shown(settings)), ("what", .text(setting.summary))]))
      }
      rows += settings.ownLimits.map { own in
        .record(Record([("setting", .text(own.name)), ("value", .int(own.value)), ("what", .text("its own limit"))]))
      }
      do { try await call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
      return .value(.nothing)
    }
    let setting = try call.setting(first)
    guard words.count > 1 else {
      let value = setting.shown(call.session.settings).text
      // A text (`system`) has lines of its own; a model's name has not.
      let shown = if case .text = setting.kind { value } else { value.oneLine }
      do { try await call.world.output.print("\(setting.name) = \(shown)", raw: false) } catch { throw call.error("\(error)") }
      return .value(.nothing)
    }
    if try await call.setForJob() { return .value(.nothing) }
    if try await call.setsOwnLimit(setting) { return .value(.nothing) }
    let values = words.dropFirst()
    if values.count >= 2, case .word("for") = values[values.endIndex - 2].node {
      throw call.error(
        setting.shapesAnswers
          ? "`set \(setting.name) for JOB` needs a value"
          : "only \(Limits.Own.settings.joined(separator: ", ")) can be set for one job, provider or model",
        at: values[values.endIndex - 2].span)
    }
    try call.refuseInLaunched(setting)
    let span = values.first.map { Span($0.span.start, (values.last ?? $0).span.end) } ?? call.span
    let given = try await call.given(values, to: setting)
    let value = try call.context.located(span) { () throws(OperationError) in try setting.read(given) }
    if setting.name == "model", let name = value.asText { try call.chooseModel(name, at: span) }
    call.change(setting, to: value)
    return .value(.nothing)
  }
}
