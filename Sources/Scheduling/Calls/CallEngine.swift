import Chat

/// Carries a call out from asking for leave to its reply: permit → send → perhaps wait and send again. A waiting retry holds no
/// permit.
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

  /// - Parameters:
  ///   - permit: leave that the caller has already; it is used for the first try, and given back either way.
  ///   - hedge: sends a second call beside one whose first token is later than that of so many percent of the job's calls.
  public func call(
    _ request: ChatRequest, in job: Job, policy: RetryPolicy, hedge: Int? = nil, permit: Permit?, queuedBefore: Duration = .zero,
    observer: Observer? = nil
  ) async -> Reply {
    var held = permit
    var reply = Reply(
      model: request.model, messages: request.messages, attempt: Attempt(failure: Failure(.cancelled, "cancelled")), attempts: 0,
      queued: queuedBefore)
    while true {
      let asked = time.now
      switch await admit(request, job, held) {
      case .granted(let permit): held = permit
      case .cancelled: return reply
      case .spent:
        reply.attempt = Attempt(failure: Failure(.quota, "the token budget is spent; `set budget` raises it"))
        return reply
      }
      reply.queued += time.now - asked
      guard let permit = held else { return reply }
      held = nil
      reply.attempts += 1
      if let hedge, observer?.watch == nil {
        let race = await sendHedged(request, job, permit, policy, percentile: hedge)
        reply.attempt = race.attempt
        if race.isHedged { reply.hedged = true }
      } else {
        reply.attempt = await send(request, permit, policy, observer, reply.attempts)
      }
      guard let failure = reply.failure, !Task.isCancelled else { return reply }
      switch policy.decide(failure, attempts: reply.attempts, random: random()) {
      case .fail(let failure):
        reply.attempt.failure = failure
        return reply
      case .retry(let wait):
        job.willRetry()
        observer?.willRetry?(failure, reply.attempts, wait)
        let isCancelled: Bool
        do {
          try await time.sleep(for: wait)
          isCancelled = false
        } catch { isCancelled = true }
        job.retries()
        if isCancelled { return reply }
        reply.queued += wait
        reply.waited += wait
      }
    }
  }

  /// Leave for this very call: of its provider's lane, with room for its tokens.
  private func admit(_ request: ChatRequest, _ job: Job, _ held: Permit?) async -> Limiter.Answer {
    let lane = request.model.provider
    var permit: Permit
    if let held, held.lane == lane {
      permit = held
    } else {
      // The row was let in for another provider than its function then turned to.
      if let held { limiter.release(held) }
      guard case .granted(let granted) = await limiter.acquire(job, lane: lane, continuing: true) else { return .cancelled }
      permit = granted
    }
    while let missing = limiter.reserve(&permit, input: { request.estimatedTokens }, output: request.sampling.maxTokens) {
      let answer = await limiter.acquire(job, lane: lane, continuing: true, tokens: missing)
      guard case .granted(let granted) = answer else { return answer }
      permit = granted
    }
    return .granted(permit)
  }

  private func send(
    _ request: ChatRequest, _ permit: Permit, _ policy: RetryPolicy, _ observer: Observer?, _ number: Int
  ) async -> Attempt {
    let sent = time.now
    let attempt: Attempt
    if let watch = observer?.watch {
      let feed = TokenFeed()
      async let shown: Void = watch(feed, number)
      attempt = await client.send(request, feed: feed)
      await shown
    } else {
      attempt = await client.send(request, feed: nil)
    }
    limiter.release(permit, CallOutcome(attempt, sent: sent, maximumWait: policy.maximumWait))
    return attempt
  }
}

// MARK: hedging

extension CallEngine {
  private enum Event: Sendable {
    case ended(Attempt)
    /// The second call was not needed.
    case notSent
  }

  /// One call, and a second beside it if the first token is late. The first to be answered wins; the other's stream is closed.
  private func sendHedged(
    _ request: ChatRequest, _ job: Job, _ permit: Permit, _ policy: RetryPolicy, percentile: Int
  ) async -> (attempt: Attempt, isHedged: Bool) {
    let late = job.ttft(percentile: percentile)
    let race = await withTaskGroup(of: Event.self) { group in
      let begun = FirstToken()
      group.addTask { .ended(await self.sendWatched(request, permit, policy, begun)) }
      if let late {
        group.addTask {
          do { try await time.sleep(for: late) } catch { return .notSent }
          guard !begun.hasCome else { return .notSent }
          guard case .granted(let second) = await self.admit(request, job, nil) else { return .notSent }
          if begun.hasCome || Task.isCancelled {
            limiter.release(second)
            return .notSent
          }
          job.hedged()
          begun.noteHedge()
          return .ended(await self.send(request, second, policy, nil, 2))
        }
      }
      var failed: Attempt?
      for await case .ended(let attempt) in group {
        if attempt.failure == nil {
          group.cancelAll()
          return (attempt: attempt, isHedged: begun.isHedged)
        }
        failed = failed ?? attempt
        // What failed before a second call was sent needs none: it is retried like any other.
        if !begun.isHedged { group.cancelAll() }
      }
      return (attempt: failed ?? Attempt(failure: Failure(.cancelled, "cancelled")), isHedged: begun.isHedged)
    }
    if let ttft = race.attempt.ttft, race.attempt.failure == nil { job.note(ttft: ttft) }
    return race
  }

  private func sendWatched(_ request: ChatRequest, _ permit: Permit, _ policy: RetryPolicy, _ begun: FirstToken) async -> Attempt {
    var observer = Observer()
    observer.watch = { feed, _ in while await feed.next() != nil { begun.come() } }
    return await send(request, permit, policy, observer, 1)
  }
}

extension ChatRequest {
  /// Tokens of the prompt, reckoned rather too high than too low: three bytes a token, and some for each turn.
  var estimatedTokens: Int { messages.reduce(3) { $0 + $1.text.utf8.count / 3 + 5 } }
}
