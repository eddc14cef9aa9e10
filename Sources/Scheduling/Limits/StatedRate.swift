import Chat

/// What a server says it still gives, with its answers: a bucket that refills until it is full at the stated reset. (OpenAI and
/// Anthropic both document their headers so.) Others count in fixed windows, which give nothing before the reset and everything then: of
/// those the pace at which a bucket would refill says nothing, so that at the stated reset it counts as full, whatever was taken since.
struct StatedRate: Sendable {
  private var limit: Double
  private var remaining: Double
  private var perSecond: Double
  private var at: Duration
  private var heard: Duration
  /// When it gives everything again, as was stated; nil once that has been.
  private var fullAt: Duration?
  /// Above it a number is no limit, and below it none overflows.
  private static let most = 1_000_000_000_000
  private static let longest: Duration = .seconds(365 * 86400)

  /// Nil where the statement cannot be used: nothing remains and no reset is named, or a number is nonsense.
  init?(_ stated: StatedLimits.Amount, heard: Duration, takenSince: Int) {
    guard stated.remaining >= 0, let reset = stated.reset, reset > .zero else { return nil }
    let left = min(stated.remaining, Self.most)
    let size = min(max(stated.limit ?? left, left, 1), Self.most)
    limit = Double(size)
    remaining = Double(left - takenSince)
    perSecond = Double(max(size - left, 1)) / reset.seconds
    at = heard
    self.heard = heard
    fullAt = heard + reset
  }

  /// Whether a statement is newer than this one.
  func isOlder(than moment: Duration) -> Bool { heard < moment }

  /// The earliest moment from `now` on at which it has `amount`, or is full.
  func opens(for amount: Int, now: Duration) -> Duration {
    let missing = min(Double(amount), limit) - available(now)
    if missing <= 0 { return now }
    let wait = missing / perSecond
    // Few units a year, and many that were taken since: no clock counts as far.
    let opening = now + (wait < Self.longest.seconds ? .nanoseconds(Int64((wait * 1e9).rounded(.up))) : Self.longest)
    return min(opening, fullAt ?? opening)
  }

  mutating func take(_ amount: Int, now: Duration) {
    remaining = available(now) - Double(amount)
    at = now
    if let fullAt, fullAt <= now { self.fullAt = nil }
  }

  /// Whole units that are left, as told.
  func left(_ now: Duration) -> Int { max(0, Int(available(now))) }

  private func available(_ now: Duration) -> Double {
    if let fullAt, fullAt <= now { return limit }
    return min(limit, remaining + (now - at).seconds * perSecond)
  }
}

extension Duration {
  var seconds: Double { self / .seconds(1) }
}
