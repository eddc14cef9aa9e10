/// Whether refusals come of how many calls there are at once, or come at any width: where a call was taken in beside many more than
/// another was refused beside, a rate was why. That is looked at anew after every few refusals: one may have had a reason of its own, and
/// a server may bear less than it did.
struct RefusedWidths: Sendable {
  /// Refusals of one look at them.
  private static let round = 4
  /// The fewest calls beside which one was refused in this round, and the most beside which one was taken in.
  private var least: Int?
  private var most: Int?
  /// Those of calls that were under way together say the same: they count once.
  private var refusals = 0
  private var lastAt: Duration?
  /// The width is not why.
  private(set) var isNoMatter = false

  /// - Parameter began: when the refused call did.
  mutating func refused(beside others: Int, began: Duration, now: Duration) {
    if lastAt.map({ began >= $0 }) ?? true {
      if refusals == Self.round { endRound() }
      refusals += 1
      lastAt = now
    }
    least = min(least ?? others, others)
  }

  mutating func tookIn(beside others: Int) {
    most = max(most ?? others, others)
    // What has just ended here may still be there for the server.
    if let least, others >= least + max(2, least / 4) { isNoMatter = true }
  }

  /// Where all that were refused stood beside more than all that were taken in, the width may be why.
  private mutating func endRound() {
    if let least, let most, least > most { isNoMatter = false }
    (least, most, refusals) = (nil, nil, 0)
  }
}
