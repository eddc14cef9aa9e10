/// What the last stretches of a lane gave, for `why`: answers and tokens a second and the time to the first token, by the limit that
/// held.
public struct LaneWindows: Sendable {
  /// One stretch of at most ten seconds under one limit.
  public struct Window: Sendable {
    public var from: Duration
    public var to: Duration
    public var limit: Int
    public var answers = 0
    public var tokens = 0
    public var refused = 0
    var firstTokens: Duration = .zero

    public var ttft: Duration? { answers > 0 ? firstTokens / answers : nil }
    public var seconds: Double { max((to - from).seconds, 0.001) }
  }

  private static let length: Duration = .seconds(10)
  public private(set) var last: [Window] = []

  mutating func ended(_ outcome: CallOutcome, limit: Int, now: Duration) {
    if last.last.map({ $0.limit != limit || now - $0.from >= Self.length }) ?? true {
      if last.count == 32 { last.removeFirst(8) }
      last.append(Window(from: now, to: now, limit: limit))
    }
    let index = last.count - 1
    last[index].to = now
    switch outcome.verdict {
    case .answered(let answer):
      last[index].answers += 1
      last[index].tokens += answer.tokens
      last[index].firstTokens += answer.ttft
    case .refused: last[index].refused += 1
    default: break
    }
  }
}
