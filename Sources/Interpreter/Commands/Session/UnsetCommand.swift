import Language

extension CommandDefinition {
  static let unset = CommandDefinition(
    name: "unset", group: .session, summary: "puts settings back to their defaults", usage: ["unset temperature", "unset rpm for openai"],
    takesWords: true,
    showsItself: true,
    examples: ["set temperature 0.2\nunset temperature"]
  ) { call in
    guard !call.command.words.isEmpty else {
      throw call.error("`unset` needs the name of a setting", at: call.command.name.span, help: "`set` lists them")
    }
    if try call.unsetsOwnLimit() { return .value(.nothing) }
    for word in call.command.words {
      let setting = try call.setting(word)
      try call.refuseInLaunched(setting)
      call.change(setting, to: setting.get(Settings(model: call.session.initialModel)))
    }
    return .value(.nothing)
  }
}
