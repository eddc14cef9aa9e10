/// Tokens that the session may use in all. What is in flight is reserved, so that the sum is not overshot.
///
/// (Money will have its place beside tokens once prices are known.)
struct TokenBudget: Sendable {
  /// Nil: no limit; what is used is counted all the same.
  var limit: Int?
  private(set) var used = 0
  private(set) var reserved = 0

  enum Room: Equatable {
    case enough
    /// What is in flight may give some back.
    case later
    case spent
  }

  func room(for amount: Int) -> Room {
    guard let limit else { return .enough }
    if used + reserved + amount <= limit { return .enough }
    return reserved > 0 ? .later : .spent
  }

  /// What is neither used nor reserved; nil where there is no limit.
  var left: Int? { limit.map { $0 - used - reserved } }

  mutating func reserve(_ amount: Int) { reserved += amount }

  mutating func settle(_ amount: Int, used tokens: Int) {
    reserved -= amount
    used += tokens
  }
}
