import Chat

/// A limit that the user may set, with its number.
public enum LimitSetting: Sendable, Equatable {
  case requestsPerSecond(Int)
  case requestsPerMinute(Int)
  case tokensPerMinute(Int)

  /// As `set` takes it.
  public var name: String {
    switch self {
    case .requestsPerSecond: "rps"
    case .requestsPerMinute: "rpm"
    case .tokensPerMinute: "tpm"
    }
  }

  public var number: Int {
    switch self {
    case .requestsPerSecond(let number), .requestsPerMinute(let number), .tokensPerMinute(let number): number
    }
  }

  public var words: String { "\(name) \(number)" }
}

/// One thing that moved a limit: a case with its numbers and its reason, for `why`, the progress line and whoever keeps a record.
public struct LimitChange: Sendable, Equatable {
  /// Whose limit it is.
  public enum Place: Sendable, Equatable {
    case session
    case job(Int)
    case provider(String)
    case model(ModelName)

    var words: String {
      switch self {
      case .session, .job: ""
      case .provider(let name): name
      case .model(let name): name.description
      }
    }
  }

  /// What a server did, where a limit learned from it.
  public struct Sign: Sendable, Equatable {
    /// The status, or the kind of failure: `429`.
    public var words: String
    public var asked: Duration?
    public var requestsLeft: Int?
    public var tokensLeft: Int?

    public init(_ words: String, asked: Duration? = nil, requestsLeft: Int? = nil, tokensLeft: Int? = nil) {
      (self.words, self.asked, self.requestsLeft, self.tokensLeft) = (words, asked, requestsLeft, tokensLeft)
    }
  }

  public enum What: Sendable, Equatable {
    /// Set by the user: `rpm off → 600`.
    case set(name: String, from: String, to: String)
    /// What shapes answers, set by the user for what is launched from now on.
    case answers(name: String, from: String, to: String)
    /// What shapes a running job's answers, set by the user: `temperature 0.2` from that row on.
    case answersOfJob(String, fromRow: Int)
    /// The job sends nothing; and why, where it was not just somebody's wish.
    case paused(String?)
    case resumed
    /// No more than the machine carries of what is set (`200`, `auto`), and why: `200 → 20: what fits into 64 open files`.
    case machine(wanted: String, most: Int, String)
    case cancelled
    /// So many clean replies while the limit was in use.
    case grew(from: Int, to: Int, replies: Int)
    case refused(from: Int, to: Int, Sign)
    /// Nothing is sent for so long. `isEarly`: a look comes long before the wait is over; `isStill`: the look was refused.
    case held(for: Duration, isEarly: Bool, isStill: Bool, Sign)
    case goesOn
    /// So many a second at most, from now on.
    case paced(perSecond: Double, Sign)
    case growthPaused(at: Int, for: Duration, Sign)
    /// Streams broke off while calls ran side by side: one call goes alone to see.
    case looksAlone(from: Int, cut: Int, of: Int)
    /// So many at once from now on, for the server cuts streams that run side by side. `isSure`: alone a call was answered.
    case narrowed(from: Int, to: Int, isSure: Bool)
    /// Alone it broke off as well: the width is not why.
    case widthIsNotWhy(restored: Int)
    /// First-token time-outs while others were answered: a queue.
    case queued(from: Int, to: Int, answered: Int, within: Duration)
    /// Widening brought too little: `16 → 32 brought +3 %, ttft 0.15 → 1.1 s: back to 16`.
    case notPaidFor(from: Int, to: Int, gain: Double, ttftBefore: Duration?, ttftAfter: Duration?)
    /// So many calls that went alone came to no end that tells whether the width was why.
    case lookGivenUp(restored: Int, looks: Int)
    /// The server went down: the streams that broke off were its end, and say nothing of the width.
    case cutsWereItsEnd(restored: Int)
    case down
    case back(after: Duration)
    case gaveUp(after: Duration)
    /// Not a word came within so long of a call: one at a time looks.
    case silent(within: Duration)
    /// Nobody waits for it any more.
    case silentTooLong(after: Duration, tries: Int)
    /// It has refused every call for so long: a job's rows wait no more.
    case refusedTooLong(after: Duration, Sign)
  }

  /// On the session's timekeeper.
  public var at: Duration
  public var place: Place
  public var what: What
  public var by: ChangeAuthor
  /// The first row of each job, by the job's number, that was launched after it; of those that ran.
  public var rows: [Int: Int]
  /// How often it came in a row: of what repeats itself only the last is kept.
  public internal(set) var times = 1

