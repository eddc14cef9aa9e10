import TestSupport
import Testing

/// What was changed of rows after their launch (`set … for JOB`, `retry` with a setting) is what their columns say, again and again.
@Suite struct ChangedRowTests {
  /// A row that was sent with a setting of `set … for JOB` keeps its column when it is made again, and in the file.
  @Test func aColumnOutlivesARetry() async throws {
    let folder = try Scratch()
    let gone = Opening()
    let server = try ChatServer.refusing(butNot: "go") { call in
      if call.prompt == "go" { gone.open() } else if call.prompt == "row 1" { gone.wait() }
    }
    // Row 1 has the session's only place until the sets are done, and then the job's, until `go` is asked: the others are sent later.
    let script = """
      set model openai/m
      set retries 0
      set stop-after off
      set concurrency 1
      let j = map 1..3 "row {it}" &
      set concurrency 1 for j
      set temperature 0.25 max-tokens 9 for j
      set concurrency 4
      ask "go"
      gather j
      retry j
      print j[2].failed j[2].temperature j[2].max_tokens
      j | select index temperature settings | skip 2
      save j "\(folder.path)/j.jsonl"
      print (load "\(folder.path)/j.jsonl")[2].temperature
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0 && result.output.contains("\nfalse 0.25 9\n") && result.output.hasSuffix("\n0.25\n"), "\(result)")
  }

  /// An axis of a sweep that `retry` overrules says what was sent, also after the next `retry` that names nothing, and from a file.
  @Test(arguments: ["let q = q", "save q \"FOLDER/q.jsonl\"\nlet q = load \"FOLDER/q.jsonl\""])
  func anAxisSaysWhatWasSent(_ between: String) async throws {
    let folder = try Scratch()
    let server = try ChatServer.refusing(8, butNot: "go")
    let script = """
      set model openai/m
      set retries 0
      set stop-after off
      let q = map ["a"] "{it}" --temperature [0.5, 1] --system ["x", "y"]
      \(between.replacing("FOLDER", with: folder.path))
      retry q --temperature 0.75
      retry q
      print failed(q).index q.temperature q.system q.settings.temperature
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "[] [0.75, 0.75, 0.75, 0.75] [\"x\", \"y\", \"x\", \"y\"] [0.75, 0.75, 0.75, 0.75]\n", "\(result)")
  }

  /// `on start` tells of calls that go out, not of those that wait for a place.
  @Test func startIsWhenACallLeaves() async throws {
    let server = try ChatServer { call in
      call.answer("yes")
      return true
    }
    let script = """
      set model openai/m
      set concurrency 1
      let begun = 0
      let ended = 0
      on start { let begun = begun + 1 }
      on end {
        let ended = ended + 1
        if ended == 1 { log "begun by then: {begun}" }
      }
      together { ask "1" ; ask "2" ; ask "3" ; ask "4" ; ask "5" }
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    // The place goes to the next before the end of the first is told.
    #expect(result.status == 0, "\(result)")
    #expect(result.errors.contains("begun by then: 1\n") || result.errors.contains("begun by then: 2\n"), "\(result)")
  }

  /// What runs without a variable is called by its command.
  @Test func aJobIsNamedByItsCommand() async throws {
    let server = try ChatServer { call in
      call.answer("yes")
      return true
    }
    let script = """
      set model openai/m
      def f(x) { return ask "{x}" }
      [1, 2] | add a { ask "{it}" }
      each 1..3 f
      map 1..4 "{it}"
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    for words in ["add: 2 prompts", "each: 3 prompts", "map: 4 prompts"] { #expect(result.errors.contains(words), "\(result)") }
  }
}
