import Editor
import Interpreter

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What could stand at the cursor: commands, flags, settings, variables, their fields, functions; file names inside quotes.
struct Completer: Sendable {
  let session: Session

  func complete(_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion]) {
    let before = String(String.UnicodeScalarView(text.unicodeScalars.prefix(cursor)))
    if let quote = openQuote(before) { return files(quote) }
    let word = String(before.reversed().prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == "." }.reversed())
    let head = before.dropLast(word.count)
    let statement =
      head.split(whereSeparator: { $0 == "|" || $0 == ";" || $0.isNewline || $0 == "{" || $0 == "(" }).last.map(String.init) ?? ""
    let words = statement.split(separator: " ").map(String.init)
    let count = word.unicodeScalars.count
    if word.hasPrefix("--") {
      let command = words.first { CommandRegistry.named($0) != nil }
      let names = command.flatMap(CommandRegistry.named)?.flagNames ?? SettingDefinition.requestFlags.map(\.name)
      return (count, matching(names.map { Completion("--" + $0, note: SettingDefinition.named($0)?.summary ?? "") }, word))
    }
    if let dot = word.lastIndex(of: ".") {
      let name = String(word[..<dot])
      let prefix = String(word[word.index(after: dot)...])
      let fields = session.globals.own.first { $0.name == name }?.value.fieldNames ?? []
      return (prefix.unicodeScalars.count, matching(fields.map { Completion($0) }, prefix))
    }
    if words.first == "set" || words.first == "unset", words.count == 1 {
      return (count, matching(SettingDefinition.all.map { Completion($0.name, note: $0.summary) }, word))
    }
    if words.first == "help" { return (count, matching(HelpText.topics.map { Completion($0) }, word)) }
    let variables = session.globals.own.map { Completion($0.name, note: $0.value.kind) }
    let functions = Functions.all.map { Completion($0.name, note: $0.summary) }
    let commands = CommandRegistry.all.filter { $0.name != "!" }.map { Completion($0.name, note: $0.summary) }
    let isStart = words.isEmpty || words.last == "="
    var choices = matching(isStart ? commands + variables + functions : variables + functions, word)
    var seen: Set<String> = []
    choices = choices.filter { seen.insert($0.text).inserted }
    return (count, choices)
  }

  private func matching(_ choices: [Completion], _ prefix: String) -> [Completion] {
    choices.filter { $0.text.hasPrefix(prefix) }.sorted { $0.text < $1.text }
  }

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
    guard let directory = opendir(folder.isEmpty ? "." : folder) else { return (0, []) }
    defer { closedir(directory) }
    var choices: [Completion] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix(prefix), !name.hasPrefix(".") || prefix.hasPrefix(".") else { continue }
      choices.append(Completion(name + (Int32(entry.pointee.d_type) == Int32(DT_DIR) ? "/" : "")))
    }
    return (prefix.unicodeScalars.count, choices.sorted { $0.text < $1.text })
  }
}
