import Chat
import Testing

@testable import Scheduling

/// Servers that cut their streams, answer one at a time, go away, or are full: by simulation.
@Suite struct ServerTests {
  private func run(_ width: Limits.Width, _ server: any SimulatedServer, rows: Int, retries: Int = 4) -> Simulation.Outcome {
    var simulation = Simulation(width, server, rows: rows)
    simulation.policy.retries = retries
    return simulation.run()
  }

  // MARK: streams that are cut

  @Test(arguments: [Limits.Width.fixed(2), .fixed(8), .fixed(64), Limits.adaptive])
  func aServerThatCutsItsStreamsIsAskedOneAtATime(_ width: Limits.Width) {
    let outcome = run(width, CuttingServer(service: .seconds(1)), rows: 40)
    #expect(outcome.failed == 0)
    #expect(outcome.sent <= 40 + 64 + 12 && outcome.time < .seconds(60), "\(outcome.sent) sent in \(outcome.time)")
    #expect(outcome.changes.contains { if case .looksAlone = $0.what { true } else { false } })
    #expect(outcome.changes.contains { if case .narrowed(_, let to, _) = $0.what { to == 1 } else { false } })
  }

  /// It bears eight: it is found again from one on.
  @Test func aWidthThatIsBorneIsFoundAgain() {
    let outcome = run(.fixed(64), CuttingServer(bears: 8, service: .milliseconds(200)), rows: 800)
    #expect(outcome.failed == 0)
    // Eight at a time without a cut would be 20 s.
    #expect(outcome.time < .seconds(50), "\(outcome.time)")
  }

