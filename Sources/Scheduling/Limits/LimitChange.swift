/// One thing that moved a limit, for `why`.
public struct LimitChange: Sendable, Equatable {
  /// On the session's timekeeper.
  public var at: Duration
  /// The provider whose limit it is; nil for the session's.
  public var lane: String?
  /// The job that it concerns alone; nil for all.
  public var job: Int?
  /// `40 → 32: 429 from api, retry after 2 s`
  public var text: String

  init(at: Duration, lane: String? = nil, job: Int? = nil, text: String) {
    (self.at, self.lane, self.job, self.text) = (at, lane, job, text)
  }
}

/// The last of them.
struct LimitHistory: Sendable {
  private(set) var changes: [LimitChange] = []
  private static let most = 1000

  mutating func note(_ change: LimitChange) {
    if changes.count == Self.most { changes.removeFirst(Self.most / 4) }
    changes.append(change)
  }
}

extension Duration {
  /// `250 ms`, `2 s`, `2.5 s`
  var words: String {
    if seconds < 1 { return "\(Int((seconds * 1000).rounded())) ms" }
    let tenths = (seconds * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(tenths)) s" : "\(tenths) s"
  }
}
