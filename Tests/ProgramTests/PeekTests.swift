import TestSupport
import Testing
import Threads

/// What can be seen of a job that runs.
@Suite struct PeekTests {
  /// Two thirds are answered at once, one in three not at all: what came first is no sample, and `peek` says so; the finished prefix ends
  /// before the first that has not come.
  @Test func whatComesFirstIsTheQuickOnes() async throws {
    let server = try ChatServer { call in
      if (Int(call.prompt) ?? 0) % 3 == 0 {
        call.connection.waitForClose()
        return false
      }
      call.answer("yes")
      return true
    }
    let script = """
      set model openai/m
      set concurrency 64
      let n = 0
      let r = map 1..40 "{it}" &
      on end { let n = n + 1
        if n == 27 {
          print len(peek r) len(peek r --in-order)
          cancel r
        } }
      try { let rest = gather r } catch e { log e.message }
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    // The row of the last reply is under way still while its callback runs.
    let counts = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    #expect(counts.count == 2 && (20...27).contains(counts.first ?? 0) && counts.last == 2, "\(result.output) \(result.errors)")
    #expect(result.errors.contains(" of 40 rows; what comes first is the quick ones: `--in-order`"), "\(result.errors)")
  }

  /// `why JOB` tells what the session changed while the job ran, and who did.
  @Test func whyTellsTheSessionsChanges() async throws {
    let server = try ChatServer { call in
      call.answer("yes")
      return true
    }
    let script = """
      set model openai/m
      set concurrency 1
      set rps 200
      let r = map 1..60 "{it}" &
      set concurrency 5
      set rpm 60000 for openai
      set temperature 0.5
      let all = gather r
      set concurrency 7
      why r
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    let lines = result.output.split(separator: "\n")
    for (change, end) in [
      ("1 → 5: set (from row ", " on, -e:5)"), ("rpm off → 60000: set for openai (from row ", " on, -e:6)"),
      ("temperature default → 0.5: set, for what is launched from now on (from row ", " on, -e:7)"),
    ] {
      #expect(lines.contains { $0.contains(change) && $0.hasSuffix(end) }, "\(result.output) \(result.errors)")
    }
    #expect(!result.output.contains("rps off") && !result.output.contains("5 → 7"), "\(result.output)")
  }
}
