import Chat

/// Leave to send one call: a place on every floor that it stands on, and its share of their rates. Given back with what came of the
/// call. A class, though it never changes: it goes through every layer of a call, and each of their frames on the heap would hold all of it.
public final class Permit: Sendable {
  let job: LimiterState.JobID
  /// The number of the model's lane.
  let lane: Int
  /// The model it is for.
  public let model: ModelName
  let granted: Duration
  /// Tokens reserved for it, and those of its prompt among them.
  let tokens: Int
  let input: Int
  /// Its entries in the token rates of its job, its provider and its lane.
  let jobEntry: Int?
  let providerEntry: Int?
  let taken: Lane.Taken
  /// Whether it goes ahead to see if its server is back.
  let looksForServer: Bool
  /// Whether its tokens are reserved in the budget.
  let isBudgeted: Bool
  /// Told by its call whenever something of the answer comes.
  let activity: ReplyActivity

  init(
    job: LimiterState.JobID, lane: Int, model: ModelName, granted: Duration, tokens: Int, input: Int, jobEntry: Int?, providerEntry: Int?,
    taken: Lane.Taken, looksForServer: Bool, isBudgeted: Bool, activity: ReplyActivity
  ) {
    (self.job, self.lane, self.model, self.granted) = (job, lane, model, granted)
    (self.tokens, self.input, self.jobEntry, self.providerEntry) = (tokens, input, jobEntry, providerEntry)
    (self.taken, self.looksForServer, self.isBudgeted, self.activity) = (taken, looksForServer, isBudgeted, activity)
  }
}

extension Attempt {
  /// Its time ran out, and not a word of an answer had come.
  var isUnanswered: Bool { failure?.kind == .timeout && ttft == nil && text.isEmpty && reasoning.isEmpty }
}

/// What came of a call, as far as limits learn from it.
public struct CallOutcome: Sendable {
  /// An answer, as far as a limit is concerned.
  struct Answer: Sendable, Equatable {
    var tokens: Int
    var ttft: Duration
  }

  enum Verdict: Sendable, Equatable {
    /// It was not sent, or ended without a word of the server's.
    case silent
    case answered(Answer)
    /// 429 or overloaded, and how long to stay away.
    case refused(asked: Duration?)
    /// A server error or a time-out.
    case troubled
    /// The stream broke off, was nonsense, or the connection was reset.
    case cut
    /// No first token in time, or no word within the time of a whole call.
    case queued
    /// Nobody could connect.
    case unreachable
    /// Any other answer: the server is there.
    case other
  }

  var verdict: Verdict
  var tokens: Int?
  var stated: StatedLimits?
  /// When the statement was made.
  var heard: Duration?
  /// For the history of the limit.
  var words: String
  /// Whether the call's settings allow another try, and with it to wait for one.
  var mayRetry = true
  /// Whether a refusal holds up those that are not sent yet. 503 says nothing of later: who tries nothing again does not wait for it.
  var holdsOthers = true
  /// Whether its time ran out for the whole of it, not for its first token.
  var isOfWholeCall = false
  /// Whether a status line came.
  var heardStatus = false
  /// Whether it says, of a call that looks for a server that is down, that it is not there yet.
  var isAway = false

  /// - Parameters:
  ///   - prompt: the tokens of its prompt, as they were reckoned.
  ///   - sent: when the call was sent.
  public init(_ attempt: Attempt, prompt: Int = 0, sent: Duration, policy: RetryPolicy) {
    // Where nobody counted, four bytes are about a token. A stream that broke off was paid for all the same.
    let came = attempt.text.utf8.count + attempt.reasoning.utf8.count
    tokens = attempt.usage.map { $0.input + $0.output } ?? (came == 0 ? nil : prompt + came / 4)
    stated = attempt.stated
    heard = attempt.stated.map { sent + $0.after }
    words = ""
    mayRetry = policy.retries > 0
    guard let failure = attempt.failure else {
      verdict = .answered(
        Answer(tokens: attempt.usage?.output ?? attempt.text.utf8.count / 4, ttft: attempt.ttft ?? attempt.latency))
      return
    }
    words = failure.status.map(String.init) ?? failure.kind.rawValue
    holdsOthers = mayRetry || failure.isRefusal
    heardStatus = failure.status != nil || attempt.ttft != nil
    isOfWholeCall = failure.kind == .timeout && failure.detail == nil
    isAway = failure.isOfServerAway(forLook: true)
    switch failure.kind {
    case .rateLimited, .overloaded: verdict = .refused(asked: failure.retryAfter)
    case .timeout: verdict = failure.detail == .unreachable ? .unreachable : attempt.isUnanswered ? .queued : .troubled
    case .server: verdict = .troubled
    case .truncated, .malformed: verdict = .cut
    case .connection:
      verdict = failure.detail == .unreachable ? .unreachable : failure.detail == .ours ? .silent : .cut
    case .cancelled, .tls, .notSent, .script: verdict = .silent
    default: verdict = .other
    }
  }

  private init(silent: Void) {
    (verdict, words) = (.silent, "")
  }

  var sign: LimitChange.Sign {
    var sign = LimitChange.Sign(words, requestsLeft: stated?.requests?.remaining, tokensLeft: stated?.tokens?.remaining)
    if case .refused(let asked) = verdict { sign.asked = asked }
    return sign
  }

  /// The permit was not used.
  public static let unused = CallOutcome(silent: ())
}
