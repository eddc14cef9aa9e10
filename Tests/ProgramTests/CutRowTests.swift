import TestSupport
import Testing
import Threads

/// A row that a function makes is what it would be with all that the function asked for, or it is not sent (or cancelled) as a whole:
/// after ^C, a spent budget, `cancel` and `timeout` it is in the result so, counted so, and `retry` makes it anew.
@Suite struct CutRowTests {
  /// Each asks for three answers at least, and tells in another way of those that it has.
  static let bodies = [
    "return {x: x, n: len(map 1..3 \"{x} {it}\")}",
    "return map 1..3 \"{x} {it}\"",
    "return map 1..3 \"{x} {it}\" | count",
    "return map 1..3 \"{x} {it}\" | where not failed",
    "return {x: x, n: len(map 1..3 \"{x} {it}\" | where not failed)}",
    "return map 1..3 \"{x} {it}\" | where not failed | count",
    "return map 1..3 \"{x} {it}\" | select text",
    "return map 1..3 \"{x} {it}\" | map \"two {text}\" | where not failed | count",
    "return [1, 2, 3] | add z { ask \"{x} {it}\" } | count",
    "return [1, 2, 3] | where (ask \"{x} {it}\") contains \"<\" | count",
    "let v = map 1..3 \"{x} {it}\"\nif len(failed(v)) > 0 { return \"none\" }\nreturn v",
    "let a = ask \"{x} 1\"\ntry { let b = ask \"{x} 2\"\nlet c = ask \"{x} 3\"\nreturn \"{b}{c}\" } catch e { return \"none\" }",
    "let j = map 1..3 \"{x} {it}\" &\nreturn len(gather j)",
    "return sum((each 1..3 h).tokens)",
    "return count(map [1, 2] \"{x} {it}\" | select n (k(input)))",
    "return joined((map 1..3 \"{k(it)}\").text, \",\")",
  ]

  private static func script(_ body: String, _ rest: String) -> String {
    """
    set model openai/m
    set retries 0
    set concurrency 1
    def h(x) { return ask "{x}" }
    def k(x) { return len(map 1..2 "k {x} {it}" | where not failed) }
    def g(x) { \(body) }
    \(rest)
    """
  }

  private static func server() throws -> ChatServer {
    try ChatServer { call in
      call.answer("<\(call.prompt)>")
      return true
    }
  }

  /// The second call waits for its turn when the signal comes.
  @Test(arguments: bodies) func interrupted(_ body: String) async throws {
    let server = try Self.server()
    let script = Self.script(
      body,
      """
      set rpm 6
      on end { log "one has ended" }
      let r = each 1..3 g
      print len(r) len(failed(r))
      """)
    let result = try await Program.run(["-e", script], environment: server.environment, interruptAfter: "one has ended")
    #expect(result.status == 130 && result.output == "3 3\n", "\(body): \(result)")
    #expect(result.errors.contains("3 rows not sent") || result.errors.contains(" 3 not sent"), "\(body): \(result.errors)")
  }

