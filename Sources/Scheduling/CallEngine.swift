import Chat

/// Carries a call out from waiting for its slot to its reply: slot → send → perhaps wait and send again. A waiting retry holds no
/// slot.
public struct CallEngine: Sendable {
  public let limiter: Limiter
  public let client: any ModelClient
  public let time: any Timekeeper
  private let random: @Sendable () -> Double

  public init(
    limiter: Limiter, client: any ModelClient, time: any Timekeeper,
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.limiter = limiter
    self.client = client
    self.time = time
    self.random = random
  }

  /// What a caller may want to see of a call while it goes on. Each runs inside the call, so it must be quick.
  public struct Observer: Sendable {
    /// Shows one try's text as it arrives, until the feed ends.
    public var watch: (@Sendable (TokenFeed, _ attempt: Int) async -> Void)?
    /// A try failed and another follows after the wait.
    public var willRetry: (@Sendable (Failure, _ attempt: Int, _ wait: Duration) -> Void)?

    public init() {}
  }

  /// - Parameter holdsSlot: whether the caller has a slot already; it is used for the first try, and given back either way.
  public func call(
    _ request: ChatRequest, in job: Job, policy: RetryPolicy, holdsSlot: Bool, queuedBefore: Duration = .zero, observer: Observer? = nil
  ) async -> Reply {
    var holdsSlot = holdsSlot
    var queued = queuedBefore
    var attempts = 0
    func reply(_ attempt: Attempt) -> Reply {
      Reply(model: request.model, messages: request.messages, attempt: attempt, attempts: attempts, queued: queued)
    }
    while true {
      if !holdsSlot {
        let start = time.now
        guard await limiter.acquire(job, continuing: true) else { return reply(Attempt(failure: Failure(.cancelled, "cancelled"))) }
        queued += time.now - start
      }
      attempts += 1
      let attempt = await send(request, observer, attempts)
      limiter.release(job)
      holdsSlot = false
      guard let failure = attempt.failure, !Task.isCancelled else { return reply(attempt) }
      switch policy.decide(failure, attempts: attempts, random: random()) {
      case .fail(let failure):
        var attempt = attempt
        attempt.failure = failure
        return reply(attempt)
      case .retry(let wait):
        job.retried()
        observer?.willRetry?(failure, attempts, wait)
        do { try await time.sleep(for: wait) } catch { return reply(attempt) }
        queued += wait
      }
    }
  }

  private func send(_ request: ChatRequest, _ observer: Observer?, _ attempt: Int) async -> Attempt {
    guard let watch = observer?.watch else { return await client.send(request, feed: nil) }
    let feed = TokenFeed()
    async let shown: Void = watch(feed, attempt)
    let attempt = await client.send(request, feed: feed)
    await shown
    return attempt
  }
}
