import Chat
import Testing
import Threads

@testable import Scheduling

@Suite struct LimiterStateTests {
  private static let lanes = [
    ModelName(provider: "p", name: "a"), ModelName(provider: "p", name: "b"), ModelName(provider: "q", name: "a"),
  ]
  private static let (a, b) = (lanes[0], lanes[2])

  /// Random steps keep the laws: never above the limit, nobody forgotten, nobody answered twice, nothing kept when all is over.
  @Test(arguments: 0..<60)
  func lawsHold(_ seed: Int) {
    var random = Seeded(seed)
    var limiter = LimiterState(Limits(width: .fixed(3)))
    var now: Duration = .zero
    var held: [Permit] = []
    var waiting: [Int: Int] = [:]
    func settle() {
      let effects = limiter.grantWaiting(now: now)
      #expect(effects.spent.isEmpty)
      for (id, permit) in effects.granted {
        #expect(waiting.removeValue(forKey: id) == permit.job, "answered one who does not wait")
        held.append(permit)
      }
    }
    for _ in 0..<600 {
      now += .milliseconds(random.below(20))
      let before = limiter.inUse
      var width = 0
      if case .fixed(let fixed) = limiter.limits.width { width = fixed }
      switch random.below(8) {
      case 0, 1, 2, 3:
        let job = random.below(3)
        let turn: LimiterState.Turn = random.below(2) == 0 ? .fresh : .continuing
        switch limiter.acquire(job, lane: Self.lanes[random.below(3)], turn, now: now) {
        case .granted(let permit): held.append(permit)
        case .queued(let id): waiting[id] = job
        case .spent, .stopped, .shut: Issue.record("there is no budget, and nothing was stopped")
        }
      case 4, 5: if let permit = held.popLast() { limiter.ended(permit, .unused, now: now) }
      case 6:
        width = 1 + random.below(6)
        limiter.configure(Limits(width: .fixed(width)), by: .program, now: now)
      default: if let (id, job) = waiting.first, limiter.cancel(id, of: job) { waiting[id] = nil }
      }
      settle()
      #expect(limiter.inUse == held.count)
      // A lowered limit lets what runs finish; nothing new is granted above it.
      #expect(limiter.inUse <= max(width, before))
      // Work-conserving: nobody waits while there is width.
      #expect(waiting.isEmpty || limiter.inUse >= width)
    }
    limiter.configure(Limits(width: .fixed(10_000)), by: .program, now: now)
    settle()
    #expect(waiting.isEmpty)
    for permit in held { limiter.ended(permit, .unused, now: now) }
    #expect(limiter.inUse == 0)
  }

  private func permit(_ request: LimiterState.Request) -> Permit? { if case .granted(let permit) = request { permit } else { nil } }
  private func waiter(_ request: LimiterState.Request) -> Int? { if case .queued(let id) = request { id } else { nil } }

