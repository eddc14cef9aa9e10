import Chat
import Testing
import Threads

@testable import Scheduling

/// Servers that take calls and say nothing, or refuse for ever: by simulation. Whatever a server does, a row waits for it no longer than
/// its settings say.
@Suite struct SilenceTests {
  static let widths: [Limits.Width] = [.fixed(1), .fixed(8), .fixed(64), Limits.adaptive]

  private func run(
    _ width: Limits.Width, _ server: any SimulatedServer, rows: Int, retries: Int = 4, _ change: (inout Simulation) -> Void = { _ in }
  ) -> Simulation.Outcome {
    var simulation = Simulation(width, server, rows: rows)
    simulation.policy.retries = retries
    change(&simulation)
    return simulation.run(until: .seconds(20_000))
  }

  private func tells(_ outcome: Simulation.Outcome, _ isMeant: (LimitChange.What) -> Bool) -> Bool {
    outcome.changes.contains { isMeant($0.what) }
  }

  // MARK: silence

  /// First the width is full of calls that time out, then one at a time looks, up to down-wait.
  @Test(arguments: widths, [0, 4])
  func aServerThatSaysNothingIsWaitedForSoLong(_ width: Limits.Width, _ retries: Int) {
    let outcome = run(width, SilentServer(silent: .zero ..< .ever), rows: 100, retries: retries)
    let atOnce = if case .fixed(let fixed) = width { fixed } else { 8 }
    #expect(outcome.failed == 100 && outcome.kinds == [.timeout: 100], "\(outcome.kinds)")
    #expect(outcome.sent <= atOnce + 3, "\(outcome.sent) sent")
    #expect(outcome.time >= .seconds(300) && outcome.time < .seconds(370), "\(outcome.time)")
    #expect(tells(outcome) { if case .silent(let within) = $0 { within == .seconds(120) } else { false } })
    #expect(tells(outcome) { if case .silentTooLong(_, let tries) = $0 { tries >= atOnce } else { false } })
  }

  @Test(arguments: widths)
  func oneThatAnswersInTheEndLosesNothing(_ width: Limits.Width) {
    let outcome = run(width, SilentServer(silent: .zero ..< .seconds(200)), rows: 100)
    #expect(outcome.failed == 0 && tells(outcome) { if case .back = $0 { true } else { false } }, "\(outcome.kinds)")
  }

  /// The same in the middle of a run; with a width that is widened anew.
  @Test func aSilenceInTheMiddle() {
    let outcome = run(.fixed(8), SilentServer(silent: .seconds(20) ..< .seconds(90), gives: .seconds(10)), rows: 200)
    #expect(outcome.failed == 0 && outcome.time < .seconds(160), "\(outcome.kinds) \(outcome.time)")
  }

  @Test func whoDoesNotWaitIsToldAfterOneLook() {
    let outcome = run(.fixed(8), SilentServer(silent: .zero ..< .ever), rows: 100) { simulation in
      var limits = simulation.limiter.limits
      limits.downWait = nil
      simulation.limiter.configure(limits, by: .terminal, now: .zero)
    }
    #expect(outcome.kinds == [.timeout: 100] && outcome.sent <= 10 && outcome.time < .seconds(250), "\(outcome.sent) \(outcome.time)")
  }

  /// Eight are answered at a time, each for ten minutes; that others get no first token in time is a queue, though none has ended.
  @Test func longAnswersAreNoSilence() {
    let server = QueueServer(places: 8, service: .seconds(600), gives: .seconds(120))
    let outcome = run(.fixed(16), server, rows: 24)
    #expect(outcome.failed == 0 && !tells(outcome) { if case .silent = $0 { true } else { false } }, "\(outcome.kinds)")
    #expect(tells(outcome) { if case .queued(_, _, answered: 0, _) = $0 { true } else { false } })
  }

  /// One that refuses or fails is no silent one.
  @Test func anErrorIsAWord() {
    let server = ScriptedServer { call, _ in
      if call % 2 == 0 { return (.seconds(1), .no(.server, status: 500)) }
      var late = Attempt.no(.timeout)
      late.failure?.detail = .firstToken
      return (.seconds(10), late)
    }
    let outcome = run(.fixed(8), server, rows: 20)
    #expect(outcome.failed > 0 && !tells(outcome) { if case .silentTooLong = $0 { true } else { false } })
  }