  public init(at: Duration, _ place: Place, _ what: What, by: ChangeAuthor, rows: [Int: Int] = [:]) {
    (self.at, self.place, self.what, self.by, self.rows) = (at, place, what, by, rows)
  }

  /// The provider or model whose limit it is.
  public var placeWords: String? { place.words.isEmpty ? nil : place.words }

  /// What was changed, from what, to what; nil where it is no such thing.
  public var values: (name: String, from: String, to: String)? {
    switch what {
    case .set(let name, let from, let to), .answers(let name, let from, let to): (name, from, to)
    case .grew(let from, let to, _), .refused(let from, let to, _), .narrowed(let from, let to, _), .queued(let from, let to, _, _):
      ("concurrency", "\(from)", "\(to)")
    // It tells of a wider width than the one that holds: `8 → 16 brought +2 %: back to 8`.
    case .notPaidFor(let from, let to, _, _, _): ("concurrency", "\(to)", "\(from)")
    case .looksAlone(let from, _, _): ("concurrency", "\(from)", "1")
    case .widthIsNotWhy(let to), .lookGivenUp(let to, _), .cutsWereItsEnd(let to): ("concurrency", "1", "\(to)")
    case .machine(let wanted, let most, _): ("concurrency", wanted, "\(most)")
    default: nil
    }
  }

  /// With who made it, and from which row of a job on it holds.
  ///
  /// - Parameter job: whose history it is; nil for all.
  public func fullText(for job: Int? = nil) -> String {
    guard let author = by.words else { return text }
    return "\(text) (\(job.flatMap { rows[$0] }.map { "from row \($0) on, " } ?? "")\(author))"
  }

  /// The job that it concerns alone; nil for all.
  public var job: Int? { if case .job(let id) = place { id } else { nil } }

  /// Whether a limit of calls at once moved.
  public var isOfWidth: Bool {
    switch what {
    case .set(let name, _, _): name == "concurrency"
    case .machine, .grew, .refused, .narrowed, .looksAlone, .queued, .notPaidFor, .widthIsNotWhy, .lookGivenUp, .cutsWereItsEnd: true
    default: false
    }
  }

  /// `40 → 32: 429 from api/m, retry after 2 s`, with how often it came in a row where that is more than once.
  public var text: String { times > 1 ? "\(onceText) (\(times) times)" : onceText }

  private var onceText: String {
    let name = place.words
    switch what {
    case .set(let setting, let from, let to):
      let whose =
        switch place {
        case .session: ""
        case .job: " for this job"
        default: " for \(name)"
        }
      return "\(setting == "concurrency" ? "" : setting + " ")\(from) → \(to): set\(whose)"
    case .answers(let setting, let from, let to): return "\(setting) \(from) → \(to): set, for what is launched from now on"
    case .answersOfJob(let settings, let row): return "\(settings) from row \(row) on"
    case .paused(let reason): return "paused\(reason.map { ": \($0)" } ?? "")"
    case .resumed: return "resumed"
    case .machine(let wanted, let most, let reason): return "\(wanted)\(Int(wanted) == nil ? ", at most" : " →") \(most): \(reason)"
    case .cancelled: return "cancelled"
    case .grew(let from, let to, let replies):
      return "\(from) → \(to): \(replies) clean \(replies == 1 ? "reply" : "replies") of \(name) while the limit was in use"
    case .refused(let from, let to, let sign): return "\(from) → \(to): \(sign.text(name))"
    case .held(let wait, let isEarly, let isStill, let sign):
      return "nothing is sent for \(wait.words)\(isEarly ? ", then one call looks" : ""): \(isStill ? "still " : "")\(sign.text(name))"
    case .goesOn: return "goes on: \(name) answers again"
    case .paced(let rate, let sign): return "at most \(rate.rateWords): \(sign.text(name))"
    case .growthPaused(let limit, let wait, let sign): return "stays at \(limit) for \(wait.words): \(sign.text(name))"
    case .looksAlone(let from, let cut, let of):
      return "\(from) → 1: \(cut) of the last \(of) answers of \(name) broke off side by side; one call looks alone"
    case .narrowed(let from, let to, let isSure):
      return
        "\(from) → \(to): \(isSure ? "alone it was answered, " : "")side by side \(name) cuts its streams; `set concurrency \(to) for \(name)` says so for good"
    case .widthIsNotWhy(let limit): return "1 → \(limit): alone it broke off as well; \(name) cuts its streams whatever their number"
    case .queued(let from, let to, let answered, let within):
      let others =
        switch answered {
        case 0: "other calls were being answered"
        case 1: "another call was answered within \(within.words)"
        default: "\(answered) other calls were answered within \(within.words)"
        }
      return "\(from) → \(to): no first token in time while \(others): \(name) has a queue"
    case .notPaidFor(let from, let to, let gain, let before, let after):
      let percent = Int((gain * 100).rounded())
      var words = "\(from) → \(to) brought \(percent < 0 ? "" : "+")\(percent) %"
      if let before, let after { words += ", ttft \(before.shortWords) → \(after.shortWords)" }
      return words + ": back to \(from) (\(name))"
    case .lookGivenUp(let limit, let looks):
      return "1 → \(limit): \(looks) calls that went alone to \(name) came to no end that tells whether the width was why"
    case .cutsWereItsEnd(let limit):
      return "1 → \(limit): the server of \(name) went down; the streams that broke off say nothing of the width"
    case .silent(let within): return "\(name) does not answer: no word within \(within.words) of a call; one at a time looks"
    case .silentTooLong(let after, let tries):
      return "\(name) has not answered for \(after.words) (tries timed out: \(tries)): nobody waits for it any more (`set down-wait`)"
    case .refusedTooLong(let after, let sign):
      return "nothing was accepted for \(after.words), longer than `max-wait`: rows fail: \(sign.text(name))"
    case .down: return "\(name) is down: one call looks every few seconds"
    case .back(let after): return "\(name) is back after \(after.words)"
    case .gaveUp(let after): return "\(name) has been down for \(after.words): nobody waits for it any more (`set down-wait`)"
    }
  }
}

