import Chat

/// Carries a prepared call out from asking for leave to its reply: permit → send → perhaps wait and send again. A permit is held from its
/// grant to the end of the attempt, and by nobody else.
public struct CallEngine: Sendable {
  public let limiter: Limiter
  public let client: any ModelClient
  public let time: any Timekeeper
  private let random: @Sendable () -> Double
  /// How calls are answered before they are sent, and who hears of them.
  public let routes: CallRoutes

  public init(
    limiter: Limiter, client: any ModelClient, time: any Timekeeper, routes: CallRoutes = CallRoutes(),
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.routes = routes
    self.limiter = limiter
    self.client = client
    self.time = time
    self.random = random
  }

  /// What a caller may want to see of a call while it goes on. Each runs inside the call, so it must be quick.
  public struct Observer: Sendable {
    /// Shows one try's text as it arrives, until the feed ends.
    public var watch: (@Sendable (TokenFeed, _ attempt: Int) async -> Void)?
    /// The call leaves, as it is now: after its wait for leave, and before its first try; or a route has its answer.
    public var willSend: (@Sendable (ChatRequest) -> Void)?
    /// A try failed and another follows after the wait.
    public var willRetry: (@Sendable (Failure, _ attempt: Int, _ wait: Duration) -> Void)?

    public init() {}
  }

  /// - Parameters:
  ///   - row: the row whose call it is; nil for one that stands alone.
  ///   - hedge: sends a second call beside one whose first token is later than that of so many percent of the job's calls.
  ///   - revised: asked when leave is there and nothing was sent yet: the call that goes instead, if it changed meanwhile.
  ///   - budgetSpent: told that the token budget has no room; returns whether to ask again.
  ///   - unanswered: told that a try ended without a word of an answer, and another follows; and from when to when it was under way.
  public func call(
    _ prepared: PreparedCall, in job: Job, policy: RetryPolicy, hedge: Int? = nil, row: BegunRow? = nil, observer: Observer? = nil,
    revised: (@Sendable () -> PreparedCall?)? = nil, budgetSpent: (@Sendable () -> Bool)? = nil,
    unanswered: (@Sendable (Failure, Range<Duration>) -> Void)? = nil
  ) async -> Reply {
    let reply: Reply
    row?.calls(1)
    defer { row?.calls(-1) }
    if let known = answered(prepared) {
      observer?.willSend?(prepared.request)
      reply = known
    } else {
      var brought = Attempt()
      var tried = await live(prepared, in: job, policy, hedge, row, observer, revised, budgetSpent, unanswered, &brought)
      if tried.failure != nil { tried.attempt.keep(brought) }
      reply = tried
      job.spent(reply)
    }
    for ledger in routes.ledgers { ledger.ended(reply.call, reply) }
    return reply
  }

  private func answered(_ call: PreparedCall) -> Reply? {
    guard let attempt = routes.answer(call) else { return nil }
    var reply = Reply(call: call, attempt: attempt, attempts: 0, queued: .zero)
    reply.isFromMemory = true
    return reply
  }

