import Chat
import Testing

@testable import Scheduling

/// The controllers' laws, under a clock that is handed in.
@Suite struct ControllerTests {
  // MARK: rates

  /// Never a unit above the rate in any window, whatever is asked for and when; and the rate is used.
  @Test(arguments: 0..<60)
  func noWindowHoldsMoreThanItsRate(_ seed: Int) {
    var random = Seeded(seed)
    let limit = 1 + random.below(50)
    var window = RateWindow(limit: limit, per: .seconds(1))
    var now: Duration = .zero
    var taken: [(at: Duration, amount: Int)] = []
    for _ in 0..<400 {
      let amount = 1 + random.below(max(1, limit / 3))
      let opening = window.opens(for: amount, now: now)
      #expect(opening >= now)
      // Sometimes later than it might.
      now = opening + (random.below(3) == 0 ? .milliseconds(random.below(300)) : .zero)
      holds(window.opens(for: amount, now: now) == now)
      _ = window.take(amount, now: now)
      taken.append((now, amount))
    }
    for (index, entry) in taken.enumerated() {
      let inWindow = taken[...index].reversed().prefix { $0.at > entry.at - .seconds(1) }.reduce(0) { $0 + $1.amount }
      #expect(inWindow <= limit)
    }
  }

  @Test func aRateIsUsedWholeAndEvenly() {
    var window = RateWindow(limit: 60, per: .seconds(60))
    var now: Duration = .zero
    for _ in 0..<121 {
      now = window.opens(for: 1, now: now)
      _ = window.take(1, now: now)
    }
    // 120 steps of a second, less the twentieth of a minute that may be caught up.
    #expect(now >= .seconds(117) && now <= .seconds(120))
  }

  @Test func anAmountAboveTheRateGoesAlone() {
    var window = RateWindow(limit: 10, per: .seconds(1))
    holds(window.opens(for: 50, now: .zero) == .zero)
    _ = window.take(50, now: .zero)
    holds(window.opens(for: 1, now: .zero) >= .seconds(1))
  }

  @Test func whatWasTakenIsSettled() {
    var window = RateWindow(limit: 100, per: .seconds(60))
    let entry = window.take(100, now: .zero)
    holds(window.opens(for: 50, now: .zero) >= .seconds(57))
    window.settle(entry, as: 10)
    holds(window.opens(for: 50, now: .seconds(6)) == .seconds(6))
    // A rate that is raised counts at once.
    window.limit = 1000
    holds(window.opens(for: 900, now: .seconds(6)) == .seconds(6))
  }

  // MARK: what servers state

  private func stated(_ remaining: Int, of limit: Int?, reset: Duration?) -> StatedLimits.Amount {
    StatedLimits.Amount(limit: limit, remaining: remaining, reset: reset)
  }

  @Test func aStatementIsABucketThatRefills() throws {
    // 500 a minute, none left: the next comes after 0.12 s, not after the whole minute.
    let empty = try #require(StatedRate(stated(0, of: 500, reset: .seconds(60)), heard: .zero, takenSince: 0))
    #expect(empty.opens(for: 1, now: .zero) == .milliseconds(120))
    var some = try #require(StatedRate(stated(3, of: 500, reset: .seconds(59)), heard: .zero, takenSince: 2))
    holds(some.opens(for: 1, now: .zero) == .zero)
    some.take(1, now: .zero)
    holds(some.opens(for: 1, now: .zero) > .zero)
    // More than it ever holds is let through when it is full.
    holds(some.opens(for: 10_000, now: .zero) <= .seconds(61))
  }

  /// What a server counted when the request came is told with the first token, when others have gone out meanwhile.
  @Test func aStatementIsAsOldAsItsRequest() throws {
    let model = ModelName(provider: "p", name: "m")
    var lane = Lane(model, provider: 0, Limits(width: .fixed(100)))
    func permit(at now: Duration) -> Permit {
      Permit(
        job: 1, lane: 0, model: model, granted: now, tokens: 0, input: 0, jobEntry: nil, providerEntry: nil,
        taken: lane.take(0, now: now), looksForServer: false, isBudgeted: false, activity: lane.activity)
    }
    let first = permit(at: .zero)
    for _ in 0..<4 { _ = permit(at: .milliseconds(100)) }
    var attempt = Attempt()
    attempt.stated = StatedLimits(requests: stated(4, of: 500, reset: .seconds(60)), tokens: nil)
    attempt.stated?.after = .milliseconds(300)
    _ = lane.ended(first, CallOutcome(attempt, sent: .zero, policy: RetryPolicy()), now: .seconds(1))
    // Four were left, and four have gone: the next has to wait for the refill, which began at 0.3 s.
    let opened = lane.opens(for: 0, now: .milliseconds(310))
    let opening = try #require(opened)
    #expect(opening > .milliseconds(400) && opening < .milliseconds(440))
  }

