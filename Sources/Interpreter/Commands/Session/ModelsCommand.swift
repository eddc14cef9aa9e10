import Chat
import Language
import Names

extension CommandDefinition {
  static let models = CommandDefinition(
    name: "models", group: .session, summary: "lists the models that the current provider, or the one named, says it has",
    usage: ["models", "models openai"], takesWords: true,
    showsItself: true, examples: ["models"]
  ) { call in
    let providers = call.world.directory.providers()
    var id = call.session.settings.model.provider
    if let word = call.command.words.first {
      id = try await call.context.value(word).text
      guard providers.contains(where: { $0.id == id }) else {
        throw call.error("there is no provider `\(id)`", at: word.span, help: Suggestion.help(for: id, among: providers.map(\.id)))
      }
    }
    switch await call.world.directory.models(of: id) {
    case .failure(let failure): throw call.error("\(id): \(failure.description)", help: failure.advice)
    case .success(let names):
      call.session.listings.note(id, names)
      for name in names { try await call.world.output.print("\(id)/\(name)".oneLine, raw: false) }
      if names.isEmpty { call.world.output.note("\(id.oneLine) has no models") }
    }
    return .value(.nothing)
  }
}