  /// `timeout` may be shorter than `first-token-timeout`; then that is what a call without a word ends with.
  @Test func theTimeOfAWholeCallIsTheSame() {
    let server = ScriptedServer { _, _ in (.seconds(30), .no(.timeout)) }
    let outcome = run(.fixed(8), server, rows: 40)
    #expect(outcome.kinds == [.timeout: 40] && outcome.sent <= 8 + 11 && outcome.time < .seconds(340), "\(outcome.sent) \(outcome.time)")
  }

  /// A call that looks whether a server is back opens it with its first word, not with its end.
  @Test func theFirstWordOpens() throws {
    let model = ModelName(provider: "p", name: "m")
    var limiter = LimiterState(Limits(width: .fixed(8)))
    func granted(_ request: LimiterState.Request) -> Permit? { if case .granted(let permit) = request { permit } else { nil } }
    let first = try #require(granted(limiter.acquire(1, lane: model, .fresh, now: .zero)))
    limiter.ended(first, CallOutcome(.answer(.seconds(1)), sent: .zero, policy: RetryPolicy()), now: .seconds(1))
    let second = try #require(granted(limiter.acquire(1, lane: model, .fresh, now: .seconds(2))))
    var gone = Attempt.no(.connection)
    gone.failure?.detail = .unreachable
    limiter.ended(second, CallOutcome(gone, sent: .seconds(2), policy: RetryPolicy()), now: .seconds(2))
    for _ in 0..<4 { #expect(granted(limiter.acquire(1, lane: model, .continuing, now: .seconds(2))) == nil) }
    let look = limiter.grantWaiting(now: .seconds(3)).granted
    #expect(look.count == 1 && look.allSatisfy { $0.1.looksForServer })
    let between = limiter.grantWaiting(now: .seconds(4))
    #expect(between.granted.isEmpty && between.opening.map { $0 <= .seconds(5) } ?? false)
    look.first?.1.activity.note()
    #expect(limiter.grantWaiting(now: .seconds(5)).granted.count == 3)
    #expect(limiter.history.changes.contains { if case .back = $0.what { true } else { false } })
  }

  // MARK: cuts, and then nothing that tells

  @Test(arguments: ["silence", "400", "429"])
  func cutsAndThenNothingThatTells(_ then: String) {
    let server = ScriptedServer { call, _ in
      if call <= 8 { return (.seconds(1), .no(.truncated, status: 200)) }
      var late = Attempt.no(.timeout)
      late.failure?.detail = .firstToken
      switch then {
      case "silence": return (.seconds(120), late)
      case "400": return (.milliseconds(2), .no(.badRequest, status: 400))
      default: return (.milliseconds(2), .no(.rateLimited, status: 429, after: .seconds(5)))
      }
    }
    let outcome = run(.fixed(8), server, rows: 60)
    #expect(outcome.failed == 60 && outcome.time < .seconds(400), "\(outcome.time)")
    #expect(tells(outcome) { if case .looksAlone = $0 { true } else { false } })
    if then == "400" { #expect(tells(outcome) { if case .lookGivenUp(restored: 8, looks: 3) = $0 { true } else { false } }) }
  }

  // MARK: refusals without end

  /// A row that has waited for as long as max-wait says fails, whether it was tried, waited for its turn, or had not even begun.
  @Test(arguments: widths, [Duration.seconds(5), .seconds(1), nil])
  func refusalsWithoutEnd(_ width: Limits.Width, _ asks: Duration?) {
    for rows in [1, 3, 300] {
      let outcome = run(width, RefusingServer(refuses: .zero ..< .ever, asks: asks), rows: rows)
      #expect(outcome.kinds == [.rateLimited: rows], "\(outcome.kinds)")
      #expect(outcome.time < .seconds(130), "\(rows) rows: \(outcome.time)")
      // What repeats itself is told once.
      #expect(outcome.changes.count < 30, "\(outcome.changes.count) changes")
    }
  }

  /// In the middle of a run, and for less than max-wait: nothing is lost.
  @Test(arguments: widths)
  func refusalsForAWhile(_ width: Limits.Width) {
    let outcome = run(width, RefusingServer(refuses: .milliseconds(200) ..< .seconds(90), asks: .seconds(5)), rows: 300)
    #expect(outcome.failed == 0 && outcome.time < .seconds(135), "\(outcome.kinds) \(outcome.time)")
  }

  /// An hour of refusals each second is a handful of lines.
  @Test func theHistoryOfRefusalsIsShort() {
    let outcome = run(.fixed(8), RefusingServer(refuses: .zero ..< .ever, asks: .seconds(1)), rows: 20) {
      $0.policy.maximumWait = .seconds(3600)
    }
    #expect(outcome.changes.count < 30 && outcome.changes.contains { $0.times > 1000 && $0.text.hasSuffix(" times)") })
  }

  /// Whoever comes after a job was given up finds out for himself.
  @Test func anotherJobLooksAnew() throws {
    let model = ModelName(provider: "p", name: "m")
    var limiter = LimiterState(Limits(width: .fixed(2)))
    func ask(_ job: Int, at now: Duration) -> LimiterState.Request {
      limiter.acquire(job, lane: model, .fresh, refused: job == 1 && now > .zero ? .zero : nil, patience: .seconds(10), now: now)
    }
    func refuse(_ permit: Permit, at now: Duration) {
      let attempt = Attempt.no(.rateLimited, status: 429, after: .seconds(5))
      limiter.ended(permit, CallOutcome(attempt, sent: permit.granted, policy: RetryPolicy()), now: now)
    }
    guard case .granted(let first) = ask(1, at: .zero) else { return #expect(Bool(false)) }
    refuse(first, at: .zero)
    guard case .queued = ask(1, at: .zero) else { return #expect(Bool(false)) }
    var now = Duration.zero
    var away: [LaneShut] = []
    while away.isEmpty, now < .seconds(60) {
      now += .milliseconds(500)
      let effects = limiter.grantWaiting(now: now)
      for (_, permit) in effects.granted {
        refuse(permit, at: now)
        guard case .queued = ask(1, at: now) else { return #expect(Bool(false)) }
      }
      away = effects.shut.map(\.1)
    }
    // The first waiter was a look now and then; the one behind it has the patience of its own time.
    #expect(!away.isEmpty && now < .seconds(25))
    guard case .shut = ask(1, at: now) else { return #expect(Bool(false), "its other rows go on waiting") }
    guard case .shut = ask(2, at: now + .seconds(1)) else {
      limiter.setPaused(true, 1, reason: nil, by: .terminal, now: now)
      limiter.setPaused(false, 1, reason: nil, by: .terminal, now: now + .seconds(1))
      if case .shut = ask(1, at: now + .seconds(2)) { Issue.record("resumed, and sent away") }
      return
    }
    Issue.record("another job was sent away")
  }

  // MARK: what a first refusal teaches

  /// Each was refused once and sat its wait out: that says nothing of a rate.
  @Test(arguments: [6, 60])
  func aWaitThatWasSatOutTeachesNoRate(_ rows: Int) {
    let server = ScriptedServer { call, _ in
      call <= rows
        ? (.milliseconds(2), .no(.rateLimited, status: 429, after: .seconds(2))) : (.milliseconds(20), .answer(.milliseconds(20)))
    }
    let outcome = run(.fixed(64), server, rows: rows)
    #expect(outcome.failed == 0 && outcome.time < .seconds(5), "\(outcome.time)")
  }

  // MARK: what is told

  /// It has been down since it went, not since somebody asked.
  @Test func theOutageIsAsOldAsItIs() {
    let outcome = run(.fixed(8), AwayServer(away: .seconds(3)..<(.seconds(100_000)), service: .seconds(2)), rows: 40)
    let since = outcome.shut.compactMap { shut -> Duration? in if case .down(let since) = shut.reason { since } else { nil } }
    #expect(!since.isEmpty && since.allSatisfy { $0 >= .seconds(3) && $0 < .seconds(5) }, "\(since)")
  }
}
