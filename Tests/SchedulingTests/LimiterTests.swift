import Chat
import Synchronization
import Testing

@testable import Scheduling

@Suite struct LimiterStateTests {
  /// Random steps keep the laws: never above the limit, nobody forgotten, nobody served twice.
  @Test(arguments: 0..<40)
  func lawsHold(_ seed: Int) {
    var random = Seeded(UInt64(seed))
    var limiter = LimiterState(limit: 3)
    var held: [Int] = []
    var waiting: [Int: Int] = [:]
    func granted(_ ids: [Int]) {
      for id in ids {
        let job = waiting.removeValue(forKey: id)
        #expect(job != nil, "granted to one who does not wait")
        if let job { held.append(job) }
      }
    }
    for _ in 0..<600 {
      let limitBefore = limiter.limit
      let before = limiter.inUse
      switch random.next() % 8 {
      case 0, 1, 2, 3:
        let job = Int(random.next() % 3)
        switch limiter.acquire(job, random.next() % 2 == 0 ? .fresh : .continuing) {
        case .granted: held.append(job)
        case .queued(let id): waiting[id] = job
        }
      case 4, 5: if let job = held.popLast() { granted(limiter.release(job)) }
      case 6: granted(limiter.setLimit(1 + Int(random.next() % 6)))
      default:
        if let (id, job) = waiting.first, limiter.cancel(id, of: job) { waiting[id] = nil }
      }
      #expect(limiter.inUse == held.count)
      // A lowered limit lets what runs finish; nothing new is granted above it.
      #expect(limiter.inUse <= max(limiter.limit, min(before, limitBefore)) || limiter.inUse <= before)
      // Work-conserving: nobody waits while a slot is free.
      #expect(waiting.isEmpty || limiter.inUse >= limiter.limit)
    }
    // Everyone is served in the end.
    granted(limiter.setLimit(10_000))
    #expect(waiting.isEmpty)
    for job in held { _ = limiter.release(job) }
    #expect(limiter.inUse == 0)
  }

  @Test func shortJobIsNotHeldUpByALongOne() {
    var limiter = LimiterState(limit: 4)
    var waiters: [Int: Int] = [:]
    for _ in 0..<4 { #expect(limiter.acquire(1, .fresh) == .granted) }
    for _ in 0..<100 { if case .queued(let id) = limiter.acquire(1, .fresh) { waiters[id] = 1 } }
    for _ in 0..<2 { if case .queued(let id) = limiter.acquire(2, .fresh) { waiters[id] = 2 } }
    // The next two slots go to the job that has none.
    #expect(limiter.release(1).map { waiters[$0] } == [2])
    #expect(limiter.release(1).map { waiters[$0] } == [2])
  }

  @Test func aRowThatHasBegunComesFirst() {
    var limiter = LimiterState(limit: 1)
    _ = limiter.acquire(1, .fresh)
    let fresh = limiter.acquire(1, .fresh)
    guard case .queued(let going) = limiter.acquire(1, .continuing), case .queued(let new) = fresh else { return #expect(Bool(false)) }
    #expect(limiter.release(1) == [going])
    #expect(limiter.release(1) == [new])
  }

  @Test func capsAndPauses() {
    var limiter = LimiterState(limit: 10)
    _ = limiter.setCap(1, of: 1)
    #expect(limiter.acquire(1, .fresh) == .granted)
    guard case .queued(let capped) = limiter.acquire(1, .fresh) else { return #expect(Bool(false)) }
    // Others pass by the one that is held back.
    #expect(limiter.acquire(2, .fresh) == .granted)
    #expect(limiter.setCap(nil, of: 1) == [capped])
    _ = limiter.setPaused(true, 2)
    guard case .queued(let paused) = limiter.acquire(2, .fresh) else { return #expect(Bool(false)) }
    #expect(limiter.setPaused(false, 2) == [paused])
  }

  struct Seeded {
    var state: UInt64
    init(_ seed: UInt64) { state = seed &+ 1 }
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 24
    }
  }
}

@Suite struct LimiterTests {
  private func job(_ id: Int) -> Job { Job(id: id, name: "j", total: nil, time: SystemTimekeeper()) }

  @Test func manyTasksNeverExceedTheLimit() async {
    let limiter = Limiter(limit: 4)
    let job = job(1)
    let counter = Counter()
    await withDiscardingTaskGroup { group in
      for _ in 0..<400 {
        group.addTask {
          guard await limiter.acquire(job, continuing: false) else { return }
          counter.enter()
          await Task.yield()
          counter.leave()
          limiter.release(job)
        }
      }
    }
    #expect(counter.most <= 4)
    #expect(counter.all == 400)
    #expect(limiter.inUse == 0)
  }

  /// Cancelling at any moment leaves no slot taken and nobody waiting for ever.
  @Test func cancellationLeaksNothing() async {
    let limiter = Limiter(limit: 1)
    let job = job(1)
    for _ in 0..<200 {
      _ = await limiter.acquire(job, continuing: false)
      let waiting = Task { await limiter.acquire(job, continuing: false) }
      let other = Task {
        waiting.cancel()
        limiter.release(job)
      }
      if await waiting.value { limiter.release(job) }
      await other.value
      #expect(limiter.inUse == 0)
    }
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

@Suite struct RetryPolicyTests {
  let policy = RetryPolicy()

  @Test(arguments: FailureKind.allCases)
  func onlyWhatMayPassIsTriedAgain(_ kind: FailureKind) {
    let decision = policy.decide(Failure(kind, "x"), attempts: 1, random: 0.5)
    if kind.isTransient { #expect(decision == .retry(after: .milliseconds(250))) } else { #expect(decision == .fail(Failure(kind, "x"))) }
  }

  @Test func whatTheServerAsksForIsAMinimum() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(7))
    guard case .retry(let wait) = policy.decide(failure, attempts: 1, random: 0.99) else { return #expect(Bool(false)) }
    #expect(wait >= .seconds(7) && wait < .seconds(8))
  }

  @Test func tooLongAWaitFailsTheRow() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(121))
    guard case .fail(let told) = policy.decide(failure, attempts: 1, random: 0) else { return #expect(Bool(false)) }
    #expect(told.message.contains("121 s"))
  }

  @Test func triesAreCounted() {
    #expect(policy.decide(Failure(.server, "x"), attempts: 4, random: 0) == .retry(after: .zero))
    #expect(policy.decide(Failure(.server, "x"), attempts: 5, random: 0) == .fail(Failure(.server, "x")))
  }
}