  @Test func shortJobIsNotHeldUpByALongOne() throws {
    var limiter = LimiterState(Limits(width: .fixed(4)))
    var waiters: [Int: Int] = [:]
    var held: [Permit] = []
    for _ in 0..<4 { held.append(try #require(permit(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))) }
    for _ in 0..<100 { waiters[try #require(waiter(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))] = 1 }
    for _ in 0..<2 { waiters[try #require(waiter(limiter.acquire(2, lane: Self.a, .fresh, now: .zero)))] = 2 }
    // The next two permits go to the job that has none.
    for permit in held.prefix(2) {
      limiter.ended(permit, .unused, now: .zero)
      #expect(limiter.grantWaiting(now: .zero).granted.map { waiters[$0.0] } == [2])
    }
  }

  @Test func aRowThatHasBegunComesFirst() throws {
    var limiter = LimiterState(Limits(width: .fixed(1)))
    let first = try #require(permit(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))
    let fresh = try #require(waiter(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))
    let going = try #require(waiter(limiter.acquire(1, lane: Self.a, .continuing, now: .zero)))
    limiter.ended(first, .unused, now: .zero)
    let second = limiter.grantWaiting(now: .zero).granted
    #expect(second.map(\.0) == [going])
    limiter.ended(second[0].1, .unused, now: .zero)
    #expect(limiter.grantWaiting(now: .zero).granted.map(\.0) == [fresh])
  }

  @Test func capsAndPauses() throws {
    var limiter = LimiterState(Limits(width: .fixed(10)))
    var own = Limits.Own()
    own.concurrency = 1
    limiter.set(own, for: 1, by: .terminal, now: .zero)
    #expect(permit(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)) != nil)
    let capped = try #require(waiter(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))
    // Others pass by the one that is held back.
    #expect(permit(limiter.acquire(2, lane: Self.a, .fresh, now: .zero)) != nil)
    limiter.set(.none, for: 1, by: .terminal, now: .zero)
    #expect(limiter.grantWaiting(now: .zero).granted.map(\.0) == [capped])
    limiter.setPaused(true, 2, reason: nil, by: .terminal, now: .zero)
    let paused = try #require(waiter(limiter.acquire(2, lane: Self.a, .fresh, now: .zero)))
    #expect(limiter.grantWaiting(now: .zero).granted.isEmpty)
    limiter.setPaused(false, 2, reason: nil, by: .terminal, now: .zero)
    #expect(limiter.grantWaiting(now: .zero).granted.map(\.0) == [paused])
    #expect(limiter.history.changes.map(\.text) == ["no cap → 1: set for this job", "1 → no cap: set for this job", "paused", "resumed"])
  }

  /// A lane that is shut holds up nobody who goes elsewhere.
  @Test func lanesAreApart() throws {
    var limits = Limits(width: .fixed(10))
    limits.requestsPerMinute = 1
    var limiter = LimiterState(limits)
    #expect(permit(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)) != nil)
    let later = try #require(waiter(limiter.acquire(1, lane: Self.a, .fresh, now: .zero)))
    #expect(permit(limiter.acquire(1, lane: Self.b, .fresh, now: .zero)) != nil)
    let effects = limiter.grantWaiting(now: .seconds(1))
    #expect(effects.granted.isEmpty && effects.opening == .seconds(60))
    #expect(limiter.grantWaiting(now: .seconds(60)).granted.map(\.0) == [later])
  }

  /// A job that was stopped is forgotten when it is over and nothing of it is left; one that still runs stays stopped.
  @Test func stoppedJobsAreForgotten() throws {
    var limiter = LimiterState(Limits(width: .fixed(300)))
    for job in [1, 2] { _ = limiter.withdrawFresh(of: job) }
    let held = try #require(permit(limiter.acquire(2, lane: Self.a, .continuing, now: .zero)))
    limiter.over(2)
    for job in 3...200 {
      let first = try #require(permit(limiter.acquire(job, lane: Self.a, .fresh, now: .zero)))
      limiter.setPaused(true, job, reason: nil, by: .terminal, now: .zero)
      _ = limiter.withdrawFresh(of: job)
      _ = limiter.stopTrying(job, now: .zero)
      limiter.ended(first, .unused, now: .zero)
      limiter.over(job)
    }
    #expect(limiter.queues.count <= 33)
    for job in [1, 2] {
      if case .stopped = limiter.acquire(job, lane: Self.a, .fresh, now: .zero) {} else { Issue.record("job \(job) begins anew") }
    }
    limiter.ended(held, .unused, now: .zero)
    for job in 201...240 { _ = limiter.begin(RowGroup(Job(id: job, name: "j", total: nil, time: ManualTime()), within: nil)) }
    limiter.over(240)
    #expect(limiter.queueIndex(of: 2) == nil && limiter.queueIndex(of: 1) != nil)
  }

  /// What is used and what is in flight never exceed a budget where replies keep to their `max-tokens`.
  @Test(arguments: 0..<40)
  func theBudgetIsNotOvershot(_ seed: Int) {
    var random = Seeded(seed)
    var limits = Limits(width: .fixed(20))
    limits.tokenBudget = 2000
    var limiter = LimiterState(limits)
    var held: [Permit] = []
    var (answered, refused) = (0, 0)
    for _ in 0..<500 {
      if random.below(2) == 0 {
        switch limiter.acquire(1, lane: Self.a, .continuing, CallAmount(input: 10 + random.below(20), output: 40), now: .zero) {
        case .granted(let permit): held.append(permit)
        case .queued(let id): _ = limiter.cancel(id, of: 1)
        case .spent, .stopped, .shut: refused += 1
        }
      } else if let permit = held.popLast() {
        var attempt = Attempt()
        attempt.usage = Usage(input: 5 + random.below(5), output: random.below(41))
        limiter.ended(permit, CallOutcome(attempt, sent: .zero, policy: RetryPolicy()), now: .zero)
        answered += 1
      }
      #expect(limiter.budget.used + limiter.budget.reserved <= 2000)
    }
    #expect(answered > 20)
    for permit in held { limiter.ended(permit, .unused, now: .zero) }
    #expect(limiter.budget.reserved == 0)
  }
}

@Suite struct LimiterTests {
  private static let a = ModelName(provider: "p", name: "a")

  private func job(_ id: Int) -> Job { Job(id: id, name: "j", total: nil, time: SystemTimekeeper()) }

  @Test func manyTasksNeverExceedTheLimit() async {
    let limiter = Limiter(Limits(width: .fixed(4)), time: SystemTimekeeper())
    let job = job(1)
    let counter = Counter()
    await withDiscardingTaskGroup { group in
      for _ in 0..<400 {
        group.addTask {
          guard case .granted(let permit) = await limiter.acquire(job, lane: Self.a) else { return }
          counter.enter()
          await Task.yield()
          counter.leave()
          limiter.release(permit)
        }
      }
    }
    #expect(counter.most <= 4)
    #expect(counter.all == 400)
    #expect(limiter.inUse == 0)
  }

  /// Cancelling at any moment leaves no slot taken and nobody waiting for ever.
  @Test func cancellationLeaksNothing() async {
    let limiter = Limiter(Limits(width: .fixed(1)), time: SystemTimekeeper())
    let job = job(1)
    for _ in 0..<200 {
      guard case .granted(let permit) = await limiter.acquire(job, lane: Self.a) else { return #expect(Bool(false)) }
      let waiting = Task { await limiter.acquire(job, lane: Self.a) }
      let other = Task {
        waiting.cancel()
        limiter.release(permit)
      }
      if case .granted(let permit) = await waiting.value { limiter.release(permit) }
      await other.value
      #expect(limiter.inUse == 0)
    }
  }

  /// Who waits for a moment is woken when it comes, once.
  @Test func aRateLetsThroughInTime() async {
    let time = ManualTime()
    var limits = Limits(width: .fixed(10))
    limits.requestsPerMinute = 2
    let limiter = Limiter(limits, time: time)
    let job = Job(id: 1, name: "j", total: nil, time: time)
    let granted = AsyncStream<Duration>.makeStream()
    let tasks = (0..<3).map { _ in
      Task {
        guard case .granted = await limiter.acquire(job, lane: Self.a) else { return }
        granted.continuation.yield(time.now)
      }
    }
    var moments: [Duration] = []
    for await moment in granted.stream {
      moments.append(moment)
      if moments.count == 3 { break }
      await time.sleepers(1)
      time.advance(by: .seconds(30))
    }
    #expect(moments == [.zero, .seconds(30), .seconds(60)])
    for task in tasks { await task.value }
  }

  /// Whose rows wait out what a server asked for waits for that server: how long it has been away is not counted anew.
  @Test(arguments: LaterJobTests.Absence.allCases, [false, true])
  func aWaitBetweenTwoTriesIsAWait(_ absence: LaterJobTests.Absence, _ isCancelled: Bool) async throws {
    let time = ManualTime()
    let limiter = Limiter(Limits(width: .fixed(8)), time: time)
    let job = job(1)
    func permit() async throws -> Permit {
      guard case .granted(let permit) = await limiter.acquire(job, lane: Self.a) else { throw CancellationError() }
      return permit
    }
    func end(_ permit: Permit, _ attempt: Attempt) {
      limiter.release(permit, CallOutcome(attempt, sent: permit.granted, policy: RetryPolicy()))
    }
    end(try await permit(), .answer(.milliseconds(2)))
    time.advance(by: .seconds(1))
    let second = try await permit()
    time.advance(by: .seconds(1))
    var attempt = Attempt.no(absence == .down ? .connection : .timeout)
    attempt.failure?.detail = absence == .down ? .unreachable : .firstToken
    end(second, attempt)
    let wait = Task { try? await limiter.pause(for: .seconds(60), of: job, lane: Self.a) }
    await time.sleepers(1)
    if isCancelled {
      wait.cancel()
      await wait.value
    }
    time.advance(by: .seconds(60))
    await wait.value
    let third = try await permit()
    #expect((third.looksForServer || third.taken.looksForWord) == !isCancelled)
    limiter.release(third)
  }

  final class Counter: Sendable {
    private let state = Mutex((now: 0, most: 0, all: 0))
    func enter() {
      state.withLock {
        $0.now += 1
        $0.all += 1
        $0.most = max($0.most, $0.now)
      }
    }
    func leave() { state.withLock { $0.now -= 1 } }
    var most: Int { state.withLock { $0.most } }
    var all: Int { state.withLock { $0.all } }
  }
}
