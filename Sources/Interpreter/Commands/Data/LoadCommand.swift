import Formats
import JSON
import Language
import Names

extension CommandDefinition {
  static let load = CommandDefinition(
    name: "load", group: .data, summary: "reads rows from a file: .jsonl .json .csv .tsv .txt .md, or - for standard input",
    usage: ["load \"file.csv\"", "load \"part-*.jsonl\"", "load - --format jsonl", "load \"file.csv\" --separator \";\" --text zip"],
    arguments: 1...1,
    flags: [
      FlagDefinition(
        name: "format", summary: "jsonl, json, csv, tsv, txt or md, where the name does not say it", accepts: FileFormat.accepted),
      FlagDefinition(name: "separator", summary: "what stands between the fields of a csv; tab for a tabulator"),
      FlagDefinition(name: "text", summary: "a column, or a [list] of them, that is text whatever stands in it"),
      FlagDefinition(name: "lenient", summary: "count and show bad rows, and pass over them", isSwitch: true),
    ],
    onlyReads: true,
    examples: [
      "save [{question: \"2 + 2?\"}] \"/tmp/promptsh-example.jsonl\"\nload \"/tmp/promptsh-example.jsonl\" | map \"Answer in one word: {question}\""
    ]
  ) { call in
    let path = try await call.path(0)
    let options = try await call.readingOptions()
    if let names = call.names(matching: path) {
      var sources: [(name: String, source: FileSource)] = []
      for name in names { sources.append((name, try await call.source(name, options))) }
      let joined = FilesSource(sources)
      if joined.visible?.contains(where: { $0.dataNames.contains(FilesSource.ownName) }) == true {
        call.session.noteOnce("the rows have a field `file`, as the column of their files; theirs is `\(FilesSource.ownName)`")
      }
      return .rows(RowStream(source: joined, context: call.context(for: joined.visible ?? [])))
    }
    let source = try await call.source(path, options)
    // A markdown file is one text, not a list of one.
    if source.format == .md { return .value(try await source.next() ?? .text("")) }
    return .rows(RowStream(source: source, context: call.context(for: source.visible ?? [])))
  }
}

extension Invocation {
  fileprivate func readingOptions() async throws -> ReadingOptions {
    var options = ReadingOptions()
    options.isLenient = has("lenient")
    if let given = try await flagValue("separator") {
      guard let byte = ReadingOptions.separator(given.text) else {
        throw error("`--separator` takes one character, or tab; not \(given.preview)", at: flag("separator")?.name.span)
      }
      options.separator = byte
    }
    if let given = try await flagValue("text") { options.textColumns = Set((given.elements ?? [given]).map(\.text)) }
    return options
  }

  /// The files that a pattern stands for, where it is one and no file has that very name.
  fileprivate func names(matching path: String) -> [String]? {
    guard path.contains(where: { "*?[".contains($0) }), world.files.ending(path, 1).isEmpty else { return nil }
    let names = world.files.matching(path)
    return names.isEmpty ? nil : names
  }

  /// A file, opened; of a plain one the first rows are read, so that what can be seen from them is checked before anything is sent.
  fileprivate func source(_ path: String, _ options: ReadingOptions) async throws -> FileSource {
    let span = command.arguments[0].span
    if let problem = Foreign.problem(path), flag("format") == nil { throw error(problem.message, at: span, help: problem.help) }
    let format = try await format(path, fallback: path == "-" ? .txt : nil)
    if options.separator != nil || !options.textColumns.isEmpty, !format.isTable {
      throw error("a .\(format.rawValue) file has no columns", at: span, help: "`--separator` and `--text` are for csv and tsv")
    }
    let file: any FileReading
    do throws(FileProblem) { file = try world.files.open(path) } catch { throw self.error("\(path): \(error.message)", at: span) }
    let context = context
    let shown = path == "-" ? "standard input" : path.oneLine
    let source = FileSource(file, reader: format.reader(options), format: format, inputs: context.inputs) { fault in
      switch fault {
      case .file(let problem): context.error("\(shown): \(problem.message)", at: span)
      case .content(let error):
        context.error(
          "\(shown):\(error.line):\(error.column): \(error.message)", at: span,
          help: error.help ?? Foreign.encoding(of: path, error, context.session.world.files)
            ?? "a \(format.rawValue) file was expected; `--format` says otherwise, `--lenient` passes over bad rows")
      }
    } passedOver: { faults in
      let first = faults.first.map { "\n  \(shown):\($0.line):\($0.column): \($0.message.oneLine)" }.joined()
      context.session.world.output.note("\(shown): \(RuleTally.rows(faults.count)) passed over\(first)\(faults.count > 3 ? "\n  …" : "")")
    }
    if file.isPlainFile { try source.begin() }
    if format.isTable, let name = source.onlyColumn, let other = [";", "\t", "|"].first(where: { name.contains($0) }) {
      session.noteOnce("\(path) has one column, `\(name.prefix(60))`; `--separator \"\(other)\"` reads it as several")
    }
    return source
  }

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
    if let format = try await flagValue("format").flatMap({ FileFormat(rawValue: $0.text) }) { return format }
    guard let format = FileFormat(path: path) ?? fallback else {
      throw error(
        "\(path) does not say what it holds", at: command.arguments.last?.span,
        help: "the extensions are .\(names.joined(separator: " .")); or --format jsonl")
    }
    return format
  }
}

extension ReadingOptions {
  /// One character, or its name.
  static func separator(_ word: String) -> UInt8? {
    let text = ["tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"][word] ?? word
    guard let byte = text.utf8.first, text.utf8.count == 1, byte != 0x0A, byte != 0x0D, byte != UInt8(ascii: "\"") else { return nil }
    return byte
  }
}

extension FileFormat {
  static let accepted = FlagDefinition.Accepts.words(allCases.map(\.rawValue))
}
