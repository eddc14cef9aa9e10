import Chat
import Testing
import Threads

@testable import Scheduling

/// What holds a job back, where a real server would show it only by chance: under a clock that is turned by hand.
@Suite struct VerdictTests {
  /// A clock whose processor time is what a test says.
  private final class BusyTime: Timekeeper {
    private let state = Mutex((now: Duration.zero, cpu: Duration.zero))
    var now: Duration { state.withLock { $0.now } }
    var cpu: Duration { state.withLock { $0.cpu } }
    func pass(_ time: Duration, cpu: Duration) {
      state.withLock {
        $0.now += time
        $0.cpu += cpu
      }
    }
    func sleep(for duration: Duration) async throws { try await Task.sleep(for: .seconds(3600)) }
  }

  private static let model = ModelName(provider: "p", name: "m")

  private func words(_ limiter: Limiter, _ job: Job) -> String {
    let now = limiter.now
    let (text, line) = limiter.verdict(of: job).words(job.name) { shut in shut.text(now: now) { "in \($0)" } }
    return text + (line.map { "; `\($0)`" } ?? "")
  }

  private func permit(_ limiter: Limiter, _ job: Job) async throws -> Permit {
    guard case .granted(let permit) = await limiter.acquire(job, lane: Self.model) else { throw CancellationError() }
    return permit
  }

  private func release(_ limiter: Limiter, _ permit: Permit, _ attempt: Attempt) {
    limiter.release(permit, CallOutcome(attempt, sent: permit.granted, policy: RetryPolicy()))
  }

  /// Waits in a task of its own until it stands in line.
  private func waiter(_ limiter: Limiter, _ job: Job) async -> Task<Void, Never> {
    let before = limiter.lanes().first?.waiting ?? 0
    let task = Task { if case .granted(let permit) = await limiter.acquire(job, lane: Self.model) { limiter.release(permit) } }
    for _ in 0..<100_000 where limiter.lanes().first?.waiting ?? 0 == before { await Task.yield() }
    #expect(limiter.lanes().first?.waiting ?? 0 > before, "it does not wait")
    return task
  }

  @Test func thisProgramItself() {
    let time = BusyTime()
    let limiter = Limiter(Limits(), time: time)
    let job = Job(id: 1, name: "j", total: nil, time: time)
    job.launched()
    time.pass(.seconds(10), cpu: .milliseconds(9500))
    #expect(words(limiter, job) == "this program itself: 95 % of a processor")
    time.pass(.seconds(10), cpu: .seconds(1))
    #expect(words(limiter, job) == "its rows come slower than they are answered")
  }

  /// A job whose rows are all there has none that is late; one that has just begun has none that is known to be.
  @Test func beforeTheFirstCall() {
    let time = BusyTime()
    let limiter = Limiter(Limits(), time: time)
    let (list, pipe) = (
      Job(id: 1, name: "j", total: 1000, time: time), Job(id: 2, name: "k", total: nil, time: time)
    )
    time.pass(.milliseconds(5), cpu: .zero)
    #expect(words(limiter, list) == "none of its calls has left yet")
    #expect(words(limiter, pipe) == "none of its calls has left yet")
    time.pass(.seconds(2), cpu: .zero)
    #expect(words(limiter, list) == "none of its calls has left yet")
    #expect(words(limiter, pipe) == "its rows come slower than they are answered")
    list.launched()
    #expect(words(limiter, list) == "none of its calls waits for leave: its rows are between two of them")
  }

