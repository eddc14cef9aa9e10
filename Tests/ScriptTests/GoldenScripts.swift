import Interpreter
import Language
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs every `Tests/Scripts/<feature>/<case>.psh` and compares with what stands in it:
/// `# expect: line` is a line of standard output, `# note: line` one of standard error, `# error: message` how the script ends, and
/// `# at: line:column` where that error points. `# calls: N` is how many were sent, `# unanswered: N` what the exit status goes by,
/// `# opens: N` how often a file was opened to be read.
@Suite struct GoldenScripts {
  static let folder = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Scripts"

  static let scripts: [String] = {
    var found: [String] = []
    func visit(_ path: String, _ prefix: String) {
      guard let directory = opendir(path) else { return }
      defer { closedir(directory) }
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasPrefix(".") { continue }
        if name.hasSuffix(".psh") { found.append(prefix + name) } else { visit(path + "/" + name, prefix + name + "/") }
      }
    }
    visit(folder, "")
    return found.sorted()
  }()

  @Test func thereAreScripts() { #expect(Self.scripts.count >= 20) }

  @Test(arguments: scripts)
  func runs(_ name: String) async throws {
    let text = try #require(Self.read(Self.folder + "/" + name))
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    func marked(_ mark: String) -> [String] {
      lines.compactMap { line in
        guard let at = line.ranges(of: "# \(mark):").first else { return nil }
        let rest = line[at.upperBound...]
        return String(rest.hasPrefix(" ") ? rest.dropFirst() : rest)
      }
    }
    let bench = TestBench(
      files: [
        "q.csv": "question,answer\n2 + 2?,4\n3 + 3?,6\n", "ragged.csv": "a,b\n1,2\n3\n", "bad.jsonl": "{\"a\":1}\n{\"a\":\n",
        "shadow.jsonl": "{\"text\":\"REVIEW\",\"error\":\"E\",\"index\":9,\"label\":\"pos\"}\n",
        "numbers.jsonl":
          "{\"id\":12345678901234567890,\"s\":9007199254740993,\"f\":1.10,\"e\":1E3,\"neg\":-0.0,\"n\":1.0,\"pi\":3.14159265358979,\"x\":0.000001234}\n",
        "names.txt": "Ada\nAlan\n", "note.md": "# Hi\n",
        "lib.psh": "def shout(x) = \"{upper(x)}!\"\nprompt told(x) = \"say {x}, told by lib\"\n", "lines.psh": "print \"sourced\"\n",
        "cycle.psh": "import \"cycle.psh\"\n",
      ],
      arguments: ["first", "second"])
    let diagnostic = await bench.run(text, name: String(name.split(separator: "/").last ?? ""))
    #expect(bench.output.lines == marked("expect"))
    for note in marked("note") { #expect(bench.output.notes.contains { $0.contains(note) }, "no note: \(note)") }
    let errors = marked("error")
    #expect(diagnostic?.message == errors.first)
    if let place = marked("at").first, let diagnostic {
      #expect(diagnostic.formatted().contains("\(name.split(separator: "/").last ?? ""):\(place)\n"), "\(diagnostic.formatted())")
    }
    for help in marked("help") { #expect(diagnostic?.help?.contains(help) == true, "\(diagnostic?.help ?? "no help")") }
    if let calls = marked("calls").first { #expect(bench.model.calls == Int(calls)) }
    if let opens = marked("opens").first { #expect(bench.files.opens.withLock { $0 } == Int(opens)) }
    if let unanswered = marked("unanswered").first {
      #expect(Int(unanswered).map { $0 == bench.session.unansweredPrompts } ?? (bench.session.unansweredPrompts > 0))
    }
    if let cancelled = marked("cancelled").first { #expect(bench.model.cancelled == Int(cancelled)) }
  }

  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The examples in every command's help do what they say: they run.
@Suite struct CommandExamples {
  static let examples = CommandRegistry.all.flatMap { command in command.examples.map { (command.name, $0) } }

  @Test(arguments: examples)
  func runs(_ command: String, _ example: String) async {
    let bench = TestBench()
    let diagnostic = await bench.run(example)
    #expect(diagnostic == nil, "\(diagnostic?.formatted() ?? "")")
  }

  @Test func everyCommandHasHelp() {
    for command in CommandRegistry.all {
      #expect(!command.summary.isEmpty && !command.usage.isEmpty)
      #expect(HelpText.topic(command.name)?.isEmpty == false)
    }
    for topic in HelpText.topics { #expect(HelpText.topic(topic) != nil, "\(topic)") }
  }
}
