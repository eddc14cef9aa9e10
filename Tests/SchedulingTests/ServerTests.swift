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
}
