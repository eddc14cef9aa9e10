import Chat
import Testing

@testable import Scheduling

/// The figures that `why` shows: how fast a stretch was, and from what to what a limit moved.
@Suite struct FigureTests {
  private static let model = ModelName(provider: "p", name: "m")

  private func outcome(_ attempt: Attempt) -> CallOutcome { CallOutcome(attempt, sent: .zero, policy: RetryPolicy()) }

  // MARK: stretches

  /// Sixteen answers that come together after a fifth of a second are eighty a second, not thousands.
  @Test func answersThatComeTogether() throws {
    var windows = LaneWindows()
    for index in 0..<16 {
      windows.ended(
        outcome(.answer(.milliseconds(200))), began: .seconds(1), limit: 16, now: .seconds(1) + .milliseconds(200) + .microseconds(index))
    }
    let window = try #require(windows.last.first)
    #expect(windows.last.count == 1 && window.isTelling)
    #expect(abs(Double(window.answers) / window.seconds - 80) < 1)
  }

  /// Stretches of long answers follow one another without gaps, however long one answer takes.
  @Test func longAnswers() {
    var windows = LaneWindows()
    for burst in 0..<3 {
      for index in 0..<8 {
        windows.ended(
          outcome(.answer(.seconds(60))), began: .seconds(60 * burst), limit: 8, now: .seconds(60 * (burst + 1)) + .milliseconds(index))
      }
    }
    #expect(windows.last.count == 3)
    for window in windows.last { #expect(window.isTelling && abs(Double(window.answers) / window.seconds - 8.0 / 60) < 0.01) }
  }

  /// What is left of a burst in which the limit moved says nothing of how fast answers come; time in which nothing ran is left out.
  @Test func fragmentsAndGaps() {
    var windows = LaneWindows()
    for index in 0..<8 {
      windows.ended(
        outcome(.answer(.seconds(1))), began: .zero, limit: index < 4 ? 8 : 16, now: .seconds(1) + .microseconds(index))
    }
    #expect(windows.last.map(\.isTelling) == [true, false])
    for index in 0..<8 {
      windows.ended(outcome(.answer(.seconds(1))), began: .seconds(500), limit: 8, now: .seconds(501) + .microseconds(index))
    }
    #expect(windows.last.last.map { abs($0.seconds - 1) < 0.01 && $0.answers == 8 } ?? false)
  }

  // MARK: changes

  /// Ends as many calls as are given, one after another, of those that are under way.
  private func changes(_ limits: Limits, calls: Int, ending attempts: [Attempt], after: Duration = .seconds(1)) -> [LimitChange] {
    var limiter = LimiterState(limits)
    var permits: [Permit] = []
    for _ in 0..<calls {
      if case .granted(let permit) = limiter.acquire(1, lane: Self.model, .continuing, now: .zero) { permits.append(permit) }
    }
    var now = after
    for attempt in attempts {
      if permits.isEmpty, case .granted(let look) = limiter.acquire(1, lane: Self.model, .continuing, now: now) { permits.append(look) }
      now += .milliseconds(1)
      if permits.isEmpty { break }
      limiter.ended(permits.removeFirst(), CallOutcome(attempt, sent: .zero, policy: RetryPolicy()), now: now)
    }
    return limiter.history.changes
  }

  /// The limit that holds is told, not how many calls were under way under it.
  @Test func cutsNameTheLimit() {
    let cut = Attempt.no(.truncated, status: 200)
    let alone = changes(Limits(width: .fixed(64)), calls: 3, ending: [cut, cut, cut, .answer(.seconds(1))])
    // Two were under way when the last but one broke off: the third in a row comes alone.
    #expect(alone.isEmpty, "\(alone.map(\.text))")
    let six = changes(Limits(width: .fixed(64)), calls: 6, ending: Array(repeating: cut, count: 6) + [.answer(.seconds(1))])
    #expect(six.map(\.values).map { $0.map { "\($0.from) \($0.to)" } } == ["64 1", "64 1"], "\(six.map(\.text))")
    let broken = changes(Limits(width: .fixed(64)), calls: 6, ending: Array(repeating: cut, count: 7))
    #expect(broken.last?.text.hasPrefix("1 → 64: alone it broke off as well") ?? false, "\(broken.map(\.text))")
    let own = changes(limits(of: 12), calls: 6, ending: Array(repeating: cut, count: 7))
    #expect(own.last?.text.hasPrefix("1 → 12: ") ?? false, "\(own.map(\.text))")
  }

  private func limits(of most: Int) -> Limits {
    var limits = Limits(width: .fixed(64))
    limits.places[Self.model.description] = Limits.Own()
    limits.places[Self.model.description]?.concurrency = most
    return limits
  }

  /// Streams that broke off because their server went down: what was narrowed for them is told to be as before.
  @Test func aServerThatGoesDownSaysNothingOfTheWidth() {
    let cut = Attempt.no(.truncated, status: 200)
    var gone = Attempt.no(.connection)
    gone.failure?.detail = .unreachable
    let changes = changes(
      Limits(width: .fixed(8)), calls: 8, ending: [.answer(.seconds(1))] + Array(repeating: cut, count: 7) + [gone])
    #expect(
      changes.map(\.text) == [
        "8 → 1: 3 of the last 4 answers of p/m broke off side by side; one call looks alone",
        "p is down: one call looks every few seconds",
        "1 → 8: the server of p/m went down; the streams that broke off say nothing of the width",
      ])
  }

  /// A first token that is late, of the only call under way, narrows nothing: that would be a change nobody is told of.
  @Test func aQueueOfOne() {
    var late = Attempt.no(.timeout)
    late.failure?.detail = .firstToken
    var limiter = LimiterState(Limits(width: .fixed(8)))
    func permit(at now: Duration) -> Permit? {
      if case .granted(let permit) = limiter.acquire(1, lane: Self.model, .continuing, now: now) { permit } else { nil }
    }
    let (slow, quick) = (permit(at: .zero), permit(at: .zero))
    if let quick { limiter.ended(quick, outcome(.answer(.seconds(1))), now: .seconds(1)) }
    if let slow { limiter.ended(slow, outcome(late), now: .seconds(60)) }
    #expect(limiter.history.changes.isEmpty, "\(limiter.history.changes.map(\.text))")
    #expect(limiter.laneStandings(of: nil).first?.limit == nil)
  }

  /// Every change of a width says from what to what.
  @Test func widthsHaveNumbers() {
    let changes: [LimitChange.What] = [
      .grew(from: 8, to: 16, replies: 8), .refused(from: 8, to: 6, .init("429")), .narrowed(from: 8, to: 1, isSure: true),
      .queued(from: 8, to: 1, answered: 1, within: .seconds(60)), .looksAlone(from: 8, cut: 3, of: 4), .widthIsNotWhy(restored: 8),
      .lookGivenUp(restored: 8, looks: 3), .cutsWereItsEnd(restored: 8), .machine(wanted: "200", most: 20, "files"),
      .notPaidFor(from: 8, to: 16, gain: 0.02, ttftBefore: nil, ttftAfter: nil),
    ]
    for what in changes {
      let change = LimitChange(at: .zero, .model(Self.model), what, by: .program)
      #expect(change.isOfWidth && change.values?.name == "concurrency" && change.values?.from != change.values?.to, "\(change.text)")
    }
  }
}
