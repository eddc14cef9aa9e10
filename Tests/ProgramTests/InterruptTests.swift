import Simulator
import TestSupport
import Testing

/// ^C in a script, and commands of the system's shell.
@Suite struct InterruptTests {
  @Test func afterAnInterruptNothingMoreIsSent() async throws {
    let server = try await SimulatorServer.start()
    let script = """
      use \(server.baseURL)
      set model openai/story
      set concurrency 4
      def two(x) {
        let a = ask "{x}" --max-tokens 3
        return ask "{a}" --max-tokens 3
      }
      on end { log "one is done" }
      let v = each 1..500 two
      print len(v) "statements that send nothing still run"
      ask "never sent"
      print "never reached"
      """
    let result = try await Program.run(["-e", script], interruptAfter: "one is done")
    #expect(result.status == 130 && result.errors.contains("nothing more is sent; letting"), "\(result)")
    #expect(result.output.contains("500 statements that send nothing still run") && !result.output.contains("never"), "\(result)")
    #expect(server.log.counts.requests <= 20)
    try await server.stop()
  }

  @Test func aSingleReplyInFlightIsKept() async throws {
    let server = try await SimulatorServer.start()
    let script = """
      use \(server.baseURL)
      on start { log "it runs" }
      let v = ask "hello" --model openai/story --max-tokens 20
      print v.failed v.finish
      """
    let result = try await Program.run(["-e", script], interruptAfter: "it runs")
    #expect(result.status == 130 && result.output == "false length\n", "\(result)")
    try await server.stop()
  }

  @Test(arguments: [
    ("!true\nprint status", 0, "0\n"), ("!exit 7\nprint status", 0, "7\n"), ("!kill -9 $$\nprint status", 0, "137\n"),
    ("set strict on\n!exit 7\nprint 1", 1, ""), ("set strict on\n!true\nprint status", 0, "0\n"),
    ("def f() {\n!exit 3\nreturn status\n}\nprint f() status", 0, "3 3\n"),
    ("set strict on\nset strict off\n!false\nif status != 0 { exit 9 }", 9, ""),
  ])
  func theStatusOfACommand(_ script: String, _ status: Int32, _ output: String) async throws {
    let result = try await Program.run(["-e", script])
    #expect(result.status == status && result.output == output, "\(result)")
  }
}
