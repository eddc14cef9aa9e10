/// How many calls at once one provider seems to bear, found by trying: it doubles while nothing is refused, then grows by steps;
/// a refusal (429, 529) cuts it to 0.8 once an episode. Server errors and time-outs pause its growth, and how long answers take
/// says nothing: a long answer is no congestion.
///
/// An episode begins with a cut and ends when a call that began after it is answered. (A fixed time would cut too slowly on a fast
/// server and too often on a slow one.)
struct AdaptiveLimit: Sendable {
  /// Where it starts, if its range allows.
  static let start = 8
  static let usual = 1...200
  private static let cut = 0.8
  private static let step = 0.05
  /// Growth counts only replies that came while this share of the limit was in use.
  private static let usedShare = 0.8
  private static let growthPause: Duration = .seconds(10)

  let range: ClosedRange<Int>
  private(set) var limit: Int
  private var isDoubling = true
  private var cleanReplies = 0
  private var cutAt: Duration?
  private var growthPausedUntil: Duration = .zero

  init(_ range: ClosedRange<Int>) {
    self.range = range
    limit = min(max(Self.start, range.lowerBound), range.upperBound)
  }

  /// - Parameters:
  ///   - began: when the call was sent.
  ///   - inUse: calls under way when it ended, itself included.
  /// - Returns: whether the limit grew.
  mutating func answered(began: Duration, inUse: Int, now: Duration) -> Bool {
    if let cutAt, began >= cutAt { self.cutAt = nil }
    guard now >= growthPausedUntil, Double(inUse) >= Self.usedShare * Double(limit) else { return false }
    cleanReplies += 1
    guard cleanReplies >= limit, limit < range.upperBound else { return false }
    cleanReplies = 0
    let grown = isDoubling ? limit * 2 : limit + max(1, Int(Double(limit) * Self.step))
    limit = min(grown, range.upperBound)
    return true
  }

  /// - Returns: whether the limit was cut: not where the refusal belongs to an episode that has been dealt with.
  mutating func refused(began: Duration, now: Duration) -> Bool {
    isDoubling = false
    cleanReplies = 0
    guard cutAt == nil, limit > range.lowerBound else { return false }
    cutAt = now
    limit = max(range.lowerBound, min(limit - 1, Int(Double(limit) * Self.cut)))
    return true
  }

  /// A server error or a time-out. Returns whether growth is paused anew.
  mutating func troubled(now: Duration) -> Bool {
    cleanReplies = 0
    defer { growthPausedUntil = now + Self.growthPause }
    return now >= growthPausedUntil
  }
}