  @Test(arguments: bodies) func heldBackByABudget(_ body: String) async throws {
    let server = try Self.server()
    let script = Self.script(
      body,
      """
      set max-tokens 7
      set budget tokens 20
      let r = each 1..3 g
      print len(r) len(failed(r)) errors(r).kind
      unset budget
      retry r
      print len(r) len(failed(r))
      """)
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "3 3 [\"not-sent\"]\n3 0\n", "\(body): \(result)")
    #expect(result.status == 0, "\(body): \(result)")
  }

  @Test(arguments: bodies, [true, false]) func cancelled(_ body: String, _ byTime: Bool) async throws {
    let server = try Self.server()
    let work =
      byTime
      ? "try { timeout 300ms { let r = each 1..3 g } } catch e { }"
      : "on end { cancel r }\nlet r = each 1..3 g &\nlet r = gather r"
    let script = Self.script(
      body,
      """
      set rpm 6
      \(work)
      off end
      print len(r) len(failed(r))
      unset rpm
      retry r
      print len(r) len(failed(r))
      """)
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "3 3\n3 0\n" && result.status == 0, "\(body): \(result)")
  }

  /// Who loses a race, or takes longer than a function lets it, is missed by nobody.
  @Test(arguments: [
    "return race { ask \"quick {x}\" ; ask \"slow {x}\" }",
    "try { timeout 200ms { let a = ask \"slow {x}\" } } catch e { }\nreturn ask \"quick {x}\"",
    "let j = map 1..2 \"slow {x} {it}\" &\nlet a = ask \"quick {x}\"\ncancel j\nreturn a",
    "let j = map 1..50 \"slow {x} {it}\" &\nset concurrency 2 for j\nlet a = ask \"quick {x}\"\ncancel j\nreturn a",
  ])
  func whatAFunctionCancelsItself(_ body: String) async throws {
    let over = Opening()
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("slow") {
        _ = over.wait()
        return false
      }
      if call.prompt == "over" { over.open() }
      call.answer("<\(call.prompt)>")
      return true
    }
    let script = Self.script(
      body,
      """
      set concurrency 64
      let r = each 1..3 g
      ask "over"
      print r.text
      """)
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.hasSuffix("[\"<quick 1>\", \"<quick 2>\", \"<quick 3>\"]\n") && result.status == 0, "\(body): \(result)")
  }

  /// What was not sent was judged by no filter behind it: it stays, and goes through the filter when it has its answer.
  @Test(
    arguments: [
      ("where text contains \"<\"", 20), ("where not failed", 20), ("where input % 2 == 0", 10),
      ("where text contains \"<\" | where input > 15 | add z len(text)", 5), ("map \"two {text}\" | where text contains \"two\"", 20),
      ("add z { ask \"z {text}\" } | where z contains \"z\"", 20), ("where (ask \"is {text}\") contains \"is\"", 20),
      ("select input n (len(map 1..2 \"n {text} {it}\")) | where n == 2", 20),
    ], [1, 2, 8])
  func isNotJudgedBeforeItIsSent(_ test: (stages: String, passed: Int), _ width: Int) async throws {
    let server = try Self.server()
    let script = """
      set model openai/m
      set retries 0
      set concurrency \(width)
      set max-tokens 7
      set budget tokens 60
      let r = map 1..20 "{it}" | \(test.stages)
      print len(r) >= \(test.passed)
      unset budget
      retry r
      print len(r) len(failed(r))
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "true\n\(test.passed) 0\n" && result.status == 0, "\(test.stages): \(result)")
  }

  /// Whoever takes the rows as they come takes what has passed.
  @Test(arguments: [1, 2, 8]) func nothingUnjudgedComesToAFile(_ width: Int) async throws {
    let (server, folder) = (try Self.server(), try Scratch())
    let script = """
      set model openai/m
      set concurrency \(width)
      set max-tokens 7
      set budget tokens 60
      map 1..20 "{it}" | where not failed | save "\(folder.path)/a.jsonl"
      let rows = load "\(folder.path)/a.jsonl"
      print len(rows) len(failed(rows))
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    let count = Int(result.output.split(separator: " ").first ?? "") ?? 0
    #expect(count > 0 && count == server.calls && result.output == "\(count) 0\n" && result.status == 3, "\(result)")
    #expect(result.errors.contains("20 prompts, \(count) answered, \(20 - count) not sent"), "\(result.errors)")
  }

  /// Behind the first stage too a budget holds back, and says so; the account is not out of credit.
  @Test(arguments: [1, 8]) func aBudgetHoldsBackBehindTheFirstStage(_ width: Int) async throws {
    let server = try Self.server()
    let script = """
      set model openai/m
      set concurrency \(width)
      set max-tokens 7
      set budget tokens 60
      let r = map 1..10 "{it}" | map "two {text}"
      print errors(r).kind
      unset budget
      retry r
      print len(r) len(failed(r)) (r.calls | unique)
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "[\"not-sent\"]\n10 0 [2]\n" && result.status == 0 && server.calls == 20, "\(server.calls) \(result)")
    #expect(result.errors.contains(" rows not sent") && !result.errors.contains("out of credit"), "\(result.errors)")
  }
}
