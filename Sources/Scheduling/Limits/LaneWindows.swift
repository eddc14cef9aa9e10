/// What the last stretches of a lane gave, for `why`: answers and tokens a second and the time to the first token, by the limit that
/// held.
public struct LaneWindows: Sendable {
  /// One stretch of about ten seconds under one limit. It begins with its first call or where the stretch before it ended, not with its
  /// first answer: sixteen answers that come together after a second are sixteen a second.
  public struct Window: Sendable {
    public var from: Duration
    public var to: Duration
    /// When its first call ended.
    fileprivate let opened: Duration
    public var limit: Int
    public var answers = 0
    public var tokens = 0
    public var refused = 0
    var firstTokens: Duration = .zero
    /// What its answers took, together.
    fileprivate var taken: Duration = .zero

    public var ttft: Duration? { answers > 0 ? firstTokens / answers : nil }
    public var seconds: Double { max((to - from).seconds, 0.001) }
    /// Whether it says how fast answers come: what is left of a burst, after a change of the limit within it, does not.
    public var isTelling: Bool { answers > 0 && (to - from) * 2 >= taken / answers }
  }

  private static let length: Duration = .seconds(10)
  public private(set) var last: [Window] = []

  /// - Parameter began: when the call was sent.
  mutating func ended(_ outcome: CallOutcome, began: Duration, limit: Int, now: Duration) {
    if last.last.map({ $0.limit != limit || now - $0.opened >= Self.length }) ?? true {
      if last.count == 32 { last.removeFirst(8) }
      last.append(Window(from: max(began, last.last?.to ?? .zero), to: now, opened: now, limit: limit))
    }
    let index = last.count - 1
    last[index].to = now
    switch outcome.verdict {
    case .answered(let answer):
      last[index].answers += 1
      last[index].taken += now - began
      last[index].tokens += answer.tokens
      last[index].firstTokens += answer.ttft
    case .refused: last[index].refused += 1
    default: break
    }
  }
}
