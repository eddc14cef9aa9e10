import Chat
import Testing

@testable import Scheduling

/// What refusals cost, by simulation: rows failed, time over the ideal, refusals a row.
@Suite struct StormTests {
  static let widths: [Limits.Width] = [.fixed(1), .fixed(8), .fixed(64), .fixed(256), Limits.adaptive]

  struct Storm: Sendable, CustomTestStringConvertible {
    var name: String
    var rows: Int
    var ideal: Duration
    /// What the limiter made of it before rates were learned: seconds, rows failed and refusals a row at each width.
    var before: [(seconds: Double, failed: Int, refused: Double)]
    var server: @Sendable () -> any SimulatedServer
    var testDescription: String { name }
  }

  static let storms: [Storm] = [
    Storm(
      name: "bucket, 200 a second, asks for 0.3 s", rows: 1500, ideal: .milliseconds(7400),
      before: [(8.3, 45, 1.22), (36.2, 0, 0.46), (31.8, 263, 2.47), (15.8, 890, 3.80), (36.1, 0, 0.46)]
    ) { BucketServer() },
    Storm(
      name: "bucket, 200 a second, says nothing of waits", rows: 1500, ideal: .milliseconds(7400),
      before: [(10.0, 60, 1.24), (36.1, 0, 0.47), (32.8, 254, 2.51), (16.9, 854, 3.80), (36.1, 0, 0.47)]
    ) { BucketServer(asks: nil) },
    Storm(
      name: "window, 50 in each second", rows: 500, ideal: .seconds(9),
      before: [(9.3, 0, 0.05), (9.4, 0, 0.16), (10.9, 1, 0.89), (9.9, 3, 1.45), (9.5, 0, 0.30)]
    ) { WindowServer() },
    Storm(
      name: "window, 50 in each second, says nothing of waits", rows: 500, ideal: .seconds(9),
      before: [(9.6, 0, 0.06), (9.7, 0, 0.17), (10.1, 1, 1.00), (11.0, 43, 2.05), (9.6, 0, 0.31)]
    ) { WindowServer(states: false) },
    Storm(
      name: "window, 50 in each ten seconds", rows: 200, ideal: .seconds(30),
      before: [(30.4, 0, 0.04), (30.4, 0, 0.10), (30.9, 0, 0.25), (31.0, 0, 0.25), (30.5, 0, 0.24)]
    ) { WindowServer(size: 50, period: .seconds(10)) },
  ]

  /// Fewer than ten in a window: each look costs more, and they grow rare.
  @Test(arguments: widths)
  func aSmallWindowIsLookedAtLessAndLess(_ width: Limits.Width) {
    var simulation = Simulation(width, WindowServer(size: 5, period: .seconds(1)), rows: 300)
    let outcome = simulation.run()
    #expect(outcome.failed == 0 && outcome.time <= .seconds(59) * 1.3, "\(outcome.time)")
    #expect(outcome.refusedPerRow(300) <= 0.1, "\(outcome.refusedPerRow(300))")
  }

  /// Answers that take a second say nothing of the pace for a second; refusals do at once.
  @Test func longAnswersDoNotSlowTheLearning() {
    var simulation = Simulation(.fixed(256), BucketServer(latency: .seconds(1)), rows: 1500)
    let outcome = simulation.run()
    #expect(outcome.failed == 0 && outcome.time <= .milliseconds(8400) * 1.3, "\(outcome.time)")
  }

  /// A rate refuses at any width: what `auto` finds must carry the rate, however long answers take.
  @Test(
    arguments: [
      ("bucket", 20.0, 5.0, 600, Duration.seconds(1)), ("bucket", 50, 10, 1500, .seconds(2)), ("bucket", 200, 20, 6000, .seconds(1)),
      ("silent bucket", 20, 5, 600, .seconds(1)), ("window", 25, 50, 750, .seconds(1)),
    ] as [(String, Double, Double, Int, Duration)])
  func autoCarriesTheRate(_ kind: String, _ rate: Double, _ burst: Double, _ rows: Int, _ latency: Duration) {
    let server: any SimulatedServer =
      switch kind {
      case "window": WindowServer(size: Int(burst), period: .seconds(burst / rate), latency: latency)
      default: BucketServer(rate: rate, burst: burst, asks: kind == "bucket" ? .milliseconds(300) : nil, latency: latency)
      }
    var simulation = Simulation(Limits.adaptive, server, rows: rows)
    let outcome = simulation.run()
    // The width that carries the rate has to be found first.
    let ideal = Duration.seconds((Double(rows) - burst) / rate) + latency * 6
    #expect(outcome.failed == 0 && outcome.time <= ideal * 1.3, "\(outcome.time) of \(ideal)")
    #expect(outcome.refusedPerRow(rows) <= 0.05, "\(outcome.refusedPerRow(rows)) refused a row")
  }

