import TestSupport
import Testing
import Threads

/// `why JOB`: where the time went, what holds the job back now, and the line to type.
@Suite struct WhyTests {
  /// `when`: of the row in `jobs`, before it is asked; `then`: what is done first.
  typealias Case = (name: String, setup: String, when: String, then: String, says: String)

  /// The server answers nothing for as long as somebody waits, but for what a setup asks of it.
  static let cases: [Case] = [
    ("paused", "let r = map 1..20 \"hang\" &", "in_flight == 8", "pause r", "now: it is paused; `resume r`"),
    ("width", "let r = map 1..20 \"hang\" &", "in_flight == 8", "", "now: the limit of 8 at once is in use; `set concurrency 16`"),
    (
      "width of the job", "let r = map 1..20 \"hang\" &", "in_flight == 8", "set concurrency 2 for r",
      "now: the limit of 2 at once of r is in use; `set concurrency 4 for r`"
    ),
    (
      "width of a model", "set concurrency 3 for openai/m\nlet r = map 1..20 \"hang\" &", "in_flight == 3", "",
      "now: the limit of 3 at once of openai/m is in use; `set concurrency 6 for openai/m`"
    ),
    (
      "width of a provider", "set concurrency 3 for openai\nlet r = map 1..20 \"hang\" &", "in_flight == 3", "",
      "now: the limit of 3 at once of openai is in use; `set concurrency 6 for openai`"
    ),
    ("a rate of ours", "set rpm 20\nlet r = map 1..20 \"quick\" &", "not (done in [\"0\", \"0/20\"])", "", "now: openai: rpm 20 until "),
    (
      "a rate of the model", "set rpm 20 for openai/m\nlet r = map 1..20 \"quick\" &", "not (done in [\"0\", \"0/20\"])", "",
      "`set rpm 40 for openai/m`"
    ),
    ("stated", "let r = map 1..20 \"stated\" &", "not (done in [\"0\", \"0/20\"])", "", "now: openai/m: 0 requests left until "),
    ("refused", "let r = map 1..20 \"refuse\" &", "retried > 0", "", "now: openai/m: 429"),
    // The wait that the first refusals asked for is told first; then what they taught.
    (
      "learned", "let r = map 1..2000 \"bucket\" &", "retried > 3",
      "for i in 1..200 {\n  why r\n  try { timeout 10ms { gather r } } catch e { }\n}", " a second at most, as its refusals taught"
    ),
    (
      "no word", "set first-token-timeout 100ms\nlet r = map 1..20 \"hang\" &", "retried > 8", "",
      "now: openai/m does not answer (tries timed out: "
    ),
    (
      "tail", "let r = map 1..3 \"hang\" &", "in_flight == 3", "",
      "now: the last 3 rows are under way; they do not fill the limit of 8; a hedge shortens the tail of a later run; `set hedge p95`"
    ),
    ("over", "let r = map 1..3 \"quick\" &\ngather r", "done == \"3/3\"", "", "now: it is over"),
  ]

  @Test(arguments: cases) func whatHoldsItBack(_ line: Case) async throws {
    let server = try Self.server()
    let script = """
      set model openai/m
      \(line.setup)
      \(Self.waiting(for: line.when))
      let waited = waits()
      \(line.then)
      for i in 1..10 {
        why r
        try { timeout 10ms { gather r } } catch e { }
      }
      cancel r
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.contains(line.says), "\(result.output) \(result.errors)")
  }

  /// Rows that come slower than they are answered.
  @Test func aSlowSource() async throws {
    let server = try Self.server()
    let script = """
      set model openai/m
      let r = load - | map "quick {it}" &
      \(Self.waiting(for: "done == \"1\""))
      let waited = waits()
      why r
      cancel r
      """
    let result = try await Program.run(["-e", script], input: "one\n", environment: server.environment, holdsInput: true)
    #expect(result.output.contains("now: its rows come slower than they are answered"), "\(result.output) \(result.errors)")
  }

  /// The parts of the time are told, and what the last stretches gave.
  @Test func whereTheTimeWent() async throws {
    let server = try Self.server()
    let result = try await Program.run(
      ["-e", "set model openai/m\nset concurrency 4\nlet r = map 1..40 \"quick\" &\ngather r\nwhy r"], environment: server.environment)
    let lines = result.output.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("40 calls; each on average: waiting for a place ") && $0.contains("between tries 0ms (0 %)") })
    #expect(lines.contains { $0.contains(" openai/m at ") && $0.contains(" rows/s, ") && $0.contains(" tokens/s") }, "\(result.output)")
  }

  /// `waits`, which returns when a job is so far, or after two minutes.
  private static func waiting(for state: String) -> String {
    """
    def waits() {
      for i in 1..12000 {
        if len(jobs | where \(state)) > 0 { return i }
        try { timeout 10ms { gather r } } catch e { }
      }
      return 0
    }
    """
  }

  private static func server() throws -> ChatServer {
    let bucket = Mutex((left: 20.0, at: ContinuousClock.now))
    return try ChatServer { call in
      switch call.prompt {
      case "hang":
        call.connection.waitForClose()
        return false
      case "bucket":
        let isTaken = bucket.withLock { bucket in
          let passed = bucket.at.duration(to: .now)
          bucket.left = min(20, bucket.left + (passed / .seconds(1)) * 30)
          bucket.at = .now
          if bucket.left < 1 { return false }
          bucket.left -= 1
          return true
        }
        if isTaken { call.answer("yes") } else { call.refuse(429, headers: "retry-after-ms: 300\r\n") }
      case "refuse": call.refuse(429, headers: "retry-after: 30\r\n")
      case "stated":
        let body = Sample.document("yes")
        call.connection.send(
          "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nx-ratelimit-limit-requests: 100\r\n"
            + "x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 60s\r\n\r\n\(body)")
      default: call.answer("yes")
      }
      return true
    }
  }
}