  @Test func aLearnedRate() async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .fixed(50)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    for _ in 0..<20 { release(limiter, try await permit(limiter, job), .answer(.milliseconds(2))) }
    time.pass(.milliseconds(10), cpu: .zero)
    release(limiter, try await permit(limiter, job), .no(.rateLimited, status: 429, after: .seconds(2)))
    time.pass(.milliseconds(300), cpu: .zero)
    release(limiter, try await permit(limiter, job), .answer(.milliseconds(2)))
    let waiting = await waiter(limiter, job)
    let text = words(limiter, job)
    #expect(text.hasPrefix("p/m: ") && text.hasSuffix(" a second at most, as its refusals taught"), "\(text)")
    waiting.cancel()
    await waiting.value
  }

  @Test func aFullServer() async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .adaptive(1...200)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    var held: [Permit] = []
    for _ in 0..<8 { held.append(try await permit(limiter, job)) }
    let waiting = await waiter(limiter, job)
    #expect(words(limiter, job) == "p/m bears 8 at once, as far as it was tried")
    waiting.cancel()
    await waiting.value
    for permit in held { release(limiter, permit, .answer(.seconds(1))) }
  }

  /// What `auto` may not try, and what the machine does not carry, is no limit of the server's.
  @Test func limitsOfOurs() async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .adaptive(4...6)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    var held: [Permit] = []
    for _ in 0..<6 { held.append(try await permit(limiter, job)) }
    let waiting = await waiter(limiter, job)
    #expect(words(limiter, job) == "p/m bears the 6 at once that auto may try; `set concurrency auto 4..12`")
    limiter.setMostStreams(6, reason: "few files")
    limiter.set(Limits(width: .fixed(50)), by: .terminal)
    #expect(words(limiter, job) == "this machine lets no more than 6 go at once: few files")
    waiting.cancel()
    await waiting.value
    for permit in held { release(limiter, permit, .answer(.seconds(1))) }
  }

  /// A rate of the user's is doubled where it was set: for all, for a provider, for the job.
  @Test(arguments: [
    ("", "p: rps 1 until in 1.0 seconds; `set rps 2`"), ("p", "p: rps 1 until in 1.0 seconds; `set rps 2 for p`"),
    ("p/m", "p/m: rps 1 until in 1.0 seconds; `set rps 2 for p/m`"), ("j", "this job: rps 1 until in 1.0 seconds; `set rps 2 for j`"),
  ])
  func aRateOfOurs(_ place: String, _ says: String) async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .fixed(8)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    var own = Limits.Own()
    own.requestsPerSecond = 1
    var limits = Limits(width: .fixed(8))
    if place.isEmpty { limits.requestsPerSecond = 1 } else if place != "j" { limits.places[place] = own }
    limiter.set(limits, by: .terminal)
    if place == "j" { limiter.set(own, for: job, by: .terminal) }
    release(limiter, try await permit(limiter, job), .answer(.milliseconds(2)))
    let waiting = await waiter(limiter, job)
    #expect(words(limiter, job) == says)
    waiting.cancel()
    await waiting.value
  }

  /// Two models, of which one is held to the rate that its refusals taught and the other has nothing to do: that is no matter of the width.
  @Test func oneOfTwoModelsWaits() async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .adaptive(1...200)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    for _ in 0..<20 { release(limiter, try await permit(limiter, job), .answer(.milliseconds(2))) }
    guard case .granted(let other) = await limiter.acquire(job, lane: ModelName(provider: "p", name: "n")) else {
      throw CancellationError()
    }
    release(limiter, other, .answer(.milliseconds(2)))
    time.pass(.milliseconds(10), cpu: .zero)
    release(limiter, try await permit(limiter, job), .no(.rateLimited, status: 429, after: .seconds(2)))
    time.pass(.milliseconds(300), cpu: .zero)
    release(limiter, try await permit(limiter, job), .answer(.milliseconds(2)))
    let waiting = await waiter(limiter, job)
    let text = words(limiter, job)
    #expect(text.hasPrefix("p/m: ") && text.hasSuffix(" a second at most, as its refusals taught"), "\(text)")
    waiting.cancel()
    await waiting.value
  }

  /// A pause says why, where that was not just somebody's wish.
  @Test func aPauseSaysWhy() {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .fixed(8)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    job.setPaused(true)
    limiter.setPaused(true, job, reason: "20 × auth in a row", by: .program)
    #expect(words(limiter, job) == "it is paused: 20 × auth in a row; `resume j`")
  }

  /// Nobody knows when a server that is down is back, nor then how long a job takes.
  @Test func noTimeToTheEndWhereNothingGoes() async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .fixed(8)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    job.launched()
    release(limiter, try await permit(limiter, job), .answer(.milliseconds(2)))
    time.pass(.seconds(2), cpu: .zero)
    _ = job.ended(failure: nil, stopAfter: nil)
    #expect(limiter.eta(of: job, job.progress) != nil)
    let gone = try await permit(limiter, job)
    var attempt = Attempt.no(.connection)
    attempt.failure?.detail = .unreachable
    release(limiter, gone, attempt)
    let waiting = await waiter(limiter, job)
    #expect(limiter.eta(of: job, job.progress) == nil)
    waiting.cancel()
    await waiting.value
  }

  /// Streams that broke off, one that looks alone; a server that is down; one that says nothing.
  @Test(arguments: [
    ("truncated", "p/m cuts its streams: one call looks alone; `set concurrency 1 for p/m`"),
    ("connection", "p is down, waiting (20 s); `set down-wait 10m`"),
    ("timeout", "p/m does not answer (tries timed out: 3), waiting (21 s); `set first-token-timeout 2s`"),
  ])
  func aServerInTrouble(_ kind: String, _ says: String) async throws {
    let time = BusyTime()
    let limiter = Limiter(Limits(width: .fixed(8)), time: time)
    let job = Job(id: 1, name: "j", total: 1000, time: time)
    release(limiter, try await permit(limiter, job), .answer(.milliseconds(2)))
    time.pass(.milliseconds(1), cpu: .zero)
    var held: [Permit] = []
    for _ in 0..<8 { held.append(try await permit(limiter, job)) }
    time.pass(.seconds(1), cpu: .zero)
    for _ in 0..<3 {
      var attempt = Attempt.no(FailureKind(rawValue: kind) ?? .server, status: kind == "truncated" ? 200 : nil)
      attempt.failure?.detail = kind == "connection" ? .unreachable : kind == "timeout" ? .firstToken : nil
      release(limiter, held.removeLast(), attempt)
    }
    time.pass(.milliseconds(500), cpu: .zero)
    // One looks already, where one may at once.
    if kind == "timeout" { held.append(try await permit(limiter, job)) }
    let waiting = await [waiter(limiter, job), waiter(limiter, job)]
    time.pass(.milliseconds(19_500), cpu: .zero)
    #expect(words(limiter, job) == says)
    for task in waiting { task.cancel() }
    for permit in held { limiter.release(permit) }
    for task in waiting { await task.value }
  }

  /// Calls in flight are those under way, not rows that wait for leave.
  @Test func inFlightIsWhatIsUnderWay() async {
    let time = ManualTime()
    let client = Hanging()
    let engine = CallEngine(limiter: Limiter(Limits(width: .fixed(1)), time: time), client: client, time: time)
    let job = Job(id: 1, name: "j", total: 5, time: time)
    let call = PreparedCall(ChatRequest(model: Self.model, messages: [Message(.user, "x")]))
    let calls = (0..<5).map { _ in
      job.launched()
      return Task { await engine.call(call, in: job, policy: RetryPolicy()) }
    }
    for _ in 0..<100_000 where engine.limiter.lanes().first?.waiting != 4 || client.calls == 0 { await Task.yield() }
    #expect(job.progress.inFlight == 1 && job.progress.begun == 5)
    for call in calls { call.cancel() }
    for call in calls { _ = await call.value }
    #expect(job.progress.inFlight == 0)
  }

  private final class Hanging: ModelClient {
    private let count = Mutex(0)
    var calls: Int { count.withLock { $0 } }
    func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt {
      count.withLock { $0 += 1 }
      for await _ in AsyncStream<Never>.makeStream().stream {}
      return Attempt(failure: Failure(.cancelled, "cancelled"))
    }
  }

  /// Tries that were under way together say the same: they count once.
  @Test func theBrakeCountsTriesInVain() {
    let time = ManualTime()
    let job = Job(id: 1, name: "j", total: 5, time: time)
    func wave(_ count: Int, took: Duration) -> [Bool] {
      let began = time.now
      time.advance(by: took)
      let ended = time.now
      // Whoever looks next is sent before the others are counted.
      time.advance(by: .milliseconds(1))
      return (0..<count).map { _ in job.triedInVain(.timeout, began..<ended, stopAfter: 3) }
    }
    #expect(wave(8, took: .seconds(1)).allSatisfy { !$0 })
    time.advance(by: .milliseconds(1))
    #expect(wave(1, took: .seconds(1)) == [false])
    #expect(!job.ended(failure: nil, stopAfter: 3))
    time.advance(by: .milliseconds(1))
    #expect(wave(1, took: .seconds(1)) + wave(1, took: .seconds(1)) == [false, false])
    #expect(wave(1, took: .seconds(1)) == [true])
  }
}
