import Chat
import Language
import Names
import Secrets

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
      do { try await call.world.output.show(.list(rows), options: ShowOptions()) } catch { throw call.error("\(error)") }
      return .value(.nothing)
    }
    let target = try await call.context.value(word).text
    guard let address = UseTarget.address(target) else {
      // What is no address may be meant as one, and hold a password.
      let shown = Userinfo.taken(from: target)?.url ?? target
      // `use provider/name` is what a hand types that means `set model`.
      guard shown == target, !UseTarget.isMeantAsAddress(target), let model = ModelName(target) else {
        throw call.error("an address (http://…) or provider/name was expected, not `\(shown)`", at: word.span)
      }
      guard let setting = SettingDefinition.named("model") else { return .value(.nothing) }
      try call.refuseInLaunched(setting)
      try call.chooseModel(target, at: word.span)
      call.change(setting, to: .text(model.description))
      return .value(.nothing)
    }
    let id = try await call.flagValue("as")?.text ?? "openai"
    if id.isEmpty || id.contains("/") || id == "sim" {
      throw call.error("`\(id)` cannot be a provider's name", at: call.flag("as")?.name.span)
    }
    var key: String?
    if let name = try await call.flagValue("key-env")?.text {
      guard let value = call.world.system.environment(name), !value.allSatisfy(\.isWhitespace) else {
        throw call.error("the environment variable \(name) is not set", at: call.flag("key-env")?.name.span)
      }
      key = value
    }
    let found = await call.world.directory.use(provider: id, url: address, key: key)
    if let warning = found.warning { call.world.output.note("warning: \(warning.oneLine)") }
    let before = call.session.settings.model
    call.session.listings.forget(id)
    // Until a model of this server is known, nothing goes anywhere: what was chosen is another server's.
    call.session.change(by: call.author) { $0.model = .none(at: id) }
    let (server, choose) = (found.address.oneLine, "`set model \(id.oneLine)/NAME` chooses one")
    switch found.models {
    case .success(let names):
      call.session.listings.note(id, names)
      guard let first = names.first else {
        call.world.output.note("\(server) is set for \(id.oneLine)/…, but lists no models: none is chosen\n  = \(choose)")
        break
      }
      let isKept = before.provider == id && names.contains(before.name)
      call.session.change(by: call.author) { $0.model = isKept ? before : ModelName(provider: id, name: first) }
      call.world.output.note(
        "\(call.session.settings.model.description.oneLine) at \(server) (\(names.count) \(names.count == 1 ? "model" : "models"))")
    case .failure(let failure) where failure.kind == .auth || failure.status == 401 || failure.status == 403:
      throw call.error(
        "\(found.address) does not let us in: \(failure.description)", at: word.span,
        help: key == nil
          ? "`use \(found.address) --key-env VARIABLE` sends the key that the variable holds"
          : "is the key in \(try await call.flagValue("key-env")?.text ?? "") the right one? `--key-env VARIABLE` names another")
    case .failure(let failure) where failure.kind == .connection || failure.kind == .tls || failure.kind == .timeout:
      throw call.error("\(found.address) cannot be reached: \(failure.message)", at: word.span, help: failure.advice)
    case .failure(let failure):
      call.world.output.note(
        "\(server) is set for \(id.oneLine)/…, but does not list its models: \(failure.description): none is chosen\n  = \(choose)")
    }
    return .value(.nothing)
  }
}

private enum UseTarget {
  /// Whether it is an address whose beginning is written wrongly.
  static func isMeantAsAddress(_ text: String) -> Bool {
    let lower = text.lowercased()
    return lower.hasPrefix("http:") || lower.hasPrefix("https:") || lower.hasPrefix("/") || lower.contains("://")
  }

  /// The address in what was given, if it is one.
  static func address(_ text: String) -> String? {
    let text = text.drop { $0.isWhitespace || $0 == "\"" || $0 == "'" }
    let scheme = text.prefix(8).lowercased()
    return scheme.hasPrefix("http://") || scheme.hasPrefix("https://") ? String(text) : nil
  }
}