  private func live(
    _ prepared: PreparedCall, in job: Job, _ policy: RetryPolicy, _ hedge: Int?, _ row: BegunRow?, _ observer: Observer?,
    _ revised: (@Sendable () -> PreparedCall?)?, _ budgetSpent: (@Sendable () -> Bool)?,
    _ unanswered: (@Sendable (Failure, Range<Duration>) -> Void)?, _ brought: inout Attempt
  ) async -> Reply {
    var course = Course(reply: Reply(call: prepared, attempt: .cancelled, attempts: 0, queued: .zero))
    while true {
      let asked = time.now
      let permit: Permit
      switch leave(await admit(course, job, row, policy), since: asked, &course, job, row, policy, revised, budgetSpent) {
      case .over: return course.reply
      case .askedAgain: continue
      case .granted(let granted): permit = granted
      }
      row?.noteSent()
      course.reply.attempts += 1
      if course.reply.attempts == 1 { observer?.willSend?(course.reply.call.request) }
      if let hedge, observer?.watch == nil {
        let race = await sendHedged(course.reply.call, job, permit, policy, row, percentile: hedge)
        course.reply.attempt = race.attempt
        if race.isHedged { course.reply.hedged = true }
      } else {
        course.reply.attempt = await send(course.reply.call, job, permit, policy, observer, course.reply.attempts, of: row)
      }
      if course.reply.succeeded { return course.reply }
      brought.keep(course.reply.attempt, overOwn: true)
      switch failed(&course, permit, job, policy, observer, unanswered) {
      case .over: return course.reply
      case .again(nil): continue
      case .again(let wait?):
        let isCancelled: Bool
        do {
          try await limiter.pause(for: wait, of: job, lane: course.reply.call.request.model, row: row)
          isCancelled = false
        } catch { isCancelled = true }
        job.retries()
        if isCancelled { return course.reply }
        course.reply.queued += wait
        course.reply.waited += wait
      }
    }
  }

  /// How a call fares, from its first wait for leave to its end.
  private struct Course {
    var reply: Reply
    var standing = RetryStanding()
    /// Whether it goes behind those that wait.
    var isBehind = false
    /// Since when it has been refused.
    var refused: Duration?
  }

  private enum Leave {
    case granted(Permit)
    case askedAgain
    case over
  }

  /// What the answer to a request for leave means for the call: its reply says why, where it does not go.
  @inline(never)  // like all that only computes: else it stands in the frame that waits for the answer
  private func leave(
    _ answer: Limiter.Answer, since asked: Duration, _ course: inout Course, _ job: Job, _ row: BegunRow?, _ policy: RetryPolicy,
    _ revised: (@Sendable () -> PreparedCall?)?, _ budgetSpent: (@Sendable () -> Bool)?
  ) -> Leave {
    // One that does not go says what it would have been sent with: so it is sent again.
    func revise() -> Bool {
      guard course.reply.attempts == 0, let other = revised?() else { return false }
      course.reply.call = other
      return true
    }
    switch answer {
    case .granted(let permit):
      course.reply.queued += time.now - asked
      if course.reply.attempts > 0, limiter.triesNoMore(job) {
        limiter.release(permit)
        return .over
      }
      if revise(), course.reply.call.request.model != permit.model {
        limiter.release(permit)
        return .askedAgain
      }
      return .granted(permit)
    case .cancelled:
      _ = revise()
      // A job that is cancelled begins nothing new from then on, and its tasks hear of it a moment later.
      if course.reply.attempts == 0, !Task.isCancelled, !job.isCancelled { course.reply.attempt.failure = Failure(.notSent, "not sent") }
    case .shut(let shut):
      course.reply.queued += time.now - asked
      _ = revise()
      shutOut(&course.reply, shut, policy, wasRefused: course.refused != nil)
    case .spent:
      if budgetSpent?() ?? false { return .askedAgain }
      _ = revise()
      course.reply.attempt = Attempt(
        failure: row != nil && course.reply.attempts == 0
          ? Failure(.notSent, "not sent: the token budget is spent")
          : Failure(.quota, "the token budget is spent; `set budget` raises it"))
    }
    return .over
  }

  private enum Sequel {
    case over
    /// After a wait of this length; nil where its lane tells when.
    case again(after: Duration?)
  }