  /// Five or ten a minute: who was refused is there when the next window opens, before those that were not sent yet, and loses no patience.
  @Test(arguments: widths, [5, 10])
  func aWindowOfAMinute(_ width: Limits.Width, _ size: Int) {
    for latency in [Duration.milliseconds(2), .seconds(1), .seconds(5)] {
      var simulation = Simulation(width, WindowServer(size: size, period: .seconds(60), latency: latency), rows: size * 8)
      let outcome = simulation.run(until: .seconds(20_000))
      #expect(outcome.failed == 0 && outcome.time <= .seconds(510), "\(latency): \(outcome.failed) failed, \(outcome.time)")
    }
  }

  /// A slow bucket has nothing yet when the first call looks: that is no window, whose waits are to be sat out.
  @Test(arguments: [Limits.Width.fixed(8), .fixed(64), Limits.adaptive], [Duration.milliseconds(300), .seconds(1)])
  func aSlowBucket(_ width: Limits.Width, _ asks: Duration) {
    for (rate, burst, latency) in [
      (20.0, 5.0, Duration.milliseconds(2)), (5, 2, .milliseconds(2)), (5, 2, .milliseconds(500)),
    ] {
      let rows = Int(rate * 60 + burst)
      var simulation = Simulation(width, BucketServer(rate: rate, burst: burst, asks: asks, latency: latency), rows: rows)
      let outcome = simulation.run()
      #expect(outcome.failed == 0 && outcome.time <= (.seconds(60) + latency) * 1.3, "\(rate) a second: \(outcome.time)")
      #expect(outcome.refusedPerRow(rows) <= 0.1, "\(rate) a second: \(outcome.refusedPerRow(rows)) refused a row")
    }
  }

  /// With no retries a refused row fails, and what the refusal teaches still spares the others.
  @Test func withoutRetriesOthersAreSpared() {
    var simulation = Simulation(.fixed(8), BucketServer(), rows: 1500)
    simulation.policy.retries = 0
    let outcome = simulation.run()
    #expect(outcome.failed < 60 && outcome.failed > 0, "\(outcome.failed)")
  }

  // MARK: the table of docs/reliability.md

  @Test func aPatientClientLosesNothing() async throws {
    var rows = [
      "| server (rows, ideal) | concurrency | before: time, rows failed, refusals a row | now: time, rows failed, refusals a row |",
      "|---|---|---|---|",
    ]
    for storm in Self.storms {
      for (width, before) in zip(Self.widths, storm.before) {
        var simulation = Simulation(width, storm.server(), rows: storm.rows)
        let outcome = simulation.run()
        #expect(outcome.failed == 0, "\(storm.name) at \(width.words)")
        #expect(outcome.time <= storm.ideal * 1.3, "\(storm.name) at \(width.words): \(outcome.time)")
        let most = if case .adaptive = width { 0.05 } else { 0.3 }
        #expect(
          outcome.refusedPerRow(storm.rows) <= most,
          "\(storm.name) at \(width.words): \(outcome.refusedPerRow(storm.rows)) refused a row")
        // Other tests wait for the thread.
        await Task.yield()
        let now = (outcome.time.seconds, outcome.failed, outcome.refusedPerRow(storm.rows))
        rows.append(
          "| \(storm.name) (\(storm.rows), \(storm.ideal.words)) | \(width.words) | \(Self.words(before)) | \(Self.words(now)) |")
      }
    }
    try Document.check("storms", "\n\n\(rows.joined(separator: "\n"))\n\n")
  }

  private static func words(_ figures: (seconds: Double, failed: Int, refused: Double)) -> String {
    let refused = Int((figures.refused * 100).rounded())
    let fraction = "\(refused / 100).\(refused % 100 < 10 ? "0" : "")\(refused % 100)"
    return "\((figures.seconds * 10).rounded() / 10) s, \(figures.failed), \(fraction)"
  }
}
