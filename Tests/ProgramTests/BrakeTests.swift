import TestSupport
import Testing
import Threads

/// A brake has heard of a failed row before another takes its place: at concurrency 1 as many are sent as `stop-after` says, and not one
/// more, whatever else the rows do.
@Suite struct BrakeTests {
  @Test(arguments: [
    "map 1..200 \"row {it}\"", "map 1..200 \"row {upper(\"{it}\")}\"", "map 1..200 \"row {it}\" --model [openai/m, openai/n]",
    "each 1..200 f",
    "each 1..200 g", "1..200 | add z { ask \"row {it}\" }",
    // A row that a filter drops has failed all the same.
    "map 1..200 \"row {it}\" | where not failed", "map 1..200 \"row {it}\" | where text contains \"R\"",
    "map 1..200 \"row {it}\" | where input % 2 == 0", "map 1..200 \"row {it}\" | where not failed | take 2",
    "map 1..200 \"row {it}\" | where not failed | count", "each 1..200 f | where not failed | select text",
    "1..200 | add z { ask \"row {it}\" } | where z != nothing", "map 1..200 \"row {it}\" | select input text | where text != nothing",
  ])
  func noneIsSentTooMany(_ line: String) async throws {
    let refused = Mutex(0)
    let server = try ChatServer.refusing(1000, butNot: "good") { call in if call.prompt.hasPrefix("row") { refused.withLock { $0 += 1 } } }
    let script = """
      set model openai/m
      set concurrency 1
      set stop-after 3
      set retries 0
      def f(x) { let a = ask "row {x}"
        return ask "behind {a}" }
      def g(x) { let a = map ["row {x}"] "{it}"
        return a[0] }
      let r = \(line)
      print r
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 3, "\(result)")
    #expect(refused.withLock { $0 } == 3, "\(refused.withLock { $0 }) refused: \(result)")
  }

  /// Nobody waits who need not: a function that goes on after a failure, or waits, holds up no other.
  @Test func otherRowsGoOn() async throws {
    let server = try ChatServer.refusing(1000, butNot: "good")
    let script = """
      set model openai/m
      set concurrency 1
      set stop-after off
      set retries 0
      def f(x) {
        let a = 0
        let row = ask "row {x}"
        try { let a = "{row}" } catch e { let a = ask "good {x}" }
        together { let b = ask "good b{x}" ; let d = ask "good d{x}" }
        return a
      }
      let r = each 1..20 f
      print len(r) len(failed(r))
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "20 0\n" && server.calls == 80, "\(server.calls) \(result)")
  }

  /// The place of a row whose call failed is anybody's where that row cannot stop its job, and once it has gone on: four rows that each
  /// fail at a lane that takes one at a time all go on to another, whose answers come only when all of them wait there.
  @Test(arguments: ["off", "20"]) func placesOfFailedRowsAreTaken(_ limit: String) async throws {
    let waiting = Monitor(0)
    let server = try ChatServer.refusing(1000, butNot: "good") { call in
      guard call.prompt.hasPrefix("good") else { return }
      waiting.change { $0 += 1 }
      waiting.wait { $0 == 4 }
    }
    let script = """
      set model openai/m
      set concurrency 30
      set concurrency 1 for openai/m
      set stop-after \(limit)
      set retries 0
      def f(x) {
        let a = ask "row {x}"
        return ask "good {x}" --model openai/n
      }
      let r = each 1..4 f
      print len(r)
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "4\n" && server.calls == 8, "\(server.calls) \(result)")
  }
}
