import Chat
import Testing
import Threads

@testable import Scheduling

@Suite struct CallEngineTests {
  private static let request = PreparedCall(ChatRequest(model: ModelName(provider: "p", name: "m"), messages: [Message(.user, "x")]))

  private func engine(_ client: any ModelClient, _ time: any Timekeeper, width: Int = 8) -> CallEngine {
    CallEngine(limiter: Limiter(Limits(width: .fixed(width)), time: time), client: client, time: time, random: { 0.5 })
  }

  private static func answer(_ text: String, ttft: Duration = .milliseconds(10)) -> Attempt {
    var attempt = Attempt()
    (attempt.text, attempt.finish, attempt.ttft) = (text, .stop, ttft)
    return attempt
  }

  @Test func aWaitingRetryHoldsNoPermit() async {
    let time = ManualTime()
    let client = Scripted { number in number == 1 ? Attempt(failure: Failure(.server, "no")) : Self.answer("yes") }
    let engine = engine(client, time)
    let job = Job(id: 1, name: "j", total: 1, time: time)
    let call = Task { await engine.call(Self.request, in: job, policy: RetryPolicy()) }
    await time.sleepers(1)
    #expect(engine.limiter.inUse == 0 && job.progress.waiting == 1 && job.progress.retried == 1)
    time.advance(by: .milliseconds(250))
    let reply = await call.value
    #expect(reply.text == "yes" && reply.attempts == 2 && reply.waited == .milliseconds(250))
    #expect(engine.limiter.inUse == 0 && job.progress.waiting == 0)
  }

  /// The second call answers while the first still says nothing: it wins, and the first is cancelled.
  @Test func aLateFirstTokenIsHedged() async {
    let time = ManualTime()
    let cancelled = AsyncStream<Void>.makeStream()
    let client = Scripted { number in
      if number != 21 { return Self.answer("\(number)") }
      for await _ in AsyncStream<Never>.makeStream().stream {}
      cancelled.continuation.yield()
      return Attempt(failure: Failure(.cancelled, "cancelled"))
    }
    let engine = engine(client, time)
    let job = Job(id: 1, name: "j", total: nil, time: time)
    // Too few are known to say what is late.
    for _ in 0..<20 { #expect(await !engine.call(Self.request, in: job, policy: RetryPolicy(), hedge: 95).hedged) }
    let call = Task { await engine.call(Self.request, in: job, policy: RetryPolicy(), hedge: 95) }
    await time.sleepers(1)
    #expect(client.calls == 21)
    time.advance(by: .milliseconds(11))
    let reply = await call.value
    #expect(reply.text == "22" && reply.hedged && reply.attempts == 1 && job.progress.hedged == 1)
    for await _ in cancelled.stream { break }
    #expect(engine.limiter.inUse == 0)
  }

  /// Whatever is cancelled whenever: no permit is kept, and everybody gets an answer.
  @Test(arguments: 0..<30)
  func cancellingAtAnyMomentLeavesNothing(_ seed: Int) async {
    var random = Seeded(seed)
    let time = SystemTimekeeper()
    let client = Scripted { number in
      for _ in 0..<(number % 5) { await Task.yield() }
      return number % 3 == 0 ? Attempt(failure: Failure(.server, "no")) : Self.answer("yes")
    }
    let engine = engine(client, time, width: 2)
    let job = Job(id: 1, name: "j", total: nil, time: time)
    var policy = RetryPolicy()
    policy.retries = 0
    let calls = (0..<20).map { index in
      Task { [policy] in await engine.call(Self.request, in: job, policy: policy, hedge: index % 2 == 0 ? 50 : nil) }
    }
    for call in calls where random.below(2) == 0 {
      for _ in 0..<random.below(6) { await Task.yield() }
      call.cancel()
    }
    for call in calls { _ = await call.value }
    #expect(engine.limiter.inUse == 0)
  }

  @Test func aSpentBudgetIsSaidSo() async {
    let time = ManualTime()
    var limits = Limits()
    limits.tokenBudget = 5
    let client = Scripted { _ in Self.answer("yes") }
    let engine = CallEngine(limiter: Limiter(limits, time: time), client: client, time: time)
    let job = Job(id: 1, name: "j", total: 1, time: time)
    let reply = await engine.call(Self.request, in: job, policy: RetryPolicy())
    #expect(reply.failure?.kind == .quota && client.calls == 0 && engine.limiter.inUse == 0)
  }

  /// Answers by the number of the call.
  private final class Scripted: ModelClient {
    private let count = Mutex(0)
    private let answer: @Sendable (Int) async -> Attempt
    var calls: Int { count.withLock { $0 } }

    init(_ answer: @escaping @Sendable (Int) async -> Attempt) { self.answer = answer }

    func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt {
      let number = count.withLock { count in
        count += 1
        return count
      }
      let attempt = await answer(number)
      _ = feed?.push(attempt.text.utf8)
      feed?.finish()
      return attempt
    }
  }
}
