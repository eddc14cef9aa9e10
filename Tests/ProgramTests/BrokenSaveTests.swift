import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where `save` itself breaks, what its file did not take was paid for all the same: it is in `_`, and written down where an error ends
/// the script.
@Suite struct BrokenSaveTests {
  private func recovered(_ folder: Scratch) -> [String] {
    var found: [String] = []
    guard let directory = opendir("\(folder.path)/promptsh/recovered") else { return [] }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { found.append("promptsh/recovered/\(name)") }
    }
    return found.sorted()
  }

  /// Which prompts' answers these files hold.
  private func answers(_ folder: Scratch, _ files: [String]) -> Set<Int> {
    let text = files.compactMap { folder.read($0) }.joined()
    return Set((1...40).filter { text.contains("<n\($0)>") })
  }

  private func server() throws -> ChatServer {
    try ChatServer { call in
      call.answer("<\(call.prompt)>" + String(repeating: "long ", count: 20))
      return true
    }
  }

  /// How many answers the summary tells of.
  private func answered(_ text: String) -> Int {
    text.split(whereSeparator: { ",\n".contains($0) }).compactMap { part in
      part.hasSuffix(" answered") ? Int(part.dropFirst().prefix { $0.isNumber }) : nil
    }.reduce(0, +)
  }

  @Test(arguments: [
    "map 1..40 \"n{it}\" | save \"/dev/full\" --format jsonl", "map 1..1 \"n{it}\" | save \"/dev/full\" --format jsonl",
    "map 1..40 \"n{it}\" | where not failed | save \"/dev/full\" --format csv",
    "map 1..40 \"n{it}\" | take 30 | save \"/dev/full\" --format jsonl", "save (map 1..40 \"n{it}\") \"/dev/full\" --format jsonl",
    "map 1..40 \"n{it}\" | sort text | save \"/dev/full\" --format jsonl", "map 1..40 \"n{it}\" | save - --format jsonl",
    "def f(x) { map 1..x \"n{it}\" | save \"/dev/full\" --format jsonl }; f(40)",
    "def f(x) { if x == 3 { return {a: (ask \"n{x}\"), b: 1} }; return {a: (ask \"n{x}\")} }; each 1..6 f | save \"@.csv\"",
  ])
  func whatAFileDoesNotTakeIsKept(_ script: String) async throws {
    let folder = try Scratch()
    let server = try server()
    try folder.write("s.psh", "set concurrency 2\n" + script.replacing("@", with: "\(folder.path)/x") + "\nprint \"on\"\n")
    let result = try await Program.run(
      [
        "-e",
        "!XDG_STATE_HOME=\(folder.path) OPENAI_BASE_URL=\(server.url) OPENAI_API_KEY=k \(Program.path) -m openai/m \(folder.path)/s.psh "
          + "2> \(folder.path)/errors.txt > /dev/full",
      ])
    let errors = folder.read("errors.txt") ?? ""
    #expect(errors.contains("No space left on device") || errors.contains("has a field `b`"), "\(errors) \(result)")
    let kept = answers(folder, recovered(folder) + ["x.csv"])
    #expect(kept.count >= max(1, answered(errors)), "\(kept.count) \(errors)")
  }

  /// (The thread sanitizer needs files of its own.) A limit of the files' size stands for a full disk.
  @Test(.enabled(if: !Patience.isSanitized), arguments: ["", " --append"]) func aFullDisk(_ flag: String) async throws {
    let folder = try Scratch()
    let server = try server()
    try folder.write(
      "s.psh",
      """
      set concurrency 2
      try { map 1..40 "n{it}" | save "\(folder.path)/x.jsonl"\(flag) } catch e { print e.message }
      for r in _ { if not r.failed { print r.text } }
      """)
    let result = try await Program.run(
      [
        "-e",
        "!trap '' XFSZ; ulimit -f 4; OPENAI_BASE_URL=\(server.url) OPENAI_API_KEY=k \(Program.path) -m openai/m \(folder.path)/s.psh 2>&1 | cat",
      ])
    #expect(result.output.contains("x.jsonl: File too large"), "\(result)")
    let saved = answers(folder, ["x.jsonl"])
    let kept = Set((1...40).filter { result.output.contains("<n\($0)>") })
    #expect(!saved.isEmpty && !kept.isEmpty && saved.isDisjoint(with: kept), "\(saved) \(kept)")
    #expect(saved.count + kept.count >= answered(result.output) && answered(result.output) > 0, "\(saved) \(kept) \(result)")
  }

  /// What becomes of the file, or of its folder, while the third prompt is asked.
  private func run(_ folder: Scratch, _ line: String, _ meanwhile: @escaping @Sendable () -> Void) async throws -> Program.Result {
    let server = try ChatServer { call in
      if call.number == 3 { meanwhile() }
      call.answer("<\(call.prompt)>")
      return true
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    return try await Program.run(["-m", "openai/m", "-e", "set concurrency 1; map 1..6 \"n{it}\" | \(line)"], environment: environment)
  }

  @Test(arguments: ["", "{\"old\":1}\n"]) func aPartialFileThatIsTakenAwayIsMadeAgain(_ old: String) async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.jsonl"
    if !old.isEmpty { try folder.write("x.jsonl", old) }
    let result = try await run(folder, "save \"\(file)\"") { unlink(file + ".partial") }
    #expect(result.status == 0 && answers(folder, ["x.jsonl"]).count == 6, "\(result)")
    #expect(folder.lines("x.jsonl").count == 6 && folder.read("x.jsonl.partial") == nil)
  }

  @Test(arguments: [true, false]) func whereTheFileIsGoneTheRowsAreWrittenDown(isFolder: Bool) async throws {
    let folder = try Scratch()
    let place = "\(folder.path)/gone"
    mkdir(place, 0o700)
    let result = try await run(folder, "save \"\(place)/x.jsonl\"\(isFolder ? "" : " --append")") {
      unlink(place + "/x.jsonl")
      unlink(place + "/x.jsonl.partial")
      if isFolder { rmdir(place) }
    }
    let files = recovered(folder)
    #expect(result.status == 1 && files.count == 1 && answers(folder, files).count == 6, "\(files) \(result)")
    #expect(result.errors.contains("its rows are in \(folder.path)/\(files.first ?? "")"), "\(result.errors)")
    let next = try await Program.run(["-e", "print 1"], environment: ["XDG_STATE_HOME": folder.path])
    #expect(next.errors.contains("\(folder.path)/\(files.first ?? "-")"), "\(next)")
  }
}
