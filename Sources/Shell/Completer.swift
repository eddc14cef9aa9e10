import Editor
import Interpreter
import Names

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What could stand at the cursor: commands, flags, settings and their values, variables and their fields, jobs, models, functions;
/// file names inside quotes.
struct Completer: Sendable {
  let session: Session
  let catalog: ModelCatalog

  func complete(_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion]) {
    let before = String(String.UnicodeScalarView(text.unicodeScalars.prefix(cursor)))
    if let quote = openQuote(before) { return files(quote) }
    let parts = before.split(separator: " ", omittingEmptySubsequences: false)
    let lastWord = parts.last.map(String.init) ?? ""
    let statement =
      before.split(whereSeparator: { $0 == "|" || $0 == ";" || $0.isNewline || $0 == "{" || $0 == "(" }).last.map(String.init) ?? ""
    var words = statement.split(separator: " ").map(String.init)
    if !statement.isEmpty, statement.last != " " { _ = words.popLast() }
    if let setting = valueOf(words) { return (lastWord.unicodeScalars.count, matching(values(of: setting, lastWord), lastWord)) }
    let word = String(before.reversed().prefix { $0.isLetter || $0.isNumber || "_-.%".contains($0) }.reversed())
    let count = word.unicodeScalars.count
    if word.hasPrefix("--") { return (count, matching(flags(words), word)) }
    if let dot = word.lastIndex(of: ".") {
      let name = String(word[..<dot])
      let prefix = String(word[word.index(after: dot)...])
      let fields = session.globals.own.first { $0.name == name }?.value.fieldNames ?? []
      return (prefix.unicodeScalars.count, matching(fields.map { Completion($0) }, prefix))
    }
    if let special = arguments(words) { return (count, matching(special, word)) }
    return (count, matching(expressions(isStart: words.isEmpty || words.last == "=" || words.last == "return"), word))
  }

  /// Asks for what will be wanted soon: whoever types `--model` wants to know the models.
  func anticipate(_ text: String) {
    guard text.hasSuffix("model ") || text.hasSuffix("/") && text.contains("model ") else { return }
    let typed = text.split(separator: " ").last.map(String.init) ?? ""
    let provider = typed.hasSuffix("/") ? String(typed.dropLast()) : session.settings.model.provider
    guard session.world.directory.providers().contains(where: { $0.id == provider && $0.isReady }) else { return }
    _ = catalog.names(of: provider)
  }

  // MARK: by place

  private func flags(_ words: [String]) -> [Completion] {
    guard let command = words.lazy.compactMap(CommandRegistry.named).first else {
      return SettingDefinition.requestFlags.map { Completion("--" + $0.name, note: $0.summary) }
    }
    let own = command.flags.map { Completion("--" + $0.name, note: $0.summary) }
    return own + (command.takesRequestFlags ? SettingDefinition.requestFlags.map { Completion("--" + $0.name, note: $0.summary) } : [])
  }

  /// The setting whose value is being written: `set NAME …`, `--name …`.
  private func valueOf(_ words: [String]) -> SettingDefinition? {
    if words.first == "set", words.count == 2 { return SettingDefinition.named(words[1]) }
    if let last = words.last, last.hasPrefix("--") { return SettingDefinition.requestFlags.first { "--" + $0.name == last } }
    return nil
  }

  private func values(of setting: SettingDefinition, _ word: String) -> [Completion] {
    let off = Completion("off")
    switch setting.kind {
    case .onOff, .place: return [Completion("on"), off]
    case .width:
      return [Completion("auto", note: "finds it for each model; `auto 4..200` within a range")]
        + ["4", "8", "16", "64"].map { Completion($0) }
    case .budget: return [Completion("tokens", note: "so many in the whole session"), off]
    case .percentile: return ["p90", "p95", "p99"].map { Completion($0) } + [off]
    case .duration: return ["10s", "30s", "60s", "2m"].map { Completion($0) } + [off]
    case .model: return models(word)
    case .text, .texts, .members, .headers: return [off]
    case .choice(let words): return words.map { Completion($0) }
    case .number(let range): return [Completion("\(range.lowerBound)"), Completion("\(range.upperBound)")]
    case .whole: return []
    }
  }

  private func models(_ word: String) -> [Completion] {
    let providers = session.world.directory.providers()
    // Only servers that can be asked without a key that is not there.
    let provider = word.split(separator: "/", omittingEmptySubsequences: false).first.map(String.init) ?? ""
    guard word.contains("/"), providers.contains(where: { $0.id == provider && $0.isReady }) else {
      return providers.map { Completion("\($0.id)/", note: $0.isReady ? $0.baseURL : "its key is not set") }
    }
    let example = providers.first { $0.id == provider }?.exampleModel.map { [$0] } ?? []
    let names = catalog.names(of: provider)
    guard names.isEmpty else { return names.map { Completion("\(provider)/\($0)") } }
    return example.map { Completion("\(provider)/\($0)") } + [Completion("\(provider)/", note: "asking the server")]
  }

  /// Words that a command takes as its arguments.
  private func arguments(_ words: [String]) -> [Completion]? {
    guard let command = words.first else { return nil }
    switch command {
    case "set", "unset":
      if words.count == 1 { return SettingDefinition.all.map { Completion($0.name, note: $0.summary) } }
      guard words.last == "for" else { return [Completion("for", note: "one job, provider or model alone")] }
      return jobs + session.world.directory.providers().map { Completion($0.id, note: $0.baseURL) }
    case "help": return HelpText.topics.map { Completion($0) }
    case "use", "models": return session.world.directory.providers().map { Completion($0.id, note: $0.baseURL) }
    case "on", "off": return words.count == 1 ? CallbackEvents.names.map { Completion($0) } : nil
    case "gather", "peek", "fg", "bg", "pause", "resume", "cancel", "why", "watch":
      return jobs.isEmpty ? nil : jobs
    default: return nil
    }
  }

  private var jobs: [Completion] {
    session.reachableJobs.flatMap { handle -> [Completion] in
      let progress = handle.job.progress
      let note = "\(progress.state.rawValue) \(progress.done)\(progress.total.map { "/\($0)" } ?? "")"
      let name = handle.variable == nil ? [] : [Completion(handle.job.name, note: note)]
      return name + (handle.job.number.map { [Completion("%\($0)", note: "\(handle.job.name) \(note)")] } ?? [])
    }
  }

  private func expressions(isStart: Bool) -> [Completion] {
    let variables = session.globals.own.map { Completion($0.name, note: $0.value.kind) }
    let functions = Functions.all.map { Completion($0.name, note: $0.summary) }
    let commands = CommandRegistry.all.filter { $0.name != "!" && $0.summary != "not yet" }.map { Completion($0.name, note: $0.summary) }
    return isStart ? commands + variables + functions : variables + functions
  }

  private func matching(_ choices: [Completion], _ prefix: String) -> [Completion] {
    var seen: Set<String> = []
    return choices.filter { $0.text.hasPrefix(prefix) && seen.insert($0.text).inserted }.sorted { $0.text < $1.text }
  }

  // MARK: files

  /// The text after a quote that is still open.
  private func openQuote(_ text: String) -> String? {
    var open: Character?
    var content = ""
    for character in text {
      if let quote = open {
        if character == quote { open = nil } else { content.append(character) }
      } else if character == "\"" || character == "'" {
        open = character
        content = ""
      }
    }
    return open == nil ? nil : content
  }

  private func files(_ path: String) -> (replaced: Int, choices: [Completion]) {
    let slash = path.lastIndex(of: "/")
    let folder = slash.map { String(path[...$0]) } ?? ""
    let prefix = slash.map { String(path[path.index(after: $0)...]) } ?? path
    guard let directory = opendir(SystemText.bytes(folder.isEmpty ? "." : folder)) else { return (0, []) }
    defer { closedir(directory) }
    var choices: [Completion] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { SystemText.text($0) }
      }
      guard name.hasPrefix(prefix), !name.hasPrefix(".") || prefix.hasPrefix(".") else { continue }
      // A name with control characters would be obeyed by the terminal it is shown on.
      guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }) else { continue }
      choices.append(Completion(name + (Int32(entry.pointee.d_type) == Int32(DT_DIR) ? "/" : "")))
    }
    return (prefix.unicodeScalars.count, choices.sorted { $0.text < $1.text })
  }
}
