import Language

extension CommandDefinition {
  static let help = CommandDefinition(
    name: "help", group: .session, summary: "tells about a command, a setting, a function or a topic",
    usage: ["help", "help map", "help settings", "help functions"], takesWords: true,
    showsItself: true, steers: .always, examples: ["help map", "help functions"]
  ) { call in
    let text: String
    if let word = call.command.words.first {
      let topic = call.context.source.text(word.span)
      guard let found = HelpText.topic(topic) else {
        throw call.error(
          "there is no help for `\(topic)`", at: word.span,
          help: Suggestion.nearest(to: topic, among: HelpText.topics).map { "did you mean `\($0)`?" } ?? "`help` lists the commands")
      }
      text = found
    } else {
      text = HelpText.overview
    }
    do { try await call.world.output.print(text, raw: false) } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }
}

/// What `help` says, made from the registries.
public enum HelpText {
  public static var topics: [String] {
    CommandRegistry.all.map(\.name) + SettingDefinition.all.map(\.name) + Functions.names + [
      "settings", "functions", "fields", "holes", "values", "patterns",
    ]
  }

  public static var overview: String {
    var lines = ["A line says what to send, to which data, and how wide; a variable keeps what came back.", ""]
    for group in CommandDefinition.Group.allCases {
      let names = CommandRegistry.all.filter { $0.group == group && $0.summary != "not yet" }.map(\.name)
      lines.append("  \(group.rawValue)\(String(repeating: " ", count: 13 - group.rawValue.count))\(names.joined(separator: " "))")
    }
    lines += [
      "", "  ask \"Name one river.\"", "  let facts = map 0..99 \"Tell me a fact about number {it}\"",
      "  facts | where latency > 2s | sort -latency | take 5",
      "", "help COMMAND, help settings, help functions, help fields, help holes, help values, help patterns",
    ]
    return lines.joined(separator: "\n")
  }

  /// The parts of the reference that are made from the registries, as markdown.
  public static var reference: String {
    var lines: [String] = []
    for group in CommandDefinition.Group.allCases {
      lines += ["## Commands: \(group.rawValue)", ""]
      for definition in CommandRegistry.all where definition.group == group {
        if definition.summary == "not yet" {
          lines += ["### \(definition.name)", "", "Part of the language; not there yet.", ""]
        } else {
          lines += ["### \(definition.name)", "", "```", command(definition), "```", ""]
        }
      }
    }
    lines += ["## Settings", "", "| setting | what it is | takes | a flag too |", "|---|---|---|---|"]
    lines += SettingDefinition.all.map { "| `\($0.name)` | \($0.summary) | \($0.accepts) | \($0.isRequest ? "`--\($0.name)`" : "") |" }
    lines += ["", "## Fields of a reply", "", "| field | what it is |", "|---|---|"]
    lines += ReplyField.all.map { "| `\($0.name)` | \($0.summary) |" }
    lines += ["", "## Functions", "", "| function | what it gives |", "|---|---|"]
    lines += Functions.all.map { "| `\($0.usage)` | \($0.summary.replacing("|", with: "\\|")) |" }
    return lines.joined(separator: "\n")
  }

  public static func topic(_ name: String) -> String? {
    if let command = CommandRegistry.named(name) { return self.command(command) }
    switch name {
    case "settings": return SettingDefinition.all.map { "  \(padded($0.name, 20)) \($0.summary) (\($0.accepts))" }.joined(separator: "\n")
    case "functions": return Functions.all.map { "  \(padded($0.usage, 28)) \($0.summary)" }.joined(separator: "\n")
    case "fields": return ReplyField.all.map { "  \(padded($0.name, 12)) \($0.summary)" }.joined(separator: "\n")
    case "holes":
      return """
        "Write about {topic} for {reader.age}-year-olds": a hole is a brace followed by a letter, and holds any expression.
        {{name}} means the same. Any other brace is itself; \\{ is a brace. '…' takes everything as it stands; \"\"\" begins a text of many lines.
        `map` fills its prompt once per item: `it` is the item, `index` its place, and the fields of a record go by their own names.
        """
    case "values":
      return """
        text, number, true/false, nothing, duration (500ms, 30s), list [a, b], record {a: 1}, range (1..100), reply, job, prompt, function.
        A reply reads as its text. Its fields: \(ReplyField.names.joined(separator: " ")), then the columns of its sweep and of `add`, then the fields
        of its item; `help fields` says what they are. A field of the item that has one of these names is input.NAME.
        A field of a list is the list of fields: facts.latency. `_` is the last value shown.
        """
    case "patterns":
      return """
        A pattern is a regular expression, for `matches`, `find`, `substitute`: `reply.text matches "(?i)yes|no"`. It is looked for anywhere; ^ and $ are the text's ends.
        x* x+ x? x{2,5} (lazy with ? behind), a|b, [a-z], [^a-z], (group), (?:group), (?<name>group), (?i) (?m) (?s) (?x) for capitals, lines, dots, blanks.
        \\d \\w \\s \\D \\W \\S, \\p{L} and [[:alpha:]] (Unicode's classes), \\b \\B, \\A \\z, \\n \\t, \\x41 \\u{1F600}, \\Q…\\E; in "…" every \\ is written twice, in '…' once.
        No text can make one run away: it is matched in one pass. So there is no looking ahead or behind and no reference back to a group; a group picks a part instead: find(text, "Answer: (\\d+)").
        A character is a Unicode scalar: an accent that is a character of its own is matched on its own.
        """
    default: break
    }
    if let setting = SettingDefinition.named(name) {
      return
        "set \(setting.name) …\n  \(setting.summary)\n  takes \(setting.accepts)\(setting.isRequest ? "; also a flag, --\(setting.name)" : "")"
    }
    if let function = Functions.named(name) { return "\(function.usage)\n  \(function.summary)" }
    return nil
  }

  private static func command(_ command: CommandDefinition) -> String {
    var lines = command.usage + ["", "  \(command.summary)"]
    if !command.flags.isEmpty { lines.append("") }
    for flag in command.flags { lines.append("  \(padded("--" + flag.name, 16)) \(flag.summary)") }
    if command.takesRequestFlags {
      lines.append("  settings as flags: " + SettingDefinition.requestFlags.map { "--\($0.name)" }.joined(separator: " "))
    }
    if !command.examples.isEmpty {
      lines += ["", "examples:"] + command.examples.flatMap { $0.split(separator: "\n").map { "  \($0)" } + [""] }.dropLast()
    }
    return lines.joined(separator: "\n")
  }

  private static func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
}
