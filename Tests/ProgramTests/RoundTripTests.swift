import TestSupport
import Testing
import Threads

/// What `save` wrote is, loaded and saved again, the same to the last digit.
@Suite struct RoundTripTests {
  /// Each in the order in which `save` writes.
  private static let rows = [
    // All that a server may count, the calls of a chain, times to the nanosecond, a value that looks like a table's cell.
    #"{"index":0,"id":1,"big":123456789012345678901234567890,"nest":{"a":[1,{"b":null}],"c":-0.0},"input.text":"theirs","prompt":"p\n\"q\"","temperature":0.0,"text":"[1]","value":"[1]","reasoning":"hm","messages":[{"role":"system","text":"s"},{"role":"user","text":"p\n\"q\""}],"model":"a/b","settings":{"model":"a/b","temperature":0},"finish":"stop","tokens":5,"usage":{"input":1,"output":5,"cache_read":2,"cache_write":3,"reasoning":4,"cost":0.00012},"queued":1e-09,"waited":0,"ttft":0.123456789,"latency":86400.000000001,"attempts":1,"calls":3,"hedged":true,"failed":false,"error":null}"#,
    // No answer, and what had come of it.
    #"{"index":1,"input":"x","prompt":"x","text":null,"partial":"half","messages":[{"role":"user","text":"x"}],"model":"a/b","settings":{"model":"a/b"},"finish":null,"tokens":null,"usage":null,"queued":0,"waited":0.25,"ttft":null,"latency":0.5,"attempts":3,"calls":1,"hedged":false,"failed":true,"error":{"kind":"truncated","message":"cut: \"there\"","status":200}}"#,
    // Wrong answers.
    #"{"index":2,"input":"x","prompt":"x","text":"seven","messages":[{"role":"user","text":"x"}],"model":"a/b","settings":{"model":"a/b","as":"number"},"finish":"stop","tokens":1,"usage":{"input":0,"output":1},"queued":0,"waited":0,"ttft":0.1,"latency":0.5,"attempts":1,"calls":1,"hedged":false,"failed":false,"error":{"kind":"parse","message":"no number","status":null}}"#,
    // Never sent.
    #"{"index":3,"input":"x","prompt":"x","text":null,"messages":[{"role":"user","text":"x"}],"model":"a/b","settings":{"model":"a/b"},"finish":null,"tokens":null,"usage":null,"queued":null,"waited":null,"ttft":null,"latency":null,"attempts":0,"calls":0,"hedged":false,"failed":true,"error":{"kind":"not-sent","message":"not sent","status":null}}"#,
  ]

  @Test(arguments: ["jsonl", "json"])
  func everyDigitStays(_ format: String) async throws {
    let folder = try Scratch()
    let lines = format == "json" ? "[\n" + Self.rows.joined(separator: ",\n") + "\n]\n" : Self.rows.joined(separator: "\n") + "\n"
    try folder.write("x.\(format)", lines)
    let result = try await Program.run(["-e", "load \"\(folder.path)/x.\(format)\" | save \"\(folder.path)/y.\(format)\""])
    #expect(folder.read("y.\(format)") == lines, "\(result)")
  }

  /// A table holds the same in plain cells; what has no cell of its own is left out.
  @Test func aTableToo() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", Self.rows[1] + "\n" + Self.rows[3] + "\n")
    let result = try await Program.run([
      "-e",
      """
      load "\(folder.path)/x.jsonl" | save "\(folder.path)/y.csv"
      load "\(folder.path)/y.csv" | save "\(folder.path)/z.jsonl"
      """,
    ])
    #expect(folder.read("z.jsonl") == folder.read("x.jsonl"), "\(result)")
  }

  /// In the rows of a group, in a list that a function gave, in a field and in a column.
  @Test func repliesWithinRows() async throws {
    let folder = try Scratch()
    let file = "\(folder.path)/x.jsonl"
    let result = try await Program.run([
      "-m", "sim/fast", "-e",
      """
      let groups = map 1..4 "say {it}" --temperature [0, 1] | group temperature
      save groups "\(file)"
      print ((load "\(file)" | summarize mean(latency)).mean_latency == (groups | summarize mean(latency)).mean_latency)
      def two(x) { return [(ask "a {x}"), (ask "b {x}")] }
      save (each 1..2 two) "\(file)"
      print type((load "\(file)")[0][1])
      """,
      "-e",
      """
      def field(x) { return {n: x, said: (ask "a {x}")} }
      save (each 1..2 field) "\(file)"
      let fields = load "\(file)"
      print type(fields[1].said) (fields[1].said.latency > 0s)
      save (map 1..2 "say {it}" | add judge (ask "judge {text}")) "\(file)"
      print type((load "\(file)")[0].judge)
      """,
    ])
    #expect(result.output == "true\nreply\nreply true\nreply\n", "\(result)")
  }

  /// Of selected columns a file tells what it can: which rows have no answer, where it says so, and what `retry` would need.
  @Test(arguments: [
    (
      "input text",
      "nothing in `r` is known to have failed: its rows are no replies, for they have no `prompt`, `model`, `finish`, `attempts`", 3
    ),
    ("input text failed", "row 1 of `r` failed, and does not say what was sent: it has no `prompt`, `model`, `finish`, `attempts`", 2),
    ("input text error", "row 1 of `r` failed, and does not say what was sent: it has no `prompt`, `model`, `finish`, `attempts`", 2),
    ("input prompt model text finish attempts", "3\nn: 3 prompts, 3 answered", 3),
  ])
  func selectedColumns(_ columns: String, _ note: String, _ answered: Int) async throws {
    let folder = try Scratch()
    let tries = Atomic(0)
    let server = try ChatServer { call in
      if call.prompt == "b", tries.add(1, ordering: .relaxed).newValue == 1 { call.refuse(400) } else { call.answer("to \(call.prompt)") }
      return true
    }
    let file = "\(folder.path)/x.jsonl"
    let saved = try await Program.run(
      ["-m", "openai/m", "-e", "map [\"a\", \"b\", \"c\"] \"{it}\" | select \(columns) | save \"\(file)\""], environment: server.environment
    )
    #expect(saved.status == 3, "\(saved)")
    let result = try await Program.run(
      [
        "-m", "openai/m", "-e", "let r = load \"\(file)\"", "-e", "try { retry r } catch e { log e.message }", "-e",
        "log (r | where text != nothing | count)", "-e", "let n = map r \"again {text}\"", "-e", "log (n | where not failed | count)",
      ], environment: server.environment)
    #expect(result.errors.contains(note), "\(result)")
    // What is known to have failed is not sent on.
    #expect(result.errors.contains("\n\(answered)\n"), "\(result)")
  }
}
