import Language

extension CommandDefinition {
  static let off = CommandDefinition(
    name: "off", group: .session, summary: "ends a callback that `on` began", usage: ["off end"], takesWords: true, showsItself: true,
    examples: ["on end { log \"done\" }\noff end"]
  ) { call in
    guard case .word(let event)? = call.command.words.first?.node else {
      throw call.error("`off` needs the name of an event", help: CallbackHub.events.joined(separator: ", "))
    }
    guard CallbackHub.events.contains(event) else {
      throw call.error(
        "there is no event `\(event)`", at: call.command.words[0].span, help: Suggestion.help(for: event, among: CallbackHub.events))
    }
    try await call.session.callbacks.drain()
    if !call.session.callbacks.remove(event) { call.world.output.note("`on \(event)` was not set") }
    return .value(.nothing)
  }
}
