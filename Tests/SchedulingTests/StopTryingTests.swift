import Chat
import Testing

@testable import Scheduling

/// What the first ^C takes back: what would be tried again, and what waits for a server that is away, silent or refuses. What waits for a
/// place or a rate belongs to rows whose first calls are paid: it goes on.
@Suite struct StopTryingTests {
  private static let model = ModelName(provider: "p", name: "m")

  private func granted(_ request: LimiterState.Request) -> Permit? { if case .granted(let permit) = request { permit } else { nil } }
  private func queued(_ request: LimiterState.Request) -> Int? { if case .queued(let id) = request { id } else { nil } }

  private func ask(_ limiter: inout LimiterState, isRetry: Bool = false, at now: Duration) -> LimiterState.Request {
    limiter.acquire(
      1, lane: Self.model, .continuing, CallAmount(input: 5, output: 5), patience: .seconds(120), isRetry: isRetry, now: now)
  }

  private func end(_ limiter: inout LimiterState, _ permit: Permit, _ attempt: Attempt, at now: Duration) {
    limiter.ended(permit, CallOutcome(attempt, sent: permit.granted, policy: RetryPolicy()), now: now)
  }

  enum Wait: String, CaseIterable { case rate, rateOfJob, model, auto, width, budget }

  @Test(arguments: Wait.allCases)
  func whoWaitsForARateOrAPlaceGoesOn(_ wait: Wait) throws {
    var limits = Limits(width: .fixed(wait == .width ? 1 : 8))
    var own = Limits.Own()
    switch wait {
    case .rate: limits.requestsPerMinute = 1
    case .rateOfJob: own.requestsPerMinute = 1
    case .model:
      own.concurrency = 1
      limits.places[Self.model.description] = own
      own = .none
    case .auto: limits.width = .adaptive(1...1)
    case .budget: limits.tokenBudget = 15
    case .width: break
    }
    var limiter = LimiterState(limits)
    limiter.set(own, for: 1, by: .terminal, now: .zero)
    let asked = granted(ask(&limiter, at: .zero))
    let first = try #require(asked)
    let waits = queued(ask(&limiter, at: .zero))
    let waiter = try #require(waits)
    _ = limiter.grantWaiting(now: .zero)
    holds(limiter.stopTrying(1, now: .seconds(1)).isEmpty)
    // Neither does a next call that asks later.
    let asksLater = queued(ask(&limiter, at: .seconds(1)))
    let later = try #require(asksLater)
    #expect(limiter.waiting(1) == 2)
    var answer = Attempt.answer(.milliseconds(2))
    answer.usage = Usage(input: 2, output: 2)
    end(&limiter, first, answer, at: .seconds(2))
    let next = limiter.grantWaiting(now: .seconds(60))
    #expect(next.granted.first?.0 == waiter && next.stopped.isEmpty && !next.granted.dropFirst().contains { $0.0 != later })
  }

  @Test func whatWouldBeTriedAgainIsTakenBack() throws {
    var limits = Limits(width: .fixed(8))
    limits.requestsPerMinute = 1
    var limiter = LimiterState(limits)
    holds(granted(ask(&limiter, at: .zero)) != nil)
    let (again, next) = (queued(ask(&limiter, isRetry: true, at: .zero)), queued(ask(&limiter, at: .zero)))
    let retry = try #require(again)
    holds(limiter.stopTrying(1, now: .seconds(1)) == [retry])
    if case .stopped = ask(&limiter, isRetry: true, at: .seconds(1)) {} else { Issue.record("it is tried again") }
    #expect(limiter.grantWaiting(now: .seconds(60)).granted.map(\.0) == [next])
  }

  enum Server: String, CaseIterable {
    case down, silent, refuses

    var attempt: Attempt {
      switch self {
      case .down:
        var attempt = Attempt.no(.connection)
        attempt.failure?.detail = .unreachable
        return attempt
      case .silent:
        var attempt = Attempt.no(.timeout)
        attempt.failure?.detail = .firstToken
        return attempt
      case .refuses: return .no(.rateLimited, status: 429, after: .seconds(60))
      }
    }
  }

  /// Whether it went before the stop or goes after it.
  @Test(arguments: Server.allCases, [true, false])
  func whoWaitsForAServerThatIsNotThereIsTold(_ server: Server, _ goesBefore: Bool) throws {
    var limits = Limits(width: .fixed(8))
    var own = Limits.Own()
    own.concurrency = 2
    limits.places[Self.model.description] = own
    var limiter = LimiterState(limits)
    let asked = granted(ask(&limiter, at: .zero))
    let first = try #require(asked)
    end(&limiter, first, .answer(.milliseconds(2)), at: .milliseconds(2))
    var held: [Permit] = []
    for _ in 0..<2 {
      let asked = granted(ask(&limiter, at: .seconds(1)))
      held.append(try #require(asked))
    }
    let waits = queued(ask(&limiter, at: .seconds(1)))
    let waiter = try #require(waits)
    if !goesBefore { holds(limiter.stopTrying(1, now: .seconds(2)).isEmpty) }
    end(&limiter, held[0], server.attempt, at: .seconds(3))
    if goesBefore {
      // Silence is looked at once: whoever waits is the one that looks.
      if server != .silent { #expect(limiter.grantWaiting(now: .seconds(3)).granted.isEmpty) }
      holds(limiter.stopTrying(1, now: .seconds(3)) == [waiter])
    } else {
      let effects = limiter.grantWaiting(now: .seconds(3))
      #expect(effects.stopped == [waiter] && effects.granted.isEmpty)
    }
    #expect(limiter.waiting(1) == 0)
  }
}
