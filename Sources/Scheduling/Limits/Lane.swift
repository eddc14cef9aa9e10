import Chat
import DequeModule

/// What governs the calls to one provider: a limit that finds itself, rates set by the user, rates stated by the server, and a
/// pause while it refuses everything. A plain value under a clock that is handed in.
struct Lane: Sendable {
  let name: String
  private(set) var inUse = 0
  private(set) var adaptive: AdaptiveLimit?
  private var perSecond = RateWindow(per: .seconds(1))
  private var perMinute = RateWindow(per: .seconds(60))
  private var tokens = RateWindow(per: .seconds(60))
  private var statedRequests: StatedRate?
  private var statedTokens: StatedRate?
  private var refusals = Refusals()
  /// The last grants, to tell what a server cannot have counted when it made its statement.
  private var grants: Deque<(at: Duration, tokens: Int)> = []

  init(_ name: String, _ limits: Limits) {
    self.name = name
    configure(limits)
  }

  mutating func configure(_ limits: Limits) {
    switch limits.width {
    case .fixed: adaptive = nil
    case .adaptive(let range): if adaptive?.range != range { adaptive = AdaptiveLimit(range) }
    }
    perSecond.limit = limits.requestsPerSecond
    perMinute.limit = limits.requestsPerMinute
    tokens.limit = limits.tokensPerMinute
  }

  /// Whether grants wait for their tokens to be known: the server counts tokens too.
  var countsTokens: Bool { tokens.limit != nil || statedTokens != nil }

  /// The moment from which a call of so many tokens may go; nil where only the end of another call can tell.
  mutating func opens(for amount: Int, now: Duration) -> Duration? {
    if let adaptive, inUse >= adaptive.limit { return nil }
    guard var opening = refusals.opens(now: now) else { return nil }
    if perSecond.limit != nil { opening = max(opening, perSecond.opens(for: 1, now: now)) }
    if perMinute.limit != nil { opening = max(opening, perMinute.opens(for: 1, now: now)) }
    if tokens.limit != nil { opening = max(opening, tokens.opens(for: amount, now: now)) }
    if let statedRequests { opening = max(opening, statedRequests.opens(for: 1, now: now)) }
    if let statedTokens { opening = max(opening, statedTokens.opens(for: amount, now: now)) }
    return opening
  }

  mutating func take(_ amount: Int, now: Duration) -> (tokenEntry: Int?, isProbe: Bool) {
    inUse += 1
    _ = perSecond.take(1, now: now)
    _ = perMinute.take(1, now: now)
    statedRequests?.take(1, now: now)
    statedTokens?.take(amount, now: now)
    if grants.count == 4096 { grants.removeFirst() }
    grants.append((now, amount))
    return (tokens.take(amount, now: now), refusals.took())
  }

  /// Takes the end of a call in; returns what it changed, in words.
  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, now: Duration) -> [String] {
    if let used = outcome.tokens { tokens.settle(permit.tokenEntry, as: used) }
    if let stated = outcome.stated, let heard = outcome.heard { hear(stated, heard, since: permit.granted) }
    var changes: [String] = []
    let before = adaptive?.limit ?? 0
    defer { inUse -= 1 }
    switch outcome.verdict {
    case .silent: if permit.isProbe { refusals.probeLost(now: now) }
    case .other: if refusals.answered(began: permit.granted) { changes.append("goes on: \(name) answers again") }
    case .answered:
      if refusals.answered(began: permit.granted) { changes.append("goes on: \(name) answers again") }
      if adaptive?.answered(began: permit.granted, inUse: inUse, now: now) == true {
        changes.append("\(before) → \(adaptive?.limit ?? 0): \(before) clean replies while the limit was in use")
      }
    case .troubled:
      if permit.isProbe { refusals.probeLost(now: now) }
      if adaptive?.troubled(now: now) == true { changes.append("stays at \(before) for 10 s: \(outcome.words) from \(name)") }
    case .refused(let asked, let holds):
      let why = reason(outcome, asked)
      if adaptive?.refused(began: permit.granted, now: now) == true { changes.append("\(before) → \(adaptive?.limit ?? 0): \(why)") }
      guard holds else {
        if permit.isProbe { refusals.probeLost(now: now) }
        break
      }
      if let wait = refusals.refused(began: permit.granted, isProbe: permit.isProbe, asked: asked, now: now) {
        changes.append("nothing is sent for \(wait.words): \(permit.isProbe ? "still" : "3 in a row,") \(why)")
      }
    }
    return changes
  }

  private func reason(_ outcome: CallOutcome, _ asked: Duration?) -> String {
    var words = "\(outcome.words) from \(name)"
    if let remaining = outcome.stated?.requests?.remaining { words += ", requests remaining \(remaining)" }
    if let remaining = outcome.stated?.tokens?.remaining { words += ", tokens remaining \(remaining)" }
    if let asked { words += ", retry after \(asked.words)" }
    return words
  }

  /// A server counts when a request comes, and may send what it counted much later, with the first token: what was granted after the
  /// call itself is not in it for sure.
  private mutating func hear(_ stated: StatedLimits, _ heard: Duration, since granted: Duration) {
    let since = grants.reversed().prefix { $0.at > granted }
    if let amount = stated.requests, statedRequests?.isOlder(than: heard) ?? true {
      statedRequests = StatedRate(amount, heard: heard, takenSince: since.count) ?? statedRequests
    }
    if let amount = stated.tokens, statedTokens?.isOlder(than: heard) ?? true {
      statedTokens = StatedRate(amount, heard: heard, takenSince: since.reduce(0) { $0 + $1.tokens }) ?? statedTokens
    }
  }
}
