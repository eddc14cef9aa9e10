/// What the user has set for one place (a job, a provider, a model), and what of it is in use: a number of calls at once, and rates.
/// A call needs every floor that it stands on open.
struct Floor: Sendable {
  private(set) var inUse = 0
  private(set) var own = Limits.Own.none
  private var perSecond = RateWindow(per: .seconds(1))
  private var perMinute = RateWindow(per: .seconds(60))
  private var tokens = RateWindow(per: .seconds(60))

  init(_ own: Limits.Own = .none) {
    configure(own)
  }

  mutating func configure(_ own: Limits.Own) {
    self.own = own
    perSecond.limit = own.requestsPerSecond
    perMinute.limit = own.requestsPerMinute
    tokens.limit = own.tokensPerMinute
  }

  var countsTokens: Bool { tokens.limit != nil }
  var isFull: Bool { inUse >= own.concurrency ?? .max }

  /// The moment from which its rates let a call of so many tokens go.
  mutating func opens(for amount: Int, now: Duration) -> Duration {
    if own == .none { return now }
    var opening = now
    if perSecond.limit != nil { opening = max(opening, perSecond.opens(for: 1, now: now)) }
    if perMinute.limit != nil { opening = max(opening, perMinute.opens(for: 1, now: now)) }
    if tokens.limit != nil { opening = max(opening, tokens.opens(for: amount, now: now)) }
    return opening
  }

  /// The rate that a call waits for until then, and its number: `rpm 60`.
  mutating func binding(for amount: Int, now: Duration) -> LimitSetting? {
    if let limit = perSecond.limit, perSecond.opens(for: 1, now: now) > now { return .requestsPerSecond(limit) }
    if let limit = perMinute.limit, perMinute.opens(for: 1, now: now) > now { return .requestsPerMinute(limit) }
    if let limit = tokens.limit, tokens.opens(for: amount, now: now) > now { return .tokensPerMinute(limit) }
    return nil
  }

  /// Returns its entry in the token rate, by which `ended` finds it.
  mutating func take(_ amount: Int, now: Duration) -> Int? {
    inUse += 1
    if own == .none { return nil }
    _ = perSecond.take(1, now: now)
    _ = perMinute.take(1, now: now)
    return tokens.take(amount, now: now)
  }

  mutating func ended(_ entry: Int?, used: Int?) {
    inUse -= 1
    if let used { tokens.settle(entry, as: used) }
  }
}