extension LimitChange.Sign {
  func text(_ name: String) -> String {
    var text = "\(words) from \(name)"
    if let requestsLeft { text += ", requests remaining \(requestsLeft)" }
    if let tokensLeft { text += ", tokens remaining \(tokensLeft)" }
    if let asked { text += ", retry after \(asked.words)" }
    return text
  }
}

/// The last of them.
struct LimitHistory: Sendable {
  private(set) var changes: [LimitChange] = []
  private static let most = 1000

  mutating func note(_ change: LimitChange) {
    var change = change
    if let earlier = repeated(change) {
      change.times += changes[earlier].times
      changes.remove(at: earlier)
    }
    if changes.count == Self.most { changes.removeFirst(Self.most / 4) }
    changes.append(change)
  }
}

extension LimitHistory {
  /// How far back one looks for what repeats itself.
  private static let round = 12

  /// Where what a server does again and again stands already, with nothing but its like after it: a server that refuses each second
  /// would fill the history.
  fileprivate func repeated(_ change: LimitChange) -> Int? {
    guard let kind = change.what.repeats else { return nil }
    for index in changes.indices.suffix(Self.round).reversed() where changes[index].place == change.place {
      guard let other = changes[index].what.repeats else { return nil }
      if other == kind { return index }
    }
    return nil
  }
}

extension LimitChange.What {
  /// What may come again and again while nothing else changes; the same for those that are alike.
  fileprivate var repeats: Int? {
    switch self {
    case .held(_, let isEarly, let isStill, _): isStill ? 0 : isEarly ? 1 : 2
    case .goesOn: 3
    case .paced: 4
    case .growthPaused: 5
    default: nil
    }
  }
}

extension Duration {
  /// `250 ms`, `2 s`, `2.5 s`
  var words: String {
    if seconds < 1 { return "\(Int((seconds * 1000).rounded())) ms" }
    let tenths = (seconds * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(min(tenths, 1e15))) s" : "\(tenths) s"
  }

  /// `0.15`, `1.1 s`: two digits that count.
  fileprivate var shortWords: String {
    seconds < 1 ? "\((seconds * 100).rounded() / 100) s" : "\((seconds * 10).rounded() / 10) s"
  }
}

extension Double {
  /// `40 a second`, `0.5 a second`, `20 a minute`
  var rateWords: String {
    if self >= 10 { return "\(Int(rounded())) a second" }
    if self >= 1 { return "\((self * 10).rounded() / 10) a second" }
    return "\((self * 600).rounded() / 10) a minute"
  }
}
