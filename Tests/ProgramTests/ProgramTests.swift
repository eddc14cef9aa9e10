import Simulator
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The program itself, as its user runs it: arguments, pipes, exit statuses, signals.
@Suite struct ProgramTests {
  @Test func runsAnExpression() async throws {
    let result = try await Program.run(["-e", "print 1 + 1"])
    #expect(result.status == 0 && result.output == "2\n" && result.errors == "")
  }

  @Test func theMainJob() async throws {
    let script = """
      set model sim/fast
      set concurrency 5
      let facts = map 0..99 "Tell me a fact about number {it}"
      print len(facts) facts[7].failed
      facts[7].prompt
      stream "Write a short story." --max-tokens 4
      """
    let result = try await Program.run(["-e", script])
    #expect(result.status == 0)
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.prefix(2) == ["100 false", "Tell me a fact about number 7"])
    #expect(lines.last?.hasPrefix("[simulated]") == true)
    #expect(result.errors.contains("facts: 100 prompts, 100 answered"))
    // The same prompts get the same words, every time.
    #expect(try await Program.run(["-e", script]).output == result.output)
  }

  /// Rows that nobody wanted are none that were not sent: `take` behind a filter has enough.
  @Test func whatTakeLeavesIsNotMissing() async throws {
    let result = try await Program.run(
      [
        "-e", "let few = map 1..20 \"x {it}\" --model sim/fast | where len(text) > 0 | take 4",
        "-e", "let piped = load - | map \"x {it}\" --model sim/fast | take 2",
        "-e", "let both = map 1..20 \"x {it}\" --model [sim/fast, sim/fast] --max-tokens [3, 4] | where true | take 5",
      ], input: "one\ntwo\nthree\n", holdsInput: true)
    #expect(result.errors.contains("few: 4 prompts, 4 answered") && result.errors.contains("both: 5 prompts, 5 answered"), "\(result)")
    // Its source goes on, and is waited for no longer.
    #expect(result.errors.contains("piped: 2 prompts, 2 answered"), "\(result)")
  }

  @Test(arguments: [
    ("print (", 2), ("nonsense \"x\"", 2), ("print number(\"x\")", 1), ("ask \"x\" --model sim/flaky --retries 0", 3), ("exit 7", 7),
    ("ask \"x\" --model nowhere/x", 1),
  ])
  func exitStatuses(_ script: String, _ status: Int32) async throws {
    let result = try await Program.run(["--faults", "500=1", "-e", script])
    #expect(result.status == status, "\(result.errors)")
    #expect(status == 7 || !result.errors.isEmpty)
  }

  @Test func pipes() async throws {
    let rows = "{\"question\":\"one\"}\n{\"question\":\"two\"}\n"
    let script = "load - --format jsonl | map \"{question}?\" --model sim/fast | select question failed | save -"
    let result = try await Program.run(["-e", script], input: rows)
    #expect(result.output == "{\"question\":\"one\",\"failed\":false}\n{\"question\":\"two\",\"failed\":false}\n")
    // A script on standard input.
    #expect(try await Program.run([], input: "print 1\nprint 2").output == "1\n2\n")
    // A reader that goes away ends the run, quietly, with the status that a shell gives to what SIGPIPE ended.
    for script in ["1..1000000 | print", "for i in 1..100000 { print i }", "1..100000 | save -", "1..100000", "print 1"] {
      let closed = try await Program.run(["-e", script], closesOutput: true)
      #expect(closed.status == 141 && closed.errors.isEmpty, "\(script): \(closed)")
    }
    // What else is wrong is told all the same.
    let wrong = try await Program.run(["-e", "print number(\"x\")"], closesOutput: true)
    #expect(wrong.status == 1 && wrong.errors.contains("this is no number"), "\(wrong)")
  }

  /// What is printed to a pipe is there within a moment, not when the buffer is full or the script ends.
  @Test func whatIsPrintedIsSeen() async throws {
    // The reader has the line before the program goes on: it waits for what the reader does then.
    let folder = try Scratch()
    mkfifo("\(folder.path)/go", 0o600)
    let reader = "while read line; do echo $line; if [ $line = one ]; then echo two > \(folder.path)/go; fi; done"
    let result = try await Program.run(
      ["-c", "\"$0\" -e 'print \"one\"; load \"\(folder.path)/go\" --format txt | print' | \(reader)", Program.path], program: "/bin/sh")
    #expect(result.output == "one\ntwo\n", "\(result)")
  }

  @Test func aScriptOfAnotherSystemSendsLineFeeds() async throws {
    let folder = try Scratch()
    try folder.write("s.psh", "let t = \"\"\"\r\n  a\r\n  b\r\n  \"\"\"\r\nprint to_json(t)\r\nprint to_json(\"x\r\ny\")\r\n")
    try folder.write("i.psh", "import \"s2.psh\"\r\nprint to_json(u)\r\n")
    try folder.write("s2.psh", "let u = \"p\r\nq\"\r\n")
    #expect(try await Program.run(["\(folder.path)/s.psh"]).output == "\"a\\nb\"\n\"x\\ny\"\n")
    #expect(try await Program.run(["\(folder.path)/i.psh"]).output == "\"p\\nq\"\n")
    #expect(try await Program.run(["-e", "print to_json(\"x\r\ny\")"]).output == "\"x\\ny\"\n")
    #expect(try await Program.run([], input: "print to_json(\"x\r\ny\")\r\n").output == "\"x\\ny\"\n")
  }

  @Test func aFullDiskIsToldOf() async throws {
    let result = try await Program.run(["-e", "1..100000 | save \"/dev/full\" --format txt"])
    #expect(result.status == 1 && result.errors.contains("/dev/full: No space left on device"))
  }

  /// However a run is stopped: its streams are closed, and the file holds what finished, in whole rows.
  static let ends: [(signals: [Int32], status: Int32)] = [([SIGTERM], 128 + SIGTERM), ([SIGHUP], 128 + SIGHUP), ([SIGINT, SIGINT], 130)]

  @Test(arguments: ends) func everySignalEndsInOrder(_ signals: [Int32], _ status: Int32) async throws {
    let server = try await SimulatorServer.start()
    let path = "/tmp/promptsh-ends-\(getpid())-\(status).jsonl"
    defer { unlink(path) }
    let script = """
      use \(server.baseURL)
      set concurrency 20
      on end { log "one is done" }
      map 1..1000 "x {it}" --model openai/story --max-tokens 5 | save "\(path)"
      """
    let result = try await Program.run(["-e", script], interruptAfter: "one is done", signals: signals)
    #expect(result.status == status, "\(result.errors)")
    // The program is gone, and so are its connections: the server may need a moment to see the last of them.
    while server.log.counts.live > 0 { await Task.yield() }
    #expect(server.log.counts.requests < 1000)
    let file = try #require(fopen(path, "r"))
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var (capacity, rows) = (0, 0)
    while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
      #expect(text.hasPrefix("{") && text.hasSuffix("}\n"))
      rows += 1
    }
    free(line)
    #expect(rows > 0)
    try await server.stop()
  }

  @Test func interruptKeepsWhatFinishedAndSaysSo() async throws {
    let result = try await Program.run(
      ["-e", "set concurrency 2\non end { log \"one is done\" }\nmap 1..500 \"x {it}\" --max-tokens 2 | save - --format txt"],
      interruptAfter: "one is done")
    #expect(result.status == 130)
    #expect(result.errors.contains("in flight finish"))
    #expect(result.output.contains("[simulated]"))
  }

  @Test func noReplyWritesControlCharacters() async throws {
    let result = try await Program.run(["-e", "print \"\\u{1B}[31mred\""])
    #expect(result.output == "␛[31mred\n")
    #expect(try await Program.run(["-e", "print \"\\u{1B}[31mred\" --raw"]).output == "\u{1B}[31mred\n")
  }

  @Test func keysNeverShow() async throws {
    let key = "sk-verysecretkey12345"
    let result = try await Program.run(
      ["-e", "use\nask \"hi\" --retries 0"],
      environment: ["OPENAI_API_KEY": key, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_MODEL": "m"])
    #expect(result.status == 3)
    #expect(!(result.output + result.errors).contains(key))
  }

  @Test(arguments: ["tour", "gather", "story", "chain"])
  func examplesRun(_ name: String) async throws {
    let result = try await Program.run([Program.root + "/examples/\(name).psh"], environment: ["PROMPTSH_MODEL": "sim/fast"])
    #expect(result.status == 0 && result.output.contains("[simulated]"), "\(result.errors)")
  }

  @Test func checkTellsEveryError() async throws {
    let result = try await Program.run([
      "check", Program.root + "/Tests/Scripts/errors/not-yet.psh", Program.root + "/Tests/Scripts/errors/missing.psh",
    ])
    #expect(result.status == 0)
    let broken = try await Program.run(["check", "/dev/stdin"], input: "let = 1\naks \"x\"\nlet = 2\n")
    #expect(broken.status == 2)
    #expect(broken.errors.contains(":1:5") && broken.errors.contains(":3:5"))
    let flags = try await Program.run(["check", "/dev/stdin"], input: "print (map 1..3 \"{it}\" --w 1)\nask \"x\" --w 1\n")
    #expect(flags.status == 2 && flags.errors.split(separator: "\n").count { $0.hasPrefix("error") } == 2, "\(flags.errors)")
  }

  /// Every block of the tutorial, one after the other in one session.
  @Test func theTutorialRuns() async throws {
    let text = try await Program.run(["-e", "print (load \"\(Program.root)/docs/tutorial.md\")"]).output
    let blocks = text.split(separator: "```psh\n").dropFirst().compactMap { $0.split(separator: "\n```").first.map(String.init) }
    #expect(blocks.count >= 10)
    let result = try await Program.run(["-e", blocks.joined(separator: "\n")])
    #expect(result.status == 0 || result.status == 3, "\(result.errors)")
    #expect(result.errors.contains("32 prompts: 2 items × 2 prompts × 2 models × 2 temperatures × 2 samples"))
  }

  @Test func formatsAndHelps() async throws {
    #expect(try await Program.run(["fmt", "-"], input: "if  true {\nprint 1\n}").output == "if true {\n  print 1\n}\n")
    #expect(try await Program.run(["help", "map"]).output.contains("map items \"prompt with {it}\""))
    let warned = try await Program.run(["check", "/dev/stdin"], input: "let a = map 1..3 \"no hole\"\n")
    #expect(warned.status == 0 && warned.errors.contains("has no hole") && warned.errors.contains("nothing reads `a`"))
  }

  /// Against a real model, where `scripts/test` has started one.
  @Test(.enabled(if: Program.variable("PROMPTSH_LOCAL_MODEL") != nil)) func aRealModel() async throws {
    let url = try #require(Program.variable("PROMPTSH_LOCAL_MODEL"))
    let script = """
      use \(url)
      set concurrency 4
      let facts = map 0..5 "Tell me a fact about number {it}" --max-tokens 16 --temperature 0 --seed 7
      print len(facts) facts.failed
      print (facts | where tokens > 0 and tokens <= 16 and ttft <= latency | count)
      let a = ask "Name one river." --temperature 0 --seed 7 --max-tokens 12
      let b = ask "Name one river." --temperature 0 --seed 7 --max-tokens 12 --streaming off
      print a.text == b.text a.finish a.usage.input == b.usage.input
      """
    // The model computes on the processors that the other tests want.
    let result = try await Program.run(["-e", script], seconds: 240)
    #expect(result.status == 0, "\(result.errors)")
    let lines = result.output.split(separator: "\n").map(String.init)
    #expect(lines.first == "6 [false, false, false, false, false, false]")
    #expect(lines.dropFirst().first == "6")
    #expect(lines.last == "true length true" || lines.last == "true stop true")
    // The tutorials' three programs, unchanged: only their replies are kept short.
    for name in ["gather", "story", "chain"] {
      let example = try await Program.run(
        ["-e", "use \(url)\nset max-tokens 4\nsource \"\(Program.root)/examples/\(name).psh\""], seconds: 240)
      #expect(example.status == 0 && !example.output.isEmpty, "\(name): \(example.errors)")
    }
  }
}
