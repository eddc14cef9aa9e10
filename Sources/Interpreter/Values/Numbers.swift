import JSON

/// Numbers of all kinds among each other: whole ones and fractions are compared exactly, never by the double nearest to a whole one.
extension Value {
  /// The number without its spelling, for arithmetic; a whole number past 2^63 is the nearest double.
  var withoutSpelling: Value {
    guard case .exact(let number) = self else { return self }
    return number.isLarge ? .number(number.value) : Value(whole: number.value)
  }

  /// Whole where it is whole and fits.
  init(whole number: Double) {
    self = Int(exactly: number).map(Value.int) ?? .number(number)
  }

  /// -1, 0 or 1; nil where one of them is no number, or not a number (`NaN`).
  func comparedAsNumber(to other: Value) -> Int? {
    switch (self, other) {
    case (.int(let a), .int(let b)): return a < b ? -1 : a == b ? 0 : 1
    case (.exact(let a), .exact(let b)) where a.isLarge && b.isLarge: return Self.compare(a.text, b.text)
    case (.exact(let a), .int) where a.isLarge: return a.value < 0 ? -1 : 1
    case (.int, .exact(let b)) where b.isLarge: return b.value < 0 ? 1 : -1
    case (.exact, _), (_, .exact):
      return isNumber && other.isNumber ? withoutSpelling.comparedAsNumber(to: other.withoutSpelling) : nil
    case (.int(let a), .number(let b)): return Self.compare(a, b)
    case (.number(let a), .int(let b)): return Self.compare(b, a).map { -$0 }
    case (.number(let a), .number(let b)): return a < b ? -1 : a == b ? 0 : a > b ? 1 : nil
    default: return nil
    }
  }

  var isNumber: Bool {
    switch self {
    case .int, .number, .exact: true
    default: false
    }
  }

  private static func compare(_ a: Int, _ b: Double) -> Int? {
    if b.isNaN { return nil }
    if b >= 9_223_372_036_854_775_808 { return -1 }
    if b < -9_223_372_036_854_775_808 { return 1 }
    let whole = Int(b.rounded(.down))
    return a < whole ? -1 : a > whole ? 1 : b == b.rounded(.down) ? 0 : -1
  }

  /// Two whole numbers by their digits.
  private static func compare(_ a: String, _ b: String) -> Int {
    let (isBelow, otherIsBelow) = (a.hasPrefix("-"), b.hasPrefix("-"))
    if isBelow != otherIsBelow { return isBelow ? -1 : 1 }
    let order = a.utf8.count != b.utf8.count ? (a.utf8.count < b.utf8.count ? -1 : 1) : a < b ? -1 : a == b ? 0 : 1
    return isBelow ? -order : order
  }
}
