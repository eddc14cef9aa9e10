import Chat
import Language

extension SettingDefinition {
  func shown(_ settings: Settings) -> Value {
    switch get(settings) {
    case .nothing: .text(kindIsLimit ? "off" : "default")
    case .bool(let on): .text(on ? "on" : "off")
    case let value: value
    }
  }

  private var kindIsLimit: Bool {
    if case .duration = kind { true } else { ["system", "stop", "rps", "rpm", "tpm", "budget", "stop-after", "hedge"].contains(name) }
  }
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

  /// What a setting is given: one word, or several where it takes them.
  func given(_ words: ArraySlice<SettingValue>, to setting: SettingDefinition) async throws -> Value {
    guard let first = words.first else { return .nothing }
    if setting.takesSeveral, words.count > 1 { return .text(words.map { context.source.text($0.span) }.joined(separator: " ")) }
    guard words.count == 1 else {
      throw error(
        "`set \(setting.name)` takes one value", at: words.dropFirst().first?.span,
        help: "it takes \(setting.accepts); a text with spaces stands in quotes")
    }
    return try await context.value(first) { value in (try? setting.read(value)) != nil }
  }

  /// Whether the session can go to a model from now on. Where it cannot, and the simulator was on, that answers no more: whoever named
  /// another provider does not want made-up words.
  func chooseModel(_ name: String, at span: Span) throws {
    do { try checkModelName(name, at: span) } catch {
      if let wanted = ModelName(name), wanted.provider != "sim", session.settings.model.provider == "sim" {
        session.change(by: author) { $0.model = .none(at: wanted.provider) }
      }
      throw error
    }
  }

  func checkModelName(_ name: String, at span: Span) throws {
    var context = context
    context.overrides = []
    if let model = SettingDefinition.named("model") { context.overrides = [Context.Override(setting: model, value: .text(name))] }
    try context.checkModel(at: span)
  }

  func job(_ word: SettingValue) throws -> JobHandle {
    if case .word(let name) = word.node {
      if let handle = session.job(named: name, in: context.scope) { return handle }
    }
    throw error("this is no job", at: word.span, help: "`jobs` lists them; a name or %1")
  }
}
