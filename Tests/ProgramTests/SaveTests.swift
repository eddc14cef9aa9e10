import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `save` harms nothing that was there, and loses no row it was given.
@Suite struct SaveTests {
  private func run(_ script: String, model: String = "sim/fast", interruptAfter: String? = nil) async throws -> Program.Result {
    try await Program.run(["-m", model, "-e", script], interruptAfter: interruptAfter)
  }

  private func mode(_ path: String) -> mode_t {
    var status = stat()
    return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  private func isLink(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  @Test func modeAndLinksStay() async throws {
    let folder = try Scratch()
    try folder.write("old.csv", "a\n1\n")
    chmod("\(folder.path)/old.csv", 0o600)
    symlink("old.csv", "\(folder.path)/link.csv")
    let result = try await run("save [{a: 2}] \"\(folder.path)/link.csv\"")
    #expect(result.status == 0, "\(result)")
    #expect(folder.read("old.csv") == "a\n2\n")
    #expect(mode("\(folder.path)/old.csv") == 0o600)
    #expect(isLink("\(folder.path)/link.csv"))
    #expect(folder.read("old.csv.partial") == nil)
  }

  @Test func aPlantedLinkIsNotWrittenThrough() async throws {
    let folder = try Scratch()
    try folder.write("victim", "precious")
    symlink("victim", "\(folder.path)/new.csv.partial")
    let result = try await run("save [{a: 1}] \"\(folder.path)/new.csv\"")
    #expect(result.status == 0 && result.errors.contains("it is kept as"), "\(result)")
    #expect(folder.read("victim") == "precious")
    #expect(folder.read("new.csv") == "a\n1\n")
    #expect(isLink("\(folder.path)/new.csv.partial.1"))
  }

  @Test func whatARunLeftThatEndedEarlyIsKept() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl.partial", "{\"a\":1}\n")
    let result = try await run("save [{a: 2}] \"\(folder.path)/x.jsonl\"; load \"\(folder.path)/x.jsonl.partial.1\" | print")
    #expect(result.output == "{a: 1}\n" && result.errors.contains("x.jsonl.partial.1"), "\(result)")
    #expect(folder.read("x.jsonl") == "{\"a\":2}\n")
  }

  /// The second is told before it sends anything.
  @Test func oneWriterAFile() async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.jsonl"
    // Another `save` is at work.
    let descriptor = open("\(file).partial", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    defer { close(descriptor) }
    #expect(flock(descriptor, LOCK_EX) == 0)
    let result = try await run(
      """
      on end { print "sent" }
      try { map 1..2 "x {it}" | save "\(file)" } catch e { print e.message }
      try { map 1..2 "x {it}" | save "\(file)" --append } catch e { print e.message }
      """)
    let told = "\(file): it is being written by another `save`\n"
    #expect(result.output == told + told, "\(result)")
  }

  /// ^C of a run again leaves the whole file of the first in its place.
  @Test func anInterruptedRunReplacesNothing() async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.jsonl"
    let whole = "{\"a\":1}\n{\"a\":2}\n"
    try folder.write("x.jsonl", whole)
    let result = try await run(
      "set concurrency 1; on end { log \"one is done\" }; map 1..200 \"Tell a story of {it}.\" --max-tokens 3 | save \"\(file)\"",
      model: "sim/story",
      interruptAfter: "one is done")
    #expect(result.status == 130, "\(result)")
    #expect(folder.read("x.jsonl") == whole)
  }

  /// Fewer answers than the file has: it stays, the rows lie beside it, and the exit status tells.
  @Test func aWorseRunDoesNotReplaceABetter() async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.csv"
    _ = try await run("map 1..4 \"say {it}\" | save \"\(file)\"")
    let before = try #require(folder.read("x.csv"))
    let result = try await Program.run(
      ["-m", "sim/flaky", "--faults", "500=1", "-e", "set retries 0; map 1..4 \"say {it}\" | save \"\(file)\""])
    #expect(result.status == 3, "\(result)")
    #expect(result.errors.contains("x.csv is as it was, for it has more answers"), "\(result)")
    #expect(folder.read("x.csv") == before)
    #expect(folder.lines("x.csv.partial").count == 5)
  }

  @Test func aFullDiskKeepsEveryWholeRow() async throws {
    let folder = try Scratch()
    // A limit of the files' size stands for a full disk; `sh` counts in 512 or in 1024 bytes.
    for (name, ending) in [("x.jsonl", "\n"), ("x.json", "\n]\n")] {
      try folder.write("s.psh", "save (1..2000) \"\(folder.path)/\(name)\"\n")
      let result = try await Program.run(
        ["-e", "!trap '' XFSZ; ulimit -f 2; \(Program.path) \(folder.path)/s.psh 2>&1 | cat"])
      #expect(result.output.contains("File too large"), "\(result)")
      let text = try #require(folder.read(name))
      let numbers = text.split { "[],\n".contains($0) }.compactMap { Int($0) }
      #expect(numbers.count > 200 && numbers == Array(1...numbers.count) && text.hasSuffix(ending), "\(text.suffix(40))")
      #expect(result.output.contains("\(numbers.count) rows written to"), "\(result)")
    }
  }

  @Test func aFullDeviceIsToldOf() async throws {
    let result = try await Program.run(["-e", "save (1..2000) \"/dev/full\" --format jsonl"])
    #expect(result.status == 1 && result.errors.contains("No space left on device"), "\(result)")
  }

  @Test func addingLooksAtWhatIsThere() async throws {
    let folder = try Scratch()
    try folder.write("x.csv", "a,b\n1,2")
    try folder.write("x.jsonl", "{\"a\":1}")
    let result = try await run(
      """
      save [{b: 4, a: 3}] "\(folder.path)/x.csv" --append
      save [{a: 2}] "\(folder.path)/x.jsonl" --append
      try { save [{a: 5, c: 6}] "\(folder.path)/x.csv" --append } catch e { print e.message }
      """)
    #expect(folder.read("x.csv") == "a,b\n1,2\n3,4\n", "\(result)")
    #expect(folder.read("x.jsonl") == "{\"a\":1}\n{\"a\":2}\n")
    #expect(result.output.contains("a field `c` that the file has no column for; its columns are `a` `b`"), "\(result)")
  }
}
