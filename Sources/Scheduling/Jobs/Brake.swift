import Chat

/// Stops a job whose rows fail one after the other in the same way, before it burns the rest.
struct Brake: Sendable {
  private var kind: FailureKind?
  private var count = 0

  /// How many more errors it takes at least until it acts; nil for never.
  func left(_ limit: Int?) -> Int? { limit.map { max(1, $0 - count) } }

  mutating func answered() { (kind, count) = (nil, 0) }

  /// - Parameter limit: errors in a row at which it acts; nil for never.
  /// - Returns: whether it acts now; it counts anew from here.
  mutating func failed(_ kind: FailureKind, limit: Int?) -> Bool {
    if kind == .cancelled || kind == .notSent { return false }
    count = kind == self.kind ? count + 1 : 1
    self.kind = kind
    guard let limit, count >= limit else { return false }
    (self.kind, count) = (nil, 0)
    return true
  }
}
