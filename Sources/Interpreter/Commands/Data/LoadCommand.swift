import Formats
import JSON
import Language

extension CommandDefinition {
  static let load = CommandDefinition(
    name: "load", group: .data, summary: "reads rows from a file: .jsonl .json .csv .tsv .txt .md, or - for standard input",
    usage: ["load \"file.csv\"", "load - --format jsonl"], arguments: 1...1,
    flags: [FlagDefinition(name: "format", summary: "jsonl, json, csv, tsv, txt or md, where the name does not say it")],
    examples: [
      "save [{question: \"2 + 2?\"}] \"/tmp/promptsh-example.jsonl\"\nload \"/tmp/promptsh-example.jsonl\" | map \"Answer in one word: {question}\""
    ]
  ) { call in
    let path = try await call.path(0)
    let format = try await call.format(path, fallback: path == "-" ? .txt : nil)
    let file: any FileReading
    do throws(FileProblem) { file = try call.world.files.open(path) } catch {
      throw call.error("\(path): \(error.message)", at: call.command.arguments[0].span)
    }
    let context = call.context
    let span = call.command.arguments[0].span
    let source = FileSource(file, format: format) { fault in
      switch fault {
      case .file(let problem): context.error("\(path): \(problem.message)", at: span)
      case .content(let error):
        context.error(
          "\(path):\(error.line):\(error.column): \(error.message)", at: span,
          help: "a \(format.rawValue) file was expected; `--format` says otherwise")
      }
    }
    if file.isPlainFile { try source.begin() }
    // A markdown file is one text, not a list of one.
    if format == .md { return .value(try await source.next() ?? .text("")) }
    return .rows(RowStream(source: source, context: call.context(for: source.visible ?? [])))
  }
}

extension Invocation {
  /// A file's name: a text, or `-`.
  func path(_ index: Int) async throws -> String {
    let expression = command.arguments[index]
    let path = try await text(index, "a file's name")
    if path.isEmpty { throw error("a file's name is empty", at: expression.span) }
    if path.utf8.contains(0) { throw error("a file's name holds a NUL", at: expression.span) }
    return path
  }

  func format(_ path: String, fallback: FileFormat?) async throws -> FileFormat {
    let names = FileFormat.allCases.map(\.rawValue)
    if let given = try await flagValue("format") {
      guard let format = FileFormat(rawValue: given.text) else {
        throw error(
          "there is no format \(given.preview)", at: flag("format")?.name.span, help: Suggestion.help(for: given.text, among: names))
      }
      return format
    }
    guard let format = FileFormat(path: path) ?? fallback else {
      throw error(
        "\(path) does not say what it holds", at: command.arguments.last?.span,
        help: "the extensions are .\(names.joined(separator: " .")); or --format jsonl")
    }
    return format
  }
}
