import Chat
import Testing

@testable import Scheduling

/// A server that is away, and a job that comes when nobody has waited for it for long: it finds out anew, and waits as long as is set.
@Suite struct LaterJobTests {
  private static let model = ModelName(provider: "p", name: "m")
  private var limiter = LimiterState(Limits(width: .fixed(8)))

  enum Absence: String, CaseIterable { case down, silent }

  private func granted(_ request: LimiterState.Request) -> Permit? { if case .granted(let permit) = request { permit } else { nil } }

  private mutating func ask(_ job: Int, at now: Duration) -> LimiterState.Request {
    limiter.acquire(job, lane: Self.model, .continuing, patience: .seconds(120), now: now)
  }

  private mutating func end(_ permit: Permit, as absence: Absence?, at now: Duration) {
    var attempt = Attempt.answer(.milliseconds(2))
    switch absence {
    case .down:
      attempt = .no(.connection)
      attempt.failure?.detail = .unreachable
    case .silent:
      attempt = .no(.timeout)
      attempt.failure?.detail = .firstToken
    case nil: break
    }
    limiter.ended(permit, CallOutcome(attempt, sent: permit.granted, policy: RetryPolicy()), now: now)
  }

  /// The first job is answered once, and then finds nobody there; its next call waits.
  private mutating func findsNobody(_ absence: Absence) throws -> LimiterState.WaiterID {
    let asked = granted(ask(1, at: .zero))
    let first = try #require(asked)
    end(first, as: nil, at: .seconds(1))
    let again = granted(ask(1, at: .milliseconds(1500)))
    let second = try #require(again)
    end(second, as: absence, at: .seconds(2))
    let look = absence == .silent ? granted(ask(1, at: .seconds(2))) : nil
    guard case .queued(let waiter) = ask(1, at: .seconds(2)) else { throw CancellationError() }
    if let look { end(look, as: absence, at: .seconds(3)) }
    return waiter
  }

  /// The first job was cancelled. Ten minutes later the time that it might have waited is over, and is not the second one's.
  @Test(arguments: Absence.allCases)
  mutating func afterOneThatWasCancelled(_ absence: Absence) throws {
    let waiter = try findsNobody(absence)
    holds(limiter.cancel(waiter, of: 1))
    _ = limiter.grantWaiting(now: .seconds(4))
    // As many go as may: it is not known any more that nobody is there.
    let calls = (0..<9).map { _ in granted(ask(2, at: .seconds(600))) }
    #expect(calls.compactMap { $0 }.count == 8)
    holds(limiter.grantWaiting(now: .seconds(600)).shut.isEmpty)
    for call in calls.compactMap({ $0 }) { end(call, as: absence, at: .seconds(601)) }
    let waiting = limiter.grantWaiting(now: .seconds(603))
    #expect(waiting.shut.isEmpty && waiting.granted.count == 1)
    if let (_, look) = waiting.granted.first { end(look, as: absence, at: .seconds(604)) }
    holds(limiter.grantWaiting(now: .seconds(604)).shut.isEmpty)
    #expect(!limiter.history.changes.contains(where: isGivenUp))
  }

  /// The first job waited for as long as is set, and one call still looks when its time is over.
  @Test(arguments: Absence.allCases)
  mutating func afterOneThatGaveUp(_ absence: Absence) throws {
    _ = try findsNobody(absence)
    let looks = limiter.grantWaiting(now: .seconds(304)).granted.map(\.1)
    #expect(looks.count == (absence == .down ? 1 : 0))
    for look in looks { end(look, as: absence, at: .seconds(305)) }
    // Nobody of the first job waits, nor does what it asks for later.
    holds(granted(ask(1, at: .seconds(305))) == nil)
    #expect(limiter.history.changes.filter(isGivenUp).count == 1)
    let later = granted(ask(2, at: .seconds(306)))
    let second = try #require(later)
    end(second, as: absence, at: .seconds(307))
    // It looks at once where the server was silent, and after a moment where it was down; nobody is told that it waits no longer.
    let asked = ask(2, at: .seconds(307))
    let atOnce = granted(asked)
    #expect((atOnce != nil) == (absence == .silent))
    holds(limiter.grantWaiting(now: .seconds(307)).shut.isEmpty)
    let next = limiter.grantWaiting(now: .seconds(309)).granted
    let look = try #require(atOnce ?? next.first?.1)
    end(look, as: nil, at: .seconds(310))
    // It is there again: the first job's rows may go as well.
    holds(granted(ask(1, at: .seconds(311))) != nil)
  }

  /// A call of a job that waits no longer is cancelled at the very moment at which another is answered: that is no answer.
  @Test mutating func whatEndsWithAnAnswerIsNone() throws {
    let asked = granted(ask(1, at: .zero))
    let first = try #require(asked)
    end(first, as: nil, at: .seconds(1))
    var held: [Permit] = []
    for _ in 0..<3 {
      let asked = granted(ask(1, at: .milliseconds(1500)))
      held.append(try #require(asked))
    }
    end(held[0], as: .down, at: .seconds(2))
    guard case .queued = ask(1, at: .seconds(2)) else { throw CancellationError() }
    let looks = limiter.grantWaiting(now: .seconds(304)).granted
    let look = try #require(looks.first?.1)
    // It was under way before the server went: the server is still down, as far as is known.
    end(held[1], as: nil, at: .seconds(305))
    end(look, as: .down, at: .seconds(305))
    #expect(limiter.history.changes.filter(isGivenUp).count == 1)
    limiter.ended(held[2], .unused, now: .seconds(305))
    guard case .shut = ask(1, at: .seconds(305)) else {
      Issue.record("the job waits again")
      return
    }
  }

  /// A call that was under way when its job gave up is no news when it ends.
  @Test mutating func theEndOfAnOldCallIsNoNews() throws {
    let waiter = try findsNobody(.silent)
    let looks = limiter.grantWaiting(now: .seconds(200)).granted
    let look = try #require(looks.first?.1)
    holds(!limiter.cancel(waiter, of: 1))
    _ = limiter.grantWaiting(now: .seconds(302))
    #expect(limiter.history.changes.filter(isGivenUp).count == 1)
    let told = limiter.history.changes.count
    end(look, as: .silent, at: .seconds(320))
    #expect(limiter.history.changes.count == told)
  }

  /// Where somebody waits, nothing is forgotten, whatever keeps him from looking.
  @Test(arguments: Absence.allCases)
  mutating func whoWaitsIsNotForgotten(_ absence: Absence) throws {
    var limits = limiter.limits
    limits.requestsPerMinute = 6
    limiter.configure(limits, by: .terminal, now: .zero)
    var (now, permit): (Duration, Permit?) = (.zero, nil)
    for _ in 0..<100 where !limiter.history.changes.contains(where: isGivenUp) {
      if permit == nil { permit = granted(ask(1, at: now)) }
      now += .seconds(1)
      if let ended = permit { end(ended, as: now < .seconds(2) ? nil : absence, at: now) }
      permit = limiter.grantWaiting(now: now).granted.first?.1
      now += .seconds(5)
    }
    #expect(limiter.history.changes.contains(where: isGivenUp), "\(now)")
  }

  private func isGivenUp(_ change: LimitChange) -> Bool {
    switch change.what {
    case .gaveUp, .silentTooLong: true
    default: false
    }
  }
}
