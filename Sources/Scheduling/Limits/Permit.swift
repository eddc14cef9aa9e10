import Chat

/// Leave to send one call: a slot of the width, and its share of the rates. Given back with what came of the call.
public struct Permit: Sendable {
  let job: LimiterState.JobID
  /// The provider it is for.
  public let lane: String
  let granted: Duration
  /// Tokens reserved for it, and those of its prompt among them.
  let tokens: Int
  let input: Int
  /// Its entry in the lane's token rate.
  let tokenEntry: Int?
  /// Whether it goes ahead to see if its provider answers again.
  let isProbe: Bool
  /// Whether its tokens are reserved in the budget.
  let isBudgeted: Bool
}

/// What came of a call, as far as limits learn from it.
public struct CallOutcome: Sendable {
  enum Verdict: Sendable, Equatable {
    /// It was not sent, or ended without a word of the server's.
    case silent
    case answered
    /// 429 or overloaded. `holds`: the wait asked for is one that somebody will wait for.
    case refused(asked: Duration?, holds: Bool)
    /// A server error or a time-out.
    case troubled
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

  /// - Parameters:
  ///   - sent: when the call was sent.
  ///   - maximumWait: what the call would wait at most if the server asks for it.
  public init(_ attempt: Attempt, sent: Duration, maximumWait: Duration) {
    // A stream that broke off was paid for all the same; four bytes are about a token.
    tokens = attempt.usage.map { $0.input + $0.output } ?? (attempt.text.isEmpty ? nil : attempt.text.utf8.count / 4)
    stated = attempt.stated
    heard = attempt.stated.map { sent + $0.after }
    words = ""
    guard let failure = attempt.failure else {
      verdict = .answered
      return
    }
    words = failure.status.map(String.init) ?? failure.kind.rawValue
    switch failure.kind {
    case .rateLimited, .overloaded:
      verdict = .refused(asked: failure.retryAfter, holds: (failure.retryAfter ?? .zero) <= maximumWait)
    case .server, .timeout: verdict = .troubled
    case .cancelled, .connection, .tls: verdict = .silent
    default: verdict = .other
    }
  }

  private init(silent: Void) {
    (verdict, words) = (.silent, "")
  }

  /// The permit was not used.
  public static let unused = CallOutcome(silent: ())
}
