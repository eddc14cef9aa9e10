import Chat
import Language

extension CommandDefinition {
  static let use = CommandDefinition(
    name: "use", group: .session, summary: "lists providers, or goes to a server that speaks OpenAI's chat completions",
    usage: ["use", "use http://127.0.0.1:8080/v1", "use URL --as name --key-env VARIABLE", "use provider/name"],
    flags: [
      FlagDefinition(name: "as", summary: "the provider's name; openai unless said"),
      FlagDefinition(name: "key-env", summary: "the environment variable that holds the key"),
    ],
    takesWords: true, showsItself: true, examples: ["use"]
  ) { call in
    guard let word = call.command.words.first else {
      let rows = call.world.directory.providers().map { provider in
        Value.record(
          Record([
            ("provider", .text(provider.id)), ("address", .text(provider.baseURL)), ("key", .text(provider.keyVariable ?? "none needed")),
            ("ready", .bool(provider.isReady)), ("example", .text(provider.exampleModel.map { "\(provider.id)/\($0)" } ?? "")),
          ]))
      }
      do { try call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
      return .value(.nothing)
    }
    let target = try await call.context.value(word).text
    guard target.hasPrefix("http://") || target.hasPrefix("https://") else {
      // `use provider/name` is what a hand types that means `set model`.
      guard let model = ModelName(target) else {
        throw call.error("an address (http://…) or provider/name was expected, not `\(target)`", at: word.span)
      }
      try call.checkModelName(target, at: word.span)
      if let setting = SettingDefinition.named("model") {
        try call.refuseInLaunched(setting)
        call.change(setting, to: .text(model.description))
      }
      return .value(.nothing)
    }
    let id = try await call.flagValue("as")?.text ?? "openai"
    if id.isEmpty || id.contains("/") || id == "sim" {
      throw call.error("`\(id)` cannot be a provider's name", at: call.flag("as")?.name.span)
    }
    var key: Secret?
    if let name = try await call.flagValue("key-env")?.text {
      guard let value = call.world.system.environment(name), !value.isEmpty else {
        throw call.error("the environment variable \(name) is not set", at: call.flag("key-env")?.name.span)
      }
      key = Secret(value)
    }
    if let warning = call.world.directory.use(provider: id, url: target, key: key) { call.world.output.note("warning: \(warning)") }
    switch await call.world.directory.models(of: id) {
    case .success(let names):
      if let first = names.first, call.session.settings.model.provider != id || !names.contains(call.session.settings.model.name) {
        call.session.change { $0.model = ModelName(provider: id, name: first) }
      }
      call.world.output.note("\(call.session.settings.model) at \(target) (\(names.count) \(names.count == 1 ? "model" : "models"))")
    case .failure(let failure) where failure.kind == .connection || failure.kind == .tls || failure.kind == .timeout:
      throw call.error("\(target) cannot be reached: \(failure.message)", at: word.span, help: failure.kind.advice)
    case .failure(let failure):
      call.world.output.note("\(target) is set for \(id)/…, but does not list its models: \(failure.description)")
      if call.session.settings.model.provider != id { call.world.output.note("  = choose one with `set model \(id)/NAME`") }
    }
    return .value(.nothing)
  }
}