  /// Streams that break off whatever their number are no reason to go one by one.
  @Test func cutsThatHaveAnotherCauseDoNotNarrow() {
    struct Broken: SimulatedServer {
      var count = 0
      mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
        count += 1
        return [(call, now + .seconds(1), count < 40 ? .no(.truncated, status: 200) : .answer(.seconds(1)))]
      }
    }
    let outcome = run(.fixed(8), Broken(), rows: 80, retries: 100)
    #expect(outcome.changes.contains { if case .widthIsNotWhy(let width) = $0.what { width == 8 } else { false } })
    #expect(outcome.failed == 0 && outcome.time < .seconds(35), "\(outcome.time)")
  }

  @Test func withoutRetriesItNarrowsAndDoesNotWait() {
    let outcome = run(.fixed(8), CuttingServer(service: .seconds(1)), rows: 40, retries: 0)
    #expect(!outcome.changes.contains { if case .looksAlone = $0.what { true } else { false } })
    #expect(outcome.failed < 16, "\(outcome.failed)")
  }

  // MARK: queues

  /// One at a time, at concurrency 32, given up on after 60 s: few answers are thrown away.
  @Test func aQueueIsNoFault() {
    let outcome = run(.fixed(32), QueueServer(places: 1, service: .seconds(3), gives: .seconds(60)), rows: 60)
    #expect(outcome.failed == 0)
    #expect(outcome.sent <= 60 + 14, "\(outcome.sent) sent")
    #expect(outcome.changes.contains { if case .queued = $0.what { true } else { false } })
  }

  // MARK: servers that are away

  @Test(arguments: [Limits.Width.fixed(8), .fixed(64), Limits.adaptive])
  func aServerThatRestartsIsWaitedFor(_ width: Limits.Width) {
    let outcome = run(width, AwayServer(away: .seconds(3)..<(.seconds(63)), service: .seconds(2)), rows: 200)
    #expect(outcome.failed == 0)
    // One look every few seconds, and what was sent before anybody knew.
    #expect(outcome.sent <= 200 + 64 + 64 + 30, "\(outcome.sent) sent")
    let back = outcome.changes.compactMap { change -> Duration? in if case .back(let after) = change.what { after } else { nil } }
    #expect(back.count == 1 && back[0] < .seconds(66))
  }

  @Test func nobodyWaitsForEver() {
    let outcome = run(.fixed(8), AwayServer(away: .seconds(3)..<(.seconds(100_000)), service: .seconds(2)), rows: 40)
    #expect(outcome.failed > 20 && outcome.time > .seconds(300) && outcome.time < .seconds(420), "\(outcome.failed) \(outcome.time)")
    #expect(outcome.changes.contains { if case .gaveUp = $0.what { true } else { false } })
  }

  @Test func withoutRetriesNobodyWaits() {
    let outcome = run(.fixed(8), AwayServer(away: .seconds(3)..<(.seconds(63)), service: .seconds(2)), rows: 40, retries: 0)
    #expect(outcome.failed > 20 && outcome.time < .seconds(10))
  }

  /// 503 says nothing of later: the width is narrowed, and nobody waits to look.
  @Test(arguments: [Limits.Width.fixed(8), Limits.adaptive]) func withoutRetriesNobodyWaitsForA503(_ width: Limits.Width) {
    struct Failing: SimulatedServer {
      mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
        [(call, now + .milliseconds(20), .no(.overloaded, status: 503))]
      }
    }
    let outcome = run(width, Failing(), rows: 400, retries: 0)
    #expect(outcome.failed == 400 && outcome.sent == 400 && outcome.time < .seconds(9), "\(outcome.time)")
    #expect(!outcome.changes.contains { if case .held = $0.what { true } else { false } })
    #expect(outcome.changes.contains { if case .refused(let from, let to, _) = $0.what { to < from } else { false } })
  }

  // MARK: windows

  /// Two a minute: each refusal asks to wait for the next window, and a row that two windows have no room for has waited for 120 s.
  @Test(arguments: [Limits.Width.fixed(4), .fixed(8), .fixed(16), Limits.adaptive], [6, 16, 40])
  func aWindowOfVeryFew(_ width: Limits.Width, _ rows: Int) {
    func outcome(states: Bool = true, _ change: (inout Simulation) -> Void = { _ in }) -> Simulation.Outcome {
      var simulation = Simulation(width, WindowServer(size: 2, period: .seconds(60), states: states), rows: rows)
      change(&simulation)
      return simulation.run()
    }
    // All windows are used, but for the first of whoever looks on.
    let ideal = Duration.seconds(60 * (rows / 2 - 1))
    let usual = outcome()
    #expect(usual.failed <= 2 && usual.time < ideal + .seconds(20), "\(usual.failed) \(usual.time)")
    let patient = outcome { $0.policy.maximumWait = .seconds(300) }
    #expect(patient.failed == 0 && patient.time < ideal + .seconds(20), "\(patient.failed) \(patient.time)")
    let unstated = outcome(states: false)
    #expect(unstated.failed == 0 && unstated.time < ideal + .seconds(60), "\(unstated.failed) \(unstated.time)")
    // Who says it sends nothing in vain.
    let told = outcome { simulation in
      var limits = Limits(width: width)
      limits.requestsPerMinute = 2
      simulation.limiter = LimiterState(limits)
    }
    #expect(told.failed == 0 && told.sent == rows && told.time < ideal + .seconds(60), "\(told.failed) \(told.sent) \(told.time)")
  }

  // MARK: saturation

  @Test(arguments: [0.0, 0.5, 0.9], [11, 12, 14])
  func aFullServerIsNotWidened(_ chance: Double, _ seed: Int) {
    let server = QueueServer(places: 8, service: .milliseconds(500), chance: chance, seed: seed)
    let outcome = run(Limits.adaptive, server, rows: 2000)
    #expect(outcome.failed == 0 && outcome.most < 24, "\(outcome.most) at once")
    // Eight places are kept busy: 125 s.
    #expect(outcome.time < .seconds(135), "\(outcome.time)")
    #expect(outcome.changes.contains { if case .notPaidFor = $0.what { true } else { false } })
  }

  /// The first calls take three times as long, for they open connections: what they say of the first width is not believed.
  @Test(arguments: [0.0, 0.5, 0.9], 0..<8)
  func openingConnectionsSaysNothing(_ chance: Double, _ seed: Int) {
    var server = QueueServer(places: 8, service: .milliseconds(100), chance: chance, seed: seed)
    server.opening = .milliseconds(200)
    let outcome = run(Limits.adaptive, server, rows: 500)
    #expect(outcome.failed == 0 && outcome.most < 24, "\(outcome.most) at once")
  }

  /// Refused above 200: no slower than before growth had to be paid for (20.6 s).
  @Test func growthThatIsPaidForIsNotHeldUp() {
    let outcome = run(.adaptive(1...400), CrowdServer(most: 200), rows: 3000)
    #expect(outcome.failed == 0 && outcome.time < .seconds(22), "\(outcome.time)")
  }

  @Test(arguments: [0.0, 0.5, 0.9], [11, 12, 14])
  func aServerThatBearsMoreIsFilled(_ chance: Double, _ seed: Int) {
    let server = QueueServer(places: 200, service: .milliseconds(500), chance: chance, seed: seed)
    let outcome = run(Limits.adaptive, server, rows: 4000)
    #expect(outcome.failed == 0 && outcome.most >= 128, "\(outcome.most) at once")
    // 200 places are kept busy: 10 s. Noise lengthens the looks.
    #expect(outcome.time < .seconds(chance > 0.5 ? 18 : 16), "\(outcome.time)")
  }

  // MARK: the table of docs/reliability.md

  @Test func theTableIsTrue() throws {
    func row(
      _ server: String, _ width: Limits.Width, _ before: String, _ made: any SimulatedServer, _ rows: Int
    ) -> String {
      let outcome = run(width, made, rows: rows)
      let time = (outcome.time.seconds * 10).rounded() / 10
      return
        "| \(server) | \(width.words) | \(before) | \(time) s, \(outcome.failed) failed, \(outcome.sent) sent, at most \(outcome.most) at once |"
    }
    let full = QueueServer(places: 8, service: .milliseconds(500))
    let lines = [
      "| server (rows, ideal) | concurrency | before, on the real one | now |",
      "|---|---|---|---|",
      row(
        "cuts its stream when another request comes (40 of 1 s, 40 s)", .fixed(8), "llama-cpp-python: 36 of 40 failed after 175 tries",
        CuttingServer(service: .seconds(1)), 40),
      row("the same", Limits.adaptive, "never narrowed", CuttingServer(service: .seconds(1)), 40),
      row(
        "answers one at a time, given up on after 60 s (60 of 3 s, 180 s)", .fixed(32),
        "transformers serve: 65 requests for 36 answers", QueueServer(places: 1, service: .seconds(3), gives: .seconds(60)), 60),
      row(
        "restarts for a minute (200 of 2 s, 110 s)", .fixed(8), "vLLM: 12 of 12 failed after 9 s",
        AwayServer(away: .seconds(3)..<(.seconds(63)), service: .seconds(2)), 200),
      row("full at 8 (2,000 of 0.5 s, 125 s)", Limits.adaptive, "vLLM: 8 → 128, ttft 0.1 → 1.9 s, 5 % more tokens a second", full, 2000),
    ]
    try Document.check("servers", "\n\n\(lines.joined(separator: "\n"))\n\n")
  }
}
