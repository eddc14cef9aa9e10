import Chat

/// What a server says it still gives, with its answers: a bucket that refills until it is full at the stated reset. (OpenAI and
/// Anthropic both document their headers so.)
struct StatedRate: Sendable {
  private var limit: Double
  private var remaining: Double
  private var perSecond: Double
  private var at: Duration
  private var heard: Duration

  /// Nil where the statement cannot be used: nothing remains and no reset is named, or a number is nonsense.
  init?(_ stated: StatedLimits.Amount, heard: Duration, takenSince: Int) {
    guard stated.remaining >= 0, let reset = stated.reset, reset > .zero else { return nil }
    let size = Double(max(stated.limit ?? stated.remaining, stated.remaining, 1))
    limit = size
    remaining = Double(stated.remaining - takenSince)
    perSecond = max(size - Double(stated.remaining), 1) / reset.seconds
    at = heard
    self.heard = heard
  }

  /// Whether a statement is newer than this one.
  func isOlder(than moment: Duration) -> Bool { heard < moment }

  /// The earliest moment from `now` on at which it has `amount`, or is full.
  func opens(for amount: Int, now: Duration) -> Duration {
    let missing = min(Double(amount), limit) - available(now)
    return missing <= 0 ? now : now + .nanoseconds(Int64((missing / perSecond * 1e9).rounded(.up)))
  }

  mutating func take(_ amount: Int, now: Duration) {
    remaining = available(now) - Double(amount)
    at = now
  }

  /// Whole units that are left, as told.
  func left(_ now: Duration) -> Int { max(0, Int(available(now))) }

  private func available(_ now: Duration) -> Double { min(limit, remaining + (now - at).seconds * perSecond) }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
