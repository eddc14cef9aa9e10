import DequeModule

/// At most `limit` units in any window of `period`, spread evenly over it.
///
/// The window is kept exactly, by a log of what was taken. Spreading lets a twentieth of the period be caught up, so that a timer
/// that wakes late does not lower the rate. An amount above the limit goes alone, in a window of its own.
struct RateWindow: Sendable {
  /// Nil: no limit, and nothing is counted.
  var limit: Int? {
    didSet {
      if limit == nil { (log, sum, due) = ([], 0, .zero) }
    }
  }
  let period: Duration

  private var log: Deque<(at: Duration, amount: Int)> = []
  /// The number of the log's first entry.
  private var first = 0
  private var sum = 0
  /// When the next unit is due, were all spread evenly.
  private var due: Duration = .zero

  init(limit: Int? = nil, per period: Duration) {
    self.limit = limit
    self.period = period
  }

  /// The earliest moment from `now` on at which `amount` may be taken.
  mutating func opens(for amount: Int, now: Duration) -> Duration {
    guard let limit else { return now }
    forget(before: now - period)
    var opening = max(now, due - period / 20)
    var over = sum + amount - limit
    if over > 0 {
      for entry in log {
        opening = max(opening, entry.at + period)
        over -= entry.amount
        if over <= 0 { break }
      }
    }
    return opening
  }

  /// Returns the number by which `settle` finds it; nil where nothing is counted.
  mutating func take(_ amount: Int, now: Duration) -> Int? {
    guard let limit else { return nil }
    log.append((now, amount))
    sum += amount
    due = max(due, now) + period * amount / limit
    return first + log.count - 1
  }

  /// What was taken turned out to be another amount.
  mutating func settle(_ number: Int?, as amount: Int) {
    guard let number, let limit else { return }
    let index = number - first
    guard log.indices.contains(index) else { return }
    let change = amount - log[index].amount
    log[index].amount = amount
    sum += change
    due += period * change / limit
  }

  private mutating func forget(before: Duration) {
    while let entry = log.first, entry.at <= before {
      sum -= entry.amount
      log.removeFirst()
      first += 1
    }
  }
}