  /// What follows on a try that failed.
  @inline(never)
  private func failed(
    _ course: inout Course, _ permit: Permit, _ job: Job, _ policy: RetryPolicy, _ observer: Observer?,
    _ unanswered: (@Sendable (Failure, Range<Duration>) -> Void)?
  ) -> Sequel {
    guard let failure = course.reply.failure, !Task.isCancelled else { return .over }
    let attempt = course.reply.attempt
    func willRetry(after wait: Duration) {
      job.tried(attempt)
      job.willRetry()
      observer?.willRetry?(failure, course.reply.attempts, wait)
      if attempt.isUnanswered { unanswered?(failure, permit.granted..<permit.granted + attempt.latency) }
    }
    // Nothing was done for it, and its lane lets it go when the server is back: no try is used up.
    if attempt.isUnanswered || failure.isOfServerAway(forLook: permit.looksForServer), policy.retries > 0,
      limiter.waitsForServer(of: permit)
    {
      course.isBehind = false
      willRetry(after: .zero)
      job.retries()
      return .again(after: nil)
    }
    course.isBehind = failure.detail == .firstToken
    if failure.isRefusal { course.refused = course.refused ?? time.now }
    switch course.standing.decide(policy, failure, random: random()) {
    case .fail(let failure):
      course.reply.attempt.failure = failure
      return .over
    case .retry(let wait):
      willRetry(after: wait)
      return .again(after: wait)
    }
  }

  /// Leave for this very call: of its provider's lane, with room for its tokens. A job that begins nothing new gives none to the first
  /// call of a row.
  @inline(never)  // else all that it looks at stands in the frame that waits for the answer
  private func admit(_ course: Course, _ job: Job, _ row: BegunRow?, _ policy: RetryPolicy) async -> Limiter.Answer {
    await admit(
      course.reply.call, job, row, policy, refused: course.refused, isBehind: course.isBehind, isRetry: course.reply.attempts > 0)
  }

  private func admit(
    _ call: PreparedCall, _ job: Job, _ row: BegunRow?, _ policy: RetryPolicy, refused: Duration? = nil, isBehind: Bool = false,
    isRetry: Bool = false
  ) async -> Limiter.Answer {
    if row?.isFresh ?? false, !job.mayLaunch { return .cancelled }
    let answer = await limiter.acquire(
      job, lane: call.request.model, call.amount, row: row, refused: refused, patience: policy.maximumWait, isBehind: isBehind,
      isRetry: isRetry)
    if case .granted(let permit) = answer, row?.isFresh ?? false, !job.mayLaunch {
      limiter.release(permit)
      return .cancelled
    }
    return answer
  }

  @inline(never)  // else what it makes words with stands in the frame that waits for the answer
  private func shutOut(_ reply: inout Reply, _ shut: LaneShut, _ policy: RetryPolicy, wasRefused: Bool) {
    // What the server itself said to it says more.
    if case .refusing = shut.reason, wasRefused, var own = reply.failure, own.isRefusal {
      own.message += " (refused like every other call; max-wait allows no more than \(policy.maximumWait.words) of waits)"
      reply.attempt.failure = own
    } else {
      reply.attempt = Attempt(failure: failure(shut, policy, wasSent: reply.attempts > 0))
    }
  }

  /// The call is not sent (again): its lane is shut for longer than it would wait.
  private func failure(_ shut: LaneShut, _ policy: RetryPolicy, wasSent: Bool) -> Failure {
    let now = time.now
    let unsent = wasSent ? "" : "not sent: "
    switch shut.reason {
    case .down(let since):
      return Failure(.connection, "\(shut.name) has been down for \((now - since).words); it is not waited for longer (`set down-wait`)")
    case .silent(let silence):
      var failure = Failure(
        .timeout,
        "\(unsent)\(shut.name) has not answered for \((now - silence.since).words) (tries timed out: \(silence.tries)); "
          + "it is not waited for longer (`set down-wait`, `set stop-after`)")
      failure.detail = .firstToken
      return failure
    case .refusing(let status, let since):
      return Failure(
        .rateLimited,
        "\(unsent)\(shut.name) answers \(status) to every call for \((now - since).words), more than max-wait "
          + "(\(policy.maximumWait.words)) allows")
    default: break
    }
    let wait = (shut.until ?? now) - now
    let why =
      switch shut.reason {
      case .requestsLeft(let left): "states \(left) requests left"
      case .tokensLeft(let left): "states \(left) tokens left"
      case .refused(let status): "answers \(status)"
      default: "lets nothing through"
      }
    return Failure(
      .rateLimited, "\(unsent)\(shut.name) \(why) for another \(wait.words), more than max-wait (\(policy.maximumWait.words)) allows",
      retryAfter: wait)
  }

