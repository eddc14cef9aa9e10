import TestSupport
import Testing
import Threads

/// What happens to rows, their variable and their settings while `retry` has them under way.
@Suite struct RetryUnderWayTests {
  private static let head = "set model openai/m\nset retries 0\nset stop-after off\nlet r = map 1..2 \"boom {it}\"\n"

  /// Refuses each row once. `wait` is answered when both are sent again, and these when `mark` is asked for.
  private static func server() throws -> ChatServer {
    let seen = Monitor<[String: Int]>([:])
    let marked = Opening()
    return try ChatServer { call in
      var count = 0
      seen.change { seen in
        seen[call.prompt, default: 0] += 1
        count = seen[call.prompt] ?? 0
      }
      switch call.prompt {
      case "mark": marked.open()
      case "wait": _ = seen.wait(milliseconds: Patience.milliseconds) { $0["boom 1"] ?? 0 > 1 && $0["boom 2"] ?? 0 > 1 }
      case let prompt where prompt.hasPrefix("boom"):
        if count == 1 {
          call.refuse(400)
          return true
        }
        marked.wait()
      default: break
      }
      call.answer("<\(call.prompt)>")
      return true
    }
  }

  @Test func whatIsSetAnewStays() async throws {
    let server = try Self.server()
    let script =
      Self.head + """
        retry r &
        let r = map 1..2 "new {it}"
        ask "mark"
        gather
        let q = %1
        print r.text q.text
        """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.hasSuffix("[\"<new 1>\", \"<new 2>\"] [\"<boom 1>\", \"<boom 2>\"]\n"), "\(result)")
    #expect(result.errors.contains("`r` was set anew meanwhile and stays so; the rows that were made again are in %1"), "\(result)")
  }

  /// Under whatever name they are held.
  @Test(arguments: ["retry r", "retry q"]) func rowsUnderWayAreNotMadeAgainTwice(_ second: String) async throws {
    let server = try Self.server()
    let script =
      Self.head + """
        let q = r
        retry r &
        ask "wait"
        try { \(second) } catch e { print e.message }
        ask "mark"
        gather
        print r.text
        """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.contains("are being made again already, by %1\n"), "\(result)")
    #expect(result.output.hasSuffix("[\"<boom 1>\", \"<boom 2>\"]\n"), "\(result)")
    #expect(server.calls == 6, "\(result)")
  }

  /// Whose retry is no statement of its own, or whose rows have no variable: they are in `_`.
  @Test(arguments: [
    ("timeout 100s { retry r } &\nlet r = [1]\nlet m = ask \"mark\"\ngather", "`r` was set anew meanwhile"),
    ("ask \"mark\"\nlet j = r\nprint 5\nmap 3..4 \"boom {it}\" &\ngather\nprint \"x\"\nretry %1", ""),
  ])
  func rowsWithoutAVariable(_ statements: String, _ note: String) async throws {
    let server = try Self.server()
    let result = try await Program.run(
      ["-e", Self.head + statements + "\nprint len(_) len(failed(_)) len(r)"], environment: server.environment)
    #expect(result.output.hasSuffix("2 0 \(note.isEmpty ? 2 : 1)\n") && result.errors.contains("anew") == !note.isEmpty, "\(result)")
  }

  @Test func aRetryKeepsItsSettings() async throws {
    let server = try Self.server()
    let script =
      Self.head + """
        retry r &
        ask "wait"
        try { set temperature 0.7 model openai/z for %1 } catch e { print e.message }
        ask "mark"
        gather
        print r.settings
        """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.contains("`retry r &` makes rows again with the settings that they had\n"), "\(result)")
    #expect(result.output.hasSuffix("[{model: \"openai/m\"}, {model: \"openai/m\"}]\n"), "\(result)")
  }

  /// Rows that wait for their place when a setting is changed have it, also when they are sent by `retry` only.
  @Test(arguments: ["", "pause r\n"]) func whatWasPreparedBefore(_ before: String) async throws {
    let isSent = Opening()
    let isOver = Opening()
    let server = try ChatServer { call in
      switch call.prompt {
      case "wait": isSent.wait()
      case "mark": isOver.open()
      case "row 1":
        isSent.open()
        isOver.wait()
      default: break
      }
      call.answer("<\(call.prompt)>")
      return true
    }
    let script = """
      set model openai/m
      set concurrency 1 for openai/m
      let r = map 1..4 "row {it}" &
      ask "wait" --model openai/w
      \(before)set temperature 0.9 for r
      cancel r
      ask "mark" --model openai/w
      retry r
      print r.settings.temperature
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.hasSuffix("[nothing, 0.9, 0.9, 0.9]\n"), "\(result)")
  }
}
