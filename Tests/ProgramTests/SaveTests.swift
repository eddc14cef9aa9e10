import TestSupport
import Testing
import Threads

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

  /// Another may have made it a moment ago and not locked it yet: whoever locks it first writes in it, and nothing is kept of it. With
  /// other names it is somebody's file.
  @Test(arguments: [false, true]) func anEmptyOneIsNoRunThatEndedEarly(hasOtherName: Bool) async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl.partial", "")
    chmod("\(folder.path)/x.jsonl.partial", 0o600)
    if hasOtherName { link("\(folder.path)/x.jsonl.partial", "\(folder.path)/precious") }
    let result = try await run("save [{a: 2}] \"\(folder.path)/x.jsonl\"")
    #expect(result.status == 0 && result.errors.contains("ended early") == hasOtherName, "\(result)")
    #expect(folder.read("x.jsonl") == "{\"a\":2}\n" && folder.read("x.jsonl.partial") == nil)
    #expect((folder.read("x.jsonl.partial.1") == "") == hasOtherName && folder.read("precious") == (hasOtherName ? "" : nil))
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

  /// Whatever ends a run before its time, and whoever wrote the file that stands there.
  @Test(arguments: [
    ("timeout 3s { map 1..3 \"stuck {it}\" | save \"@\" }", 1),
    ("let j = map 1..3 \"stuck {it}\" | save \"@\" &; let other = ask \"go\"; cancel j", 3),
    ("set budget tokens 1; map 1..3 \"go {it}\" | save \"@\"", 3),
  ])
  func aRunThatIsCutShortReplacesNothing(_ script: String, _ status: Int32) async throws {
    let folder = try Scratch()
    try folder.write("x.csv", "a\n\"\"\n")
    let count = Atomic(0)
    let stuck = Opening()
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("go") {
        // All are under way by then.
        if script.contains("stuck") { stuck.wait() }
        call.answer("yes")
        return true
      }
      if count.add(1, ordering: .relaxed).newValue == 3 { stuck.open() }
      call.connection.waitForClose()
      return false
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", script.replacing("@", with: "\(folder.path)/x.csv")], environment: server.environment)
    #expect(result.status == status, "\(result)")
    #expect(folder.read("x.csv") == "a\n\"\"\n")
    #expect(folder.lines("x.csv.partial").count == 4, "\(result)")
    #expect(result.errors.contains("x.csv is as it was, for the run is not whole"), "\(result)")
  }

  @Test(arguments: [SIGTERM, SIGHUP])
  func aSignalReplacesNothing(_ number: Int32) async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{}\n{}\n")
    let result = try await Program.run(
      [
        "-m", "sim/story", "-e",
        "set concurrency 1; on end { log \"one is done\" }; map 1..200 \"{it}\" --max-tokens 3 | save \"\(folder.path)/x.jsonl\"",
      ], interruptAfter: "one is done", signals: [number])
    #expect(result.status == 128 + number, "\(result)")
    #expect(folder.read("x.jsonl") == "{}\n{}\n")
    #expect(folder.lines("x.jsonl.partial").count > 0, "\(result)")
  }

  /// Rows that are no replies any more have answers too.
  @Test func aWorseRunDoesNotReplaceBetterRecords() async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.csv"
    _ = try await run("map 1..4 \"say {it}\" | select input text | save \"\(file)\"")
    let before = try #require(folder.read("x.csv"))
    let result = try await Program.run([
      "-m", "sim/flaky", "--faults", "500=1", "-e", "set retries 0; map 1..4 \"say {it}\" | select input text | save \"\(file)\"",
    ])
    #expect(result.status == 3 && folder.read("x.csv") == before, "\(result)")
  }

  /// (The thread sanitizer needs files of its own.)
  @Test(.enabled(if: !Patience.isSanitized)) func aFullDiskKeepsEveryWholeRow() async throws {
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

  /// Values under their own columns, in a table of any kind; rows behind something else bring their own header.
  @Test func addingToTables() async throws {
    let folder = try Scratch()
    try folder.write("x.md", "# Notes\n\nwords\n")
    try folder.write("y.csv", "\n")
    let result = try await run(
      """
      save [{a: 1, b: 2}] "\(folder.path)/x.md" --append
      save [{b: 4, a: 3}] "\(folder.path)/x.md" --append
      save [{a: 1, b: 2}] "\(folder.path)/y.csv" --append
      save [{b: 4, a: 3}] "\(folder.path)/y.csv" --append
      try { save [{c: 1}] "\(folder.path)/x.md" --append } catch e { print e.message }
      """)
    #expect(folder.read("x.md") == "# Notes\n\nwords\n\n| a | b |\n| --: | --: |\n| 1 | 2 |\n| 3 | 4 |\n", "\(result)")
    #expect(folder.read("y.csv") == "\na,b\n1,2\n3,4\n")
    #expect(result.output.contains("a field `c` that the file has no column for; its columns are `a` `b`"), "\(result)")
  }

  /// It would become a part of the cell that is open there.
  @Test func nothingIsAddedWithinQuotes() async throws {
    let folder = try Scratch()
    try folder.write("torn.csv", "a,b\n1,\"2")
    try folder.write("inch.csv", "a,b\n1,5\" wide\n")
    let result = try await run(
      """
      try { save [{a: 3, b: 4}] "\(folder.path)/torn.csv" --append } catch e { print e.message }
      save [{a: 3, b: 4}] "\(folder.path)/inch.csv" --append
      """)
    #expect(result.output.contains("torn.csv: line 2: a quote that opens here is never closed"), "\(result)")
    #expect(folder.read("torn.csv") == "a,b\n1,\"2")
    #expect(folder.read("inch.csv") == "a,b\n1,5\" wide\n3,4\n")
  }

  /// What is added behind a row that was cut off could not be loaded: that is told before anything is sent, and the file stays as it is.
  @Test(arguments: [
    ("x.jsonl", "{\"a\":1}\n{\"a\":2,\"b\":\"to", "line 2: this line is not JSON: "),
    ("x.jsonl", "{\"a\":1}\n{\"a\":2,\"b\":\"to\n\n", "line 2: this line is not JSON: "),
    ("x.jsonl", "{\"a\":1,", "line 1: this line is not JSON: "),
    ("x.jsonl", "{\"a\":1}\n{\n  \"a\": 2,\n  \"b\"", "line 2: this line is not JSON: "),
    ("x.csv", "a,b\n1,2\n3", "line 3: this row is cut off"),
    ("x.tsv", "a\tb\n1\t\"2\n3\"\n4", "line 4: this row is cut off"), ("x.csv", "a,b\r\n1,2\r\n3,\"", "line 3: a quote that opens here"),
    ("x.md", "| a | b |\n| --- | --- |\n| 1 | 2", "line 3: this row of a table is cut off"),
  ])
  func nothingIsAddedBehindHalfARow(_ name: String, _ text: String, _ problem: String) async throws {
    let folder = try Scratch()
    let path = "\(folder.path)/\(name)"
    try folder.write(name, text)
    let result = try await Program.run([
      "-m", "sim/fast", "-e", "on end { print \"sent\" }", "-e", "map 1..2 \"{it}\" | select a (text) b (it) | save \"\(path)\" --append",
    ])
    #expect(result.status == 1 && result.output == "" && result.errors.contains("\(path): \(problem)"), "\(result)")
    #expect(folder.read(name) == text)
    if name == "x.md" { return }
    // What the message advises mends it.
    #expect(result.errors.contains("`load \"\(path)\" --lenient | save \"\(path)\"` leaves it out"), "\(result)")
    let mended = try await run(
      """
      load "\(path)" --lenient | save "\(path)"
      save [{a: 8, b: 9}] "\(path)" --append
      print (load "\(path)" | where a == 8 | count)
      """)
    #expect(mended.status == 0 && mended.output == "1\n", "\(mended)")
  }

  /// No line end is nothing to complain of, nor is a document over several lines or a long last row.
  @Test(arguments: [
    ("x.jsonl", "{\"a\":1}\n{\n  \"a\": 2\n}", 3), ("x.jsonl", "{\"a\":1}\n\n \n", 2), ("x.csv", "a,b\n1,\"2\"", 2), ("x.csv", "a,b", 1),
    ("x.jsonl", "{\"a\":\"" + String(repeating: "long ", count: 100_000) + "\"}", 2), ("x.jsonl", " \n", 1),
  ])
  func whatIsWholeIsAddedTo(_ name: String, _ text: String, _ count: Int) async throws {
    let folder = try Scratch()
    try folder.write(name, text)
    let result = try await run("save [{a: 8, b: 9}] \"\(folder.path)/\(name)\" --append\nprint (load \"\(folder.path)/\(name)\" | count)")
    #expect(result.status == 0 && result.output == "\(count)\n", "\(result)")
  }

  /// Also where the quotes come in pairs, since one within a cell opens nothing; far behind the header, and behind rows without any.
  @Test(arguments: [
    ("a,b\n1,5\" wide\n", "", "2,\"open", 3), ("a,b\r\n1,5\" wide\r\n", "", "2,\"open\r\n3,4\r\n", 3),
    ("a,b\n1,5\" wide\n", "1,2\n", "2,\"open\n", 400_003), ("a,b\n", "1,22\r\n", "2,5\" wide\r\n3,\"x", 400_003),
  ])
  func anOpenQuoteIsSeenAmongPairs(_ start: String, _ row: String, _ end: String, _ line: Int) async throws {
    let text = start + String(repeating: row, count: 400_000) + end
    let folder = try Scratch()
    try folder.write("x.csv", text)
    let result = try await run("save [{a: 3, b: 4}] \"\(folder.path)/x.csv\" --append")
    #expect(result.status == 1 && result.errors.contains("line \(line): a quote that opens here is never closed"), "\(result)")
    #expect(folder.read("x.csv") == text)
  }

  /// Quotes that open nothing, wherever the file is cut into pieces.
  @Test(arguments: ["1,5\" wide\n", "1,\"2\n\"\r\n", "12,\"\"\"\"\r", "1,2,3\n5,\"6\" x,\"7\n"])
  func rowsAreAddedBehindClosedQuotes(_ row: String) async throws {
    let folder = try Scratch()
    let text = "a,b\n" + [String](repeating: row + String(repeating: "123,4\n", count: 9000), count: 9).joined()
    try folder.write("x.csv", text)
    let result = try await run("save [{a: 3, b: 4}] \"\(folder.path)/x.csv\" --append")
    #expect(result.status == 0 && folder.read("x.csv") == text + "3,4\n", "\(result.errors)")
  }

  /// What Unicode counts among line ends may stand in a cell: the table goes on, and rows find their columns.
  @Test func aTableWithRareLineEndsIsAddedTo() async throws {
    let folder = try Scratch()
    try folder.write("rows.jsonl", #"{"a\\|b":"x\r1\u20282\u00853\u000b4\f5\u20296\r\n7","c":"y"}"# + "\n")
    let result = try await run(
      """
      load "\(folder.path)/rows.jsonl" | save "\(folder.path)/x.md"
      load "\(folder.path)/rows.jsonl" | save "\(folder.path)/x.md" --append
      """)
    let row = "| x<br>1\u{2028}2\u{85}3\u{B}4\u{C}5\u{2029}6<br>7 | y |\n"
    #expect(folder.read("x.md") == "| a\\\\\\|b | c |\n| --- | --- |\n" + row + row, "\(result)")
  }

  @Test(arguments: [
    "load \"@/items.csv\" | map \"x {q}\" | save \"@/old.csv\" --append",
    "map 1..2 \"x {it}\" | add score (1) | save \"@/old.csv\" --append",
    "map 1..2 \"x {it}\" --temperature [0, 1] | save \"@/old.csv\" --append",
    "map 1..2 \"x {it}\" | select text | save \"@/items.csv\" --append", "map 1..2 \"x {it}\" | save \"@/items.csv\" --append",
  ])
  func aNewColumnIsToldBeforeAnythingIsSent(_ line: String) async throws {
    let folder = try Scratch()
    try folder.write("items.csv", "q\n1\n")
    _ = try await Program.run(["-m", "sim/fast", "-e", "map 1..1 \"x {it}\" | save \"\(folder.path)/old.csv\""])
    let before = try #require(folder.read("old.csv"))
    let result = try await Program.run([
      "-m", "sim/fast", "-e", "on end { print \"sent\" }", "-e", line.replacing("@/", with: "\(folder.path)/"),
    ])
    #expect(result.status == 1 && result.output == "", "\(result)")
    #expect(result.errors.contains("that the file has no column for"), "\(result)")
    #expect(folder.read("old.csv") == before && folder.read("items.csv") == "q\n1\n")
  }

  /// Its own rows are not read again: without end, and until the disk is full.
  @Test func aFileMayGrowByItsOwnRows() async throws {
    let folder = try Scratch()
    let rows = (1...40_000).map { "{\"a\":\($0)}\n" }.joined()
    try folder.write("x.jsonl", rows)
    let result = try await Program.run(["-e", "load \"\(folder.path)/x.jsonl\" | save \"\(folder.path)/x.jsonl\" --append"])
    #expect(result.status == 0, "\(result)")
    #expect(folder.read("x.jsonl") == rows + rows)
  }

  /// What is printed there is not replaced by rows.
  @Test func standardOutputIsAFileThatIsNotReplaced() async throws {
    let folder = try Scratch()
    let result = try await Program.run(
      [
        "-e",
        """
        !\(Program.path) -e 'print "first"; save [{a: 1}] "/dev/stdout" --format jsonl; print "last"' > \(folder.path)/out.txt
        !\(Program.path) -e 'print "first"; save [{a: 1}] "\(folder.path)/own.jsonl"' > \(folder.path)/own.jsonl
        !\(Program.path) -e 'log "first"; save [{a: 1}] "/dev/stderr" --format jsonl; log "last"' 2> \(folder.path)/errors.txt
        !\(Program.path) -e 'save [{a: 1}] "/dev/fd/3" --format jsonl' 3> \(folder.path)/third.txt
        """,
      ])
    #expect(folder.read("out.txt") == "first\n{\"a\":1}\nlast\n", "\(result)")
    #expect(folder.read("own.jsonl") == "first\n")
    #expect(result.errors.contains("own.jsonl: standard output goes there; `save -` writes rows to it"), "\(result)")
    #expect(folder.read("errors.txt") == "first\n{\"a\":1}\n1 row written to /dev/stderr\nlast\n")
    #expect(folder.read("third.txt") == "{\"a\":1}\n")
  }

  @Test func linksInACircle() async throws {
    let folder = try Scratch()
    symlink("b", "\(folder.path)/a")
    symlink("a", "\(folder.path)/b")
    let result = try await run("save [1] \"\(folder.path)/a\" --format jsonl")
    #expect(result.status == 1 && result.errors.contains("symbolic links"), "\(result)")
    #expect(isLink("\(folder.path)/a") && isLink("\(folder.path)/b"))
  }

  /// A file of several names is written in its place; where there is no room the old content is whole.
  @Test func aFileOfSeveralNames() async throws {
    let folder = try Scratch()
    try folder.write("a.jsonl", "1\n")
    link("\(folder.path)/a.jsonl", "\(folder.path)/b.jsonl")
    let result = try await run("save [22, 3] \"\(folder.path)/a.jsonl\"; save [4] \"\(folder.path)/b.jsonl\"")
    #expect(result.status == 0 && folder.read("a.jsonl") == "4\n" && folder.read("b.jsonl") == "4\n", "\(result)")
  }

  @Test(arguments: ["[1] | save -; print 2", "([1] | save -); print 2"])
  func aDashBeforeASign(_ script: String) async throws {
    let result = try await run(script)
    #expect(result.status == 0 && result.output == "1\n2\n", "\(result)")
  }
}