  @inline(never)
  private func send(
    _ call: PreparedCall, _ job: Job, _ permit: Permit, _ policy: RetryPolicy, _ observer: Observer?, _ number: Int, of row: BegunRow?
  ) async -> Attempt {
    for ledger in routes.ledgers { ledger.sending(call, attempt: number) }
    let sent = time.now
    job.calls(1)
    let attempt: Attempt
    if let watch = observer?.watch {
      let feed = TokenFeed()
      async let shown: Void = watch(feed, number)
      attempt = await client.send(call.request, feed: feed, activity: permit.activity)
      await shown
    } else {
      attempt = await client.send(call.request, feed: nil, activity: permit.activity)
    }
    job.calls(-1)
    let outcome = CallOutcome(attempt, prompt: call.amount.input, sent: sent, policy: policy)
    if attempt.failure == nil {
      limiter.release(permit, outcome)
    } else {
      limiter.release(permit, outcome, failed: row, failuresLeft: job.failuresLeft(stopAfter: policy.stopAfter))
    }
    return attempt
  }
}

extension Attempt {
  fileprivate static let cancelled = Attempt(failure: Failure(.cancelled, "cancelled"))

  /// What an earlier try had brought stays, where a later one brought nothing.
  fileprivate mutating func keep(_ other: Attempt, overOwn: Bool = false) {
    guard overOwn ? !other.text.isEmpty || !other.reasoning.isEmpty : text.isEmpty && reasoning.isEmpty else { return }
    (text, reasoning) = (other.text, other.reasoning)
  }
}

extension Failure {
  /// Whether it says that the server is not there: nobody could connect; or, of a call that looks whether one that was down is back, that
  /// it still loads its model, or that the gateway before it has nothing behind it.
  func isOfServerAway(forLook isLook: Bool) -> Bool {
    detail == .unreachable || isLook && [502, 503, 504].contains(status)
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
  @inline(never)
  private func sendHedged(
    _ call: PreparedCall, _ job: Job, _ permit: Permit, _ policy: RetryPolicy, _ row: BegunRow?, percentile: Int
  ) async -> (attempt: Attempt, isHedged: Bool) {
    let late = job.ttft(percentile: percentile)
    let race = await withTaskGroup(of: Event.self) { group in
      let begun = FirstToken()
      group.addTask { .ended(await self.sendWatched(call, job, permit, policy, begun)) }
      if let late {
        group.addTask {
          do { try await time.sleep(for: late) } catch { return .notSent }
          guard !begun.hasCome else { return .notSent }
          guard case .granted(let second) = await self.admit(call, job, row, policy) else { return .notSent }
          if begun.hasCome || Task.isCancelled {
            limiter.release(second)
            return .notSent
          }
          job.hedged()
          begun.noteHedge()
          return .ended(await self.send(call, job, second, policy, nil, 2, of: nil))
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
      return (attempt: failed ?? .cancelled, isHedged: begun.isHedged)
    }
    if let ttft = race.attempt.ttft, race.attempt.failure == nil { job.note(ttft: ttft) }
    return race
  }

  private func sendWatched(
    _ call: PreparedCall, _ job: Job, _ permit: Permit, _ policy: RetryPolicy, _ begun: FirstToken
  ) async -> Attempt {
    var observer = Observer()
    observer.watch = { feed, _ in while await feed.next() != nil { begun.come() } }
    return await send(call, job, permit, policy, observer, 1, of: nil)
  }
}
