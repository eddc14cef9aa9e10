import TestSupport
import Testing
import Threads

/// Servers that take a call and say nothing, refuse for ever, or only say that they are there: no row waits longer than its settings say.
@Suite struct SilentServerTests {
  private func run(_ script: String, _ server: ChatServer) async throws -> Program.Result {
    try await Program.run(["-e", "set model openai/m\n\(script)"], environment: server.environment)
  }

  private static func silent(after answers: Int = 0) throws -> ChatServer {
    try ChatServer { call in
      if call.number <= answers {
        call.answer("yes")
        return true
      }
      call.connection.waitForClose()
      return false
    }
  }

  /// One call at a time looks, and after down-wait the rows fail, those that were never sent too.
  @Test(arguments: [0, 4], [0, 20]) func aServerThatSaysNothing(_ retries: Int, _ answers: Int) async throws {
    let server = try Self.silent(after: answers)
    let result = try await run(
      """
      set first-token-timeout 1500ms
      set down-wait 6s
      set stop-after off
      set retries \(retries)
      let r = map 1..60 "{it}"
      print len(failed(r)) errors(r)[0].kind len(errors(r))
      print r[59].attempts r[59].error.message
      why
      """, server)
    #expect(result.status == 3 && result.output.hasPrefix("\(60 - answers) timeout 1\n0 not sent: openai/m has not answered for "))
    #expect(result.output.contains("openai/m does not answer: no word within "), "\(result.output)")
    #expect(result.output.contains("nobody waits for it any more (`set down-wait`)"), "\(result.output) \(result.errors)")
    // All at once at first, and once more where the first were taken for a queue; then one at a time.
    #expect(server.calls <= answers + 8 + 8 + 8, "\(server.calls)")
  }

  /// One that has answered, falls silent, and answers at last: nothing is lost, and no try was used up.
  @Test func aServerThatAnswersAtLast() async throws {
    let server = try ChatServer { call in
      if (5...16).contains(call.number) {
        call.connection.waitForClose()
        return false
      }
      call.answer("yes")
      return true
    }
    let result = try await run(
      "set first-token-timeout 1s\nset retries 1\nlet r = map 1..30 \"{it}\"\nprint len(r) len(failed(r))\nwhy", server)
    #expect(result.status == 0 && result.output.hasPrefix("30 0\n"), "\(result.output) \(result.errors)")
    #expect(result.output.contains("openai/m is back after "), "\(result.output)")
  }

  /// The brake counts tries without a word too, those that were under way together once; then nobody waits any longer.
  @Test func theBrakeCountsTriesWithoutAWord() async throws {
    let server = try Self.silent()
    let result = try await run(
      "set first-token-timeout 200ms\nset stop-after 3\nlet r = map 1..60 \"{it}\"\nprint len(r) len(failed(r))", server)
    #expect(result.status == 3 && result.output == "60 60\n", "\(result.output)")
    #expect(result.errors.contains("r sends no more: 3 × timeout in a row: first token timeout after 0.2 seconds"), "\(result.errors)")
    #expect(server.calls <= 8 + 4, "\(server.calls)")
  }

  /// Another model of the same server goes on.
  @Test func anotherModelGoesOn() async throws {
    let server = try ChatServer { call in
      if call.model == "stuck" {
        call.connection.waitForClose()
        return false
      }
      call.answer("yes")
      return true
    }
    let result = try await run(
      """
      set first-token-timeout 1500ms
      set down-wait 4s
      set stop-after off
      let r = map 1..40 "{it}" --model ["openai/stuck", "openai/good"]
      print len(r | where model == "openai/good" | where not failed) len(failed(r))
      """, server)
    #expect(result.output == "40 40\n" && server.calls <= 40 + 8 + 8, "\(result.output) \(result.errors)")
  }

  /// It refuses every call, for ever: max-wait bounds each row, whether it was tried or waited for its turn.
  @Test(arguments: ["1", "40"]) func refusalsWithoutEnd(_ rows: String) async throws {
    let server = try ChatServer { call in
      call.refuse(429, headers: "retry-after: 1\r\n")
      return true
    }
    let result = try await run(
      """
      set max-wait 3s
      set stop-after off
      let r = map 1..\(rows) "{it}"
      print len(failed(r)) errors(r)[0].kind len(errors(r))
      why
      """, server)
    #expect(result.status == 3 && result.output.hasPrefix("\(rows) rate-limited 1\n"), "\(result.output) \(result.errors)")
    #expect(server.calls <= 8 + 12, "\(server.calls)")
    if rows != "1" { #expect(result.output.contains("nothing was accepted for 3"), "\(result.output)") }
  }

  /// Comments, or blanks before a document, hold a call for ten times its first-token-timeout at most; or for its `timeout`.
  @Test(arguments: ["comments", "blanks"], [false, true])
  func signsOfLifeWithoutEnd(_ kind: String, _ isTimed: Bool) async throws {
    let server = try ChatServer { call in
      call.connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: \(kind == "blanks" ? "application/json" : "text/event-stream")\r\nConnection: close\r\n\r\n")
      while call.connection.send(kind == "blanks" ? "\n" : ": in a queue\n\n") {
        if call.connection.hasClosed(within: 20) { break }
      }
      return false
    }
    let result = try await run(
      """
      set first-token-timeout 800ms
      set retries 0
      let a = map ["x"] "{it}" \(isTimed ? "--timeout 4s" : "")
      print a[0].error.kind a[0].latency >= 1500ms a[0].error.message
      """, server)
    let says = isTimed ? "total timeout after 4.0 seconds" : "first token timeout after 8.0 seconds"
    #expect(result.status == 3 && result.output == "timeout true \(says)\n", "\(result.output) \(result.errors)")
  }
}
