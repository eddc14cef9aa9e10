import TestSupport
import Testing
import Threads

/// Several models under one job: what one of them does holds up its own rows only.
@Suite struct LaneTests {
  /// Whoever waits until something has been counted so far.
  private final class Gate: Sendable {
    private let passed = Monitor(0)
    let wanted: Int
    init(_ wanted: Int) { self.wanted = wanted }
    var count: Int { passed.look { $0 } }
    func pass() { passed.change { $0 += 1 } }
    /// Ends after so many passes.
    func wait() { passed.wait(milliseconds: Patience.milliseconds) { $0 >= wanted } }
  }

  /// 60 items for a slow model and a quick one, which here means that the slow one answers nothing until the quick one is through.
  @Test(arguments: ["let r = %", "% | save \"FOLDER/out.jsonl\"\nlet r = load \"FOLDER/out.jsonl\""])
  func aSlowModelHoldsUpOnlyItsOwnRows(_ line: String) async throws {
    let (gate, slow) = (Gate(60), Gate(0))
    let server = try ChatServer { call in
      if call.model == "slow" {
        slow.pass()
        gate.wait()
      } else {
        gate.pass()
      }
      call.answer("yes")
      return true
    }
    let folder = try Scratch()
    let map = "map 1..60 \"{it}\" --model [\"openai/slow\", \"openai/quick\"]"
    let script = line.replacing("%", with: map).replacing("FOLDER", with: folder.path)
    let result = try await Program.run(
      ["-e", "\(script)\nprint len(r) r[0].model r[1].model r[119].model r[118].prompt"], environment: server.environment)
    #expect(result.status == 0 && result.output == "120 openai/slow openai/quick openai/quick 60\n", "\(result.errors)")
    #expect(slow.count == 60 && gate.count == 60 && server.most <= 8)
  }

  /// One that refuses everything until the other is through: its rows are parked, however many there are.
  @Test func aRefusingModelHoldsUpOnlyItsOwnRows() async throws {
    let gate = Gate(2500)
    let refused = Gate(0)
    let server = try ChatServer { call in
      if call.model == "busy", gate.count < gate.wanted {
        refused.pass()
        call.refuse(429, headers: "retry-after: 10\r\n")
      } else {
        if call.model == "good" { gate.pass() }
        call.answer("yes")
      }
      return true
    }
    let script = """
      let r = map 1..2500 "{it}" --model ["openai/busy", "openai/good"] &
      let good = 0
      on end { let good = good + 1
        if good == 200 { why r } }
      gather r
      print len(r) len(failed(r)) r[4999].prompt
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0 && result.output.hasSuffix("5000 0 2500\n"), "\(result.output) \(result.errors)")
    #expect(result.output.contains("429 from openai/busy, retry after 10 s"), "\(result.output)")
    #expect(refused.count < 100, "\(refused.count)")
  }

  /// A model that states that nothing is left for a day keeps no other model waiting, and its own rows fail at once and say why.
  @Test func whatAModelStatesIsItsOwn() async throws {
    let server = try ChatServer { call in
      if call.model == "a" {
        let body = Sample.document("yes")
        call.connection.send(
          "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nx-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 0\r\n"
            + "x-ratelimit-reset-requests: 24h\r\n\r\n\(body)")
      } else {
        call.answer("yes")
      }
      return true
    }
    let script = """
      set stop-after off
      let first = ask "x" --model openai/a
      let b = map 1..200 "{it}" --model openai/b
      print len(b) len(failed(b))
      let a = map 1..3 "{it}" --model openai/a
      print a.failed a[0].error.message
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 3, "\(result.errors)")
    #expect(result.output.hasPrefix("200 0\n[true, true, true] not sent: openai/a states 0 requests left for another"), "\(result.output)")
    #expect(server.calls == 201)
  }
}
