/// What the calls of a chain took together.
public struct CallTally: Sendable {
  public var calls = 0
  /// Of those whose server counted.
  public var usage: Usage?
  /// One call's after another's, whether or not they ran side by side.
  public var latency: Duration = .zero

  public init() {}

  /// What nobody stated stays unstated.
  private static func sum<Number: AdditiveArithmetic>(_ a: Number?, _ b: Number?) -> Number? {
    a == nil && b == nil ? nil : (a ?? .zero) + (b ?? .zero)
  }

  public mutating func add(_ reply: Reply) {
    calls += 1
    latency += reply.attempt.latency
    if let usage = reply.attempt.usage { add(usage) }
  }

  public mutating func add(_ other: CallTally) {
    calls += other.calls
    latency += other.latency
    if let usage = other.usage { add(usage) }
  }

  private mutating func add(_ more: Usage) {
    guard var sum = usage else {
      usage = more
      return
    }
    sum.input += more.input
    sum.output += more.output
    sum.cacheRead = Self.sum(sum.cacheRead, more.cacheRead)
    sum.cacheWrite = Self.sum(sum.cacheWrite, more.cacheWrite)
    sum.reasoning = Self.sum(sum.reasoning, more.reasoning)
    sum.cost = Self.sum(sum.cost, more.cost)
    usage = sum
  }
}
