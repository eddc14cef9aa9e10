/// Since when nobody waits for a server that is away. Where nobody has for a while, its absence is forgotten: whoever comes then finds
/// out anew, and waits as long as he has set, from then on.
struct Unwaited: Sendable {
  /// Longer than a row takes from one of its calls to the next. (Waits between two tries count as waiting.)
  private static let long: Duration = .seconds(10)
  private var since: Duration?

  mutating func seen(isWaitedFor: Bool, now: Duration) { since = isWaitedFor ? nil : since ?? now }

  /// Somebody comes.
  ///
  /// - Returns: whether nobody had waited for long.
  mutating func asked(now: Duration) -> Bool {
    defer { since = nil }
    return since.map { now - $0 >= Self.long } ?? false
  }
}