  /// A fixed window has just begun when it is heard of, and many calls are under way that it will refuse: nobody waits beyond its reset,
  /// and at the reset no more go than it gives.
  @Test func aStatementIsNotWaitedForBeyondItsReset() throws {
    var window = try #require(StatedRate(stated(19, of: 20, reset: .seconds(5)), heard: .seconds(1), takenSince: 63))
    holds(window.opens(for: 1, now: .seconds(1)) == .seconds(6))
    for _ in 0..<20 {
      holds(window.opens(for: 1, now: .seconds(6)) == .seconds(6))
      window.take(1, now: .seconds(6))
    }
    holds(window.opens(for: 1, now: .seconds(6)) > .seconds(6))
  }

  @Test func nonsenseIsNotBelieved() {
    #expect(StatedRate(stated(-1, of: 500, reset: .seconds(1)), heard: .zero, takenSince: 0) == nil)
    #expect(StatedRate(stated(0, of: 500, reset: nil), heard: .zero, takenSince: 0) == nil)
    #expect(StatedRate(stated(0, of: 500, reset: .zero), heard: .zero, takenSince: 0) == nil)
  }

  /// Numbers that no server means: each ended the program, by an overflow.
  @Test(
    arguments: [
      (Int.max, Int.max, Duration.seconds(1)), (0, Int.max, .nanoseconds(1)), (0, 1, .seconds(364 * 86400)),
      (999, 1000, .seconds(364 * 86400)), (Int.max, 1, .milliseconds(1)), (Int.max, nil, .nanoseconds(1)),
    ] as [(Int, Int?, Duration)])
  func noNumberOverflows(_ remaining: Int, _ limit: Int?, _ reset: Duration) throws {
    var rate = try #require(StatedRate(stated(remaining, of: limit, reset: reset), heard: .zero, takenSince: 1_000_000_000))
    for amount in [0, 1, 1_000_000_000_000] {
      #expect(rate.left(.seconds(1)) >= 0)
      let opening = rate.opens(for: amount, now: .seconds(1))
      #expect(opening >= .seconds(1) && opening <= .seconds(366 * 86400))
      rate.take(amount, now: .seconds(1))
    }
    #expect(rate.left(.seconds(1 << 40)) >= 0)
  }

  // MARK: a width that finds itself

  /// One refusal of a lone call says nothing of the width for ever: where all that is refused stands beside more than what is taken in, it
  /// is cut again.
  @Test func oneRefusalOfALoneCallIsForgotten() {
    var limit = AdaptiveLimit(1...200)
    let answer = CallOutcome.Answer(tokens: 1, ttft: .milliseconds(1))
    holds(limit.refused(beside: 0, began: .zero, now: .milliseconds(1)))
    limit.tookIn(beside: 2)
    var cuts = 0
    for second in 1..<20 {
      let began = Duration.seconds(second)
      limit.tookIn(beside: 3)
      _ = limit.ended(began: began, under: -1, answer: answer, inUse: 1, now: began + .milliseconds(1))
      if limit.refused(beside: 5, began: began, now: began + .milliseconds(2)) { cuts += 1 }
    }
    #expect(cuts > 0 && limit.limit <= 4, "\(cuts) cuts, \(limit.limit) at once")
  }

  /// Refusals of calls that were under way together count once, and those beside fewer than were taken in are no sign of a width.
  @Test func refusalsAtAnyWidthCutNothing() {
    var widths = RefusedWidths()
    widths.refused(beside: 4, began: .zero, now: .milliseconds(1))
    widths.tookIn(beside: 10)
    for _ in 0..<64 { widths.refused(beside: 20, began: .seconds(1), now: .seconds(2)) }
    #expect(widths.isNoMatter)
    for second in 3..<60 {
      widths.tookIn(beside: 20)
      widths.refused(beside: 19, began: .seconds(second), now: .seconds(second))
    }
    #expect(widths.isNoMatter)
  }

  // MARK: the brake

  @Test func theBrakeCountsOneKindInARow() {
    var brake = Brake()
    for _ in 0..<2 { holds(!brake.failed(.auth, limit: 3)) }
    holds(!brake.failed(.server, limit: 3))
    for _ in 0..<2 { holds(!brake.failed(.auth, limit: 3)) }
    brake.answered()
    for _ in 0..<2 { holds(!brake.failed(.auth, limit: 3)) }
    holds(!brake.failed(.cancelled, limit: 3))
    holds(brake.failed(.auth, limit: 3))
    // Whoever goes on gets as many again.
    holds(!brake.failed(.auth, limit: 3))
    for _ in 0..<100 { holds(!brake.failed(.auth, limit: nil)) }
  }
}
