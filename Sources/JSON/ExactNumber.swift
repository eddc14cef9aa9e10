/// A number that is kept as it was spelled: neither an integer of 64 bits nor the shortest form of a double gives its digits back
/// (`12345678901234567890`, `1.10`, `1E3`, `-0.0`). What is data goes through unchanged; only arithmetic goes by `value`.
public struct ExactNumber: Sendable, Hashable {
  /// As JSON allows numbers to be written.
  public let text: String
  /// The nearest double; finite.
  public let value: Double

  public init(_ text: String, _ value: Double) {
    (self.text, self.value) = (text, value)
  }

  /// Whether it is a whole number that 64 bits do not hold.
  public var isLarge: Bool {
    value.magnitude >= 9_223_372_036_854_775_808 && text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") }
  }

  /// The same number with the other sign.
  public var negated: ExactNumber { ExactNumber(text.hasPrefix("-") ? String(text.dropFirst()) : "-" + text, -value) }
}

extension Double {
  /// The fewest digits that read back as this number: without an exponent from 0.0000001 to 10²¹, without a fraction where it is whole.
  public var shortest: String {
    if self == rounded(), magnitude < 1e15 { return String(Int(self)) }
    let text = "\(self)"
    guard isFinite, let mark = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: mark)...]) else { return text }
    guard (-7...20).contains(exponent) else { return text.replacing(".0e", with: "e") }
    let digits = text[..<mark].filter { $0 != "-" && $0 != "." }
    let whole = digits.hasSuffix("0") ? String(digits.dropLast()) : String(digits)
    let sign = self < 0 ? "-" : ""
    if exponent < 0 { return sign + "0." + String(repeating: "0", count: -exponent - 1) + whole }
    if whole.count <= exponent + 1 { return sign + whole + String(repeating: "0", count: exponent + 1 - whole.count) }
    return sign + whole.prefix(exponent + 1) + "." + whole.dropFirst(exponent + 1)
  }
}
