import TestSupport
import Testing

/// What a row launches with `&` is a job like any other: it can be changed, counted and stopped by its name.
@Suite struct LaunchedInRowTests {
  /// `wait` is answered when the first row has come, and that when `go` is asked.
  private func server() throws -> ChatServer {
    let (begun, go) = (Opening(), Opening())
    return try ChatServer { call in
      switch call.prompt {
      case "go": go.open()
      case "wait": _ = begun.wait()
      case _ where call.prompt.hasPrefix("row"):
        begun.open()
        _ = go.wait()
      default: break
      }
      call.answer("<\(call.prompt)>")
      return true
    }
  }

  @Test(arguments: ["each 1..1 f", "each 1..1 f &"]) func canBeChanged(_ line: String) async throws {
    let server = try server()
    let script = """
      set model openai/m
      set retries 0
      def f(x) {
        let inner = map 1..4 "row {it}" --temperature 0.9 &
        set concurrency 1 for inner
        ask "wait"
        set model openai/other temperature 0.5 for inner
        ask "go"
        gather inner
        return inner
      }
      let r = \(line)
      gather
      print r[0].model
      for row in r[0] { print row.settings.temperature }
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0, "\(result)")
    #expect(result.output.contains("[\"openai/m\", \"openai/other\", \"openai/other\", \"openai/other\"]"), "\(result)")
    #expect(result.output.contains("\n0.9\n0.5\n0.5\n0.5\n"), "\(result)")
    #expect(result.errors.contains("inner: model openai/other, temperature 0.5 from row 1 on"), "\(result)")
  }

  /// An axis of its sweep stays, whether it stands there in words or in a variable.
  @Test(arguments: ["[0.1, 0.2]", "(ts)"]) func anAxisStays(_ list: String) async throws {
    let server = try server()
    let script = """
      set model openai/m
      def f(x) {
        let ts = [0.1, 0.2]
        let inner = map 1..2 "row {it}" --temperature \(list) &
        ask "wait"
        let said = ""
        try { set temperature 0.5 for inner } catch e { let said = e.message }
        ask "go"
        gather inner
        return said
      }
      print (each 1..1 f)
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.contains("inner tries several values of `temperature`"), "\(result)")
  }

  /// Who cancels the job around finds all of it cancelled, and each of them says how it ended.
  @Test(arguments: [
    "map 1..4 \"row {x} {it}\" &\nmap 1..4 \"row b{x} {it}\" &\nreturn 1", "let j = map 1..4 \"row {x} {it}\" &\nreturn j",
    "let j = map 1..4 \"row {x} {it}\" &\nlet k = map 1..4 \"row k{x} {it}\" &\nreturn len(gather j k)",
    "let j = each 1..2 h &\nreturn gather j", "with --max-tokens 3 { map 1..4 \"row {x} {it}\" & }\nreturn 1",
    "map 1..4 \"row {x} {it}\" &\nreturn map 1..4 \"row b{x} {it}\"",
  ])
  func endsWithTheJobAround(_ body: String) async throws {
    let server = try server()
    let script = """
      set model openai/m
      set retries 0
      set concurrency 64
      def h(x) {
        let k = map 1..4 "row h{x} {it}" &
        return gather k
      }
      def f(x) { \(body) }
      let r = each 1..3 f &
      ask "wait"
      cancel r
      print (jobs | where state != "cancelled" | count)
      let r = gather r
      print len(r) len(failed(r))
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.hasSuffix("0\n3 3\n") && result.status == 0, "\(body): \(result)")
    let lines = result.errors.split(separator: "\n")
    let (begun, ended) = (lines.count { $0.hasPrefix("[") && !$0.contains("] cancelled ") }, lines.count { $0.contains("] cancelled ") })
    #expect(begun == ended && ended > 1, "\(body): \(result.errors)")
  }

  /// What its job counts is its own; the row around tells what all of it took.
  @Test func isCountedApart() async throws {
    let server = try server()
    let script = """
      set model openai/m
      set retries 0
      def f(x) {
        let inner = map 1..3 "one {it}" &
        let a = ask "two {x}" &
        gather inner
        return gather a
      }
      let r = each 1..2 f
      print r.calls
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0 && result.output.contains("[4, 4]"), "\(result)")
    #expect(result.errors.contains("inner: 3 prompts, 3 answered"), "\(result)")
  }
}
