import Chat
import Histogram
import Threads

/// A piece of work with progress: a `map`, an `ask`, whatever runs under `&`. Everything about it may be read at any moment from
/// any thread; the screen samples it.
public final class Job: Sendable {
  public enum State: String, Sendable { case running, paused, stopping, cancelled, done, failed }

  /// A copy of how far it is.
  public struct Progress: Sendable {
    public var state = State.running
    /// Rows in all; nil while the end is not known.
    public var total: Int?
    public var launched = 0
    public var succeeded = 0
    public var failed = 0
    public var retried = 0
    /// Rows that wait for another try; they hold no permit.
    public var waiting = 0
    /// Second calls sent beside a late one.
    public var hedged = 0
    public var outputTokens = 0
    /// Its calls: a row of a chain takes several, one that was skipped none.
    public var calls = Calls()
    /// Rows that failed by themselves: their prompt could not be made, or a function broke.
    public var unmade = 0
    /// Rows that had failed before, and went no further.
    public var skipped = 0
    /// Rows that were begun, and held back before they came to an end.
    public var heldBack = 0
    /// Those of them for which something had been sent.
    public var cut = 0
    /// Rows that a filter took out before anything was sent for them.
    public var leftOut = 0
    /// The length of the run so far, pauses included.
    public var elapsed: Duration = .zero
    /// Rows per second now (`RecentRate`); nil once it is over, and while that cannot be told yet.
    public var recentRate: Double?
    public var p50: Duration?
    public var p95: Duration?
    public var failures: [FailureKind: (count: Int, example: Failure)] = [:]

    /// Prompts without an answer, and rows that never came to one.
    public var unanswered: Int { calls.unanswered + unmade }
    public var done: Int { succeeded + failed + skipped }
    /// Rows that have begun and are not over, whatever they wait for.
    public var begun: Int { launched - done - cut }
    /// Calls under way: a permit each.
    public var inFlight = 0
    /// Rows per second: now while it runs, over the whole run afterwards.
    public var rate: Double { recentRate ?? (elapsed.seconds > 0 ? Double(done) / elapsed.seconds : 0) }

    /// Rows per second that what is under way amounts to: after a change of the width that is so long before rows have ended by it.
    private var rateUnderWay: Double? {
      guard let p50, p50 > .zero, inFlight > 0, done > 0, calls.ended > 0 else { return nil }
      return Double(inFlight) / p50.seconds / max(1, Double(calls.ended) / Double(done))
    }

    /// Time to the end at the present rate; nil where it cannot be told.
    public var eta: Duration? {
      guard let total, done > 0, rate > 0 else { return nil }
      var rate = rate
      if let soon = rateUnderWay, soon < rate / 2 || soon > rate * 2 { rate = soon }
      let seconds = Double(total - done) / rate
      return seconds < 1e9 ? .milliseconds(Int(seconds * 1000)) : nil
    }
  }

  /// What calls came to.
  public struct Calls: Sendable {
    public var answered = 0
    public var unanswered = 0
    /// Answers that are not as asked, by kind.
    public var wrong: [FailureKind: Int] = [:]
    /// Answers that were cut at max-tokens.
    public var cut = 0
    /// Those that the simulator dealt with.
    public var simulated = 0

    public var ended: Int { answered + unanswered }
  }

  /// Where the time of its calls went, added up.
  public struct TimeSpent: Sendable, Equatable {
    public var calls = 0
    /// Waiting for leave to send: a place, a rate, a server that is held.
    public var waiting: Duration = .zero
    /// Between tries.
    public var betweenTries: Duration = .zero
    public var firstToken: Duration = .zero
    public var writing: Duration = .zero

    /// What one try took.
    mutating func add(_ attempt: Attempt) {
      let first = attempt.ttft ?? attempt.latency
      firstToken += first
      writing += attempt.latency - first
    }

    public var all: Duration { waiting + betweenTries + firstToken + writing }

    public init() {}
  }

  private struct Guarded {
    var progress = Progress()
    var spent = TimeSpent()
    var ended: Duration?
    var latencies: Histogram<UInt32>?
    var firstTokens: Histogram<UInt32>?
    var brake = Brake()
    var cancel: (@Sendable () -> Void)?
    var stop: (@Sendable () -> Void)?
    var end: (@Sendable () -> Void)?
    /// Those under way that were started within it.
    var children: [Int: Job] = [:]
    var stopLaunching = false
    var number: Int?
    var said: Set<String> = []
    var recent: RecentRate
    /// When the last try without a word of an answer ended that was counted.
    var triedInVain: Duration?
  }

  /// Its own among all jobs of the session.
  public let id: Int
  public let name: String
  /// The variable that its result goes to, if one does.
  public let variable: String?
  private let time: any Timekeeper
  private let started: Duration
  private let startedCPU: Duration
  private let guarded: Mutex<Guarded>
  /// Calls under way.
  private let live = Atomic(0)

  public init(id: Int, name: String, variable: String? = nil, total: Int?, time: any Timekeeper) {
    self.id = id
    self.name = name
    self.variable = variable
    self.time = time
    started = time.now
    startedCPU = time.cpu
    guarded = Mutex(Guarded(recent: RecentRate(started: started)))
    guarded.withLock { $0.progress.total = total }
  }

  // MARK: told by those who do the work

  public func launched() { guarded.withLock { $0.progress.launched += 1 } }

  /// So many calls more, or fewer, are under way.
  func calls(_ change: Int) { live.wrappingAdd(change, ordering: .relaxed) }

  /// A row waits for another try.
  func willRetry() {
    guarded.withLock { guarded in
      guarded.progress.retried += 1
      guarded.progress.waiting += 1
    }
  }

  /// Its wait is over.
  func retries() { guarded.withLock { $0.progress.waiting -= 1 } }

  /// A call of its has ended.
  func spent(_ reply: Reply) {
    // What was never sent took no time of any server's, and would thin out the averages.
    guard reply.attempts > 0 else { return }
    guarded.withLock { guarded in
      guarded.spent.calls += 1
      guarded.spent.waiting += reply.queued - reply.waited
      guarded.spent.betweenTries += reply.waited
      guarded.spent.add(reply.attempt)
    }
  }

  /// A try of a call has ended, and another follows.
  func tried(_ attempt: Attempt) { guarded.withLock { $0.spent.add(attempt) } }

  public var timeSpent: TimeSpent { guarded.withLock { $0.spent } }

  func hedged() { guarded.withLock { $0.progress.hedged += 1 } }

  /// Kept where calls are hedged.
  func note(ttft: Duration) {
    guarded.withLock { guarded in
      if guarded.firstTokens == nil { guarded.firstTokens = Job.histogram() }
      guarded.firstTokens?.record(ttft.milliseconds)
    }
  }

  /// The time within which the first token of so many percent of its calls came; nil while too few are known.
  func ttft(percentile: Int) -> Duration? {
    guarded.withLock { guarded in
      guard let known = guarded.firstTokens, known.totalCount >= 20 else { return nil }
      return .milliseconds(known.valueAtPercentile(Double(percentile)))
    }
  }

  /// Milliseconds up to an hour, two digits: 10 KB a job whatever its length.
  private static func histogram() -> Histogram<UInt32> {
    Histogram(highestTrackableValue: 3_600_000, numberOfSignificantValueDigits: .two)
  }

  /// A call has ended, whatever becomes of its row. One that was not sent is none.
  public func called(_ reply: Reply) {
    if reply.attempts == 0 { return }
    guarded.withLock { guarded in
      if reply.model.provider == "sim" { guarded.progress.calls.simulated += 1 }
      if reply.succeeded {
        guarded.progress.calls.answered += 1
        if let wrong = reply.attempt.wrong { guarded.progress.calls.wrong[wrong.kind, default: 0] += 1 }
        if reply.attempt.finish == .length, reply.attempt.wrong == nil { guarded.progress.calls.cut += 1 }
      } else if let failure = reply.failure {
        guarded.progress.calls.unanswered += 1
        guarded.progress.failures[failure.kind, default: (0, failure)].count += 1
      }
      guarded.progress.outputTokens += reply.attempt.usage?.output ?? 0
      if guarded.latencies == nil { guarded.latencies = Job.histogram() }
      guarded.latencies?.record(reply.attempt.latency.milliseconds)
    }
  }

  /// A row that had failed before is through.
  public func skipped() { guarded.withLock { $0.progress.skipped += 1 } }

  /// A row was begun, and held back before it came to its end.
  public func heldBack(hasSent: Bool) {
    guarded.withLock { guarded in
      guarded.progress.heldBack += 1
      if hasSent { guarded.progress.cut += 1 }
    }
  }

  /// Rows that were reckoned with, and that a filter took out.
  public func leftOut(_ count: Int) {
    guarded.withLock { guarded in
      guarded.progress.leftOut += count
      guarded.progress.total = guarded.progress.total.map { max(0, $0 - count) }
    }
  }

  public func setTotal(_ total: Int?) { guarded.withLock { $0.progress.total = total } }

  /// A row has ended.
  ///
  /// - Parameters:
  ///   - lacking: why it lacks a column, where it is answered itself.
  ///   - hasSent: whether a call was made for it.
  ///   - stopAfter: errors of one kind in a row at which the job should stop; nil for never.
  /// - Returns: whether it should stop now.
  public func ended(failure: Failure?, lacking: Failure? = nil, hasSent: Bool = true, stopAfter: Int? = nil) -> Bool {
    let now = time.now
    return guarded.withLock { guarded in
      guarded.recent.ended(now: now)
      var stops = false
      if let failure {
        guarded.progress.failed += 1
        if !hasSent || failure.kind == .script {
          guarded.progress.unmade += 1
          guarded.progress.failures[failure.kind, default: (0, failure)].count += 1
        }
        stops = guarded.brake.failed(failure.kind, limit: stopAfter)
      } else {
        guarded.progress.succeeded += 1
        if let lacking { stops = guarded.brake.failed(lacking.kind, limit: stopAfter) } else { guarded.brake.answered() }
      }
      return stops
    }
  }

  /// A try ended without a word of an answer, and another follows. Those that were under way together count once: they say the same.
  ///
  /// - Returns: whether the job should stop now.
  public func triedInVain(_ kind: FailureKind, _ span: Range<Duration>, stopAfter: Int) -> Bool {
    guarded.withLock { guarded in
      if let last = guarded.triedInVain, span.lowerBound < last { return false }
      // Not the clock: the next one may have been sent since.
      guarded.triedInVain = span.upperBound
      return guarded.brake.failed(kind, limit: stopAfter)
    }
  }

  /// How many more rows have to fail at least until it stops; nil for never.
  func failuresLeft(stopAfter: Int?) -> Int? { guarded.withLock { $0.brake.left(stopAfter) } }

  public func finished(failed: Bool = false) {
    let end = guarded.withLock { guarded in
      guarded.ended = time.now
      (guarded.cancel, guarded.stop) = (nil, nil)
      if guarded.progress.state != .cancelled { guarded.progress.state = failed ? .failed : .done }
      defer { guarded.end = nil }
      return guarded.end
    }
    end?()
  }

  /// Who is told that it is over.
  public func onEnd(_ end: @escaping @Sendable () -> Void) { guarded.withLock { $0.end = end } }

  // MARK: asked by those who watch and steer

  public var progress: Progress {
    guarded.withLock { guarded in
      var progress = guarded.progress
      progress.elapsed = (guarded.ended ?? time.now) - started
      progress.inFlight = live.load(ordering: .relaxed)
      if let latencies = guarded.latencies, progress.calls.ended > 0 {
        progress.p50 = .milliseconds(latencies.valueAtPercentile(50))
        progress.p95 = .milliseconds(latencies.valueAtPercentile(95))
        if guarded.ended == nil { progress.recentRate = guarded.recent.rate(now: time.now, p50: progress.p50) }
      }
      return progress
    }
  }

  /// Whether a note is the first of its kind: what each of its rows would say is said once.
  public func isNews(_ note: String) -> Bool { guarded.withLock { $0.said.insert(note).inserted } }

  /// What people call it (`%1`); nil while it is in nobody's list.
  public var number: Int? {
    get { guarded.withLock { $0.number } }
    set { guarded.withLock { $0.number = newValue } }
  }

  /// What commands take for it, when somebody types it: its name may be the words of its statement.
  public var typedName: String { variable ?? number.map { "%\($0)" } ?? name }

  /// From its start to its end, or to whatever comes.
  public var span: ClosedRange<Duration> { started...max(started, guarded.withLock { $0.ended } ?? .seconds(1 << 40)) }

  /// Processor time of this program while it ran, for each second of the clock; nil where it was too short to tell, or is over.
  public var ownCPU: Double? {
    let elapsed = time.now - started
    guard !isOver, elapsed >= .seconds(1) else { return nil }
    return (time.cpu - startedCPU).seconds / elapsed.seconds
  }

  public var isOver: Bool { guarded.withLock { $0.ended != nil } }

  public var isCancelled: Bool { guarded.withLock { $0.progress.state == .cancelled } }

  /// Whether a new row may still begin.
  public var mayLaunch: Bool { guarded.withLock { !$0.stopLaunching } }

  public func setPaused(_ paused: Bool) {
    guarded.withLock { guarded in
      if guarded.progress.state == .running || guarded.progress.state == .paused {
        guarded.progress.state = paused ? .paused : .running
        guarded.recent.setPaused(paused, now: time.now)
      }
    }
  }

  /// Begins nothing new; what is in flight finishes.
  public func stopLaunching() {
    let stop = guarded.withLock { guarded in
      guarded.stopLaunching = true
      if guarded.ended == nil { guarded.progress.state = .stopping }
      return guarded.stop
    }
    stop?()
  }

  /// Who is told that nothing new begins, so that what waits to begin waits no longer. Told at once if it was stopped before.
  public func onStop(_ stop: @escaping @Sendable () -> Void) {
    let isLate = guarded.withLock { guarded in
      if guarded.ended == nil { guarded.stop = stop }
      return guarded.stopLaunching
    }
    if isLate { stop() }
  }

  /// How the work is cancelled. Runs at once if it was cancelled before.
  public func onCancel(_ cancel: @escaping @Sendable () -> Void) {
    let isLate = guarded.withLock { guarded in
      if guarded.progress.state == .cancelled { return true }
      if guarded.ended == nil { guarded.cancel = cancel }
      return false
    }
    if isLate { cancel() }
  }

  /// Ends it now: streams are closed, what finished is kept.
  public func cancel() {
    let (cancel, children) = guarded.withLock { guarded -> ((@Sendable () -> Void)?, [Job]) in
      guard guarded.ended == nil else { return (nil, []) }
      guarded.stopLaunching = true
      guarded.progress.state = .cancelled
      defer { guarded.cancel = nil }
      return (guarded.cancel, Array(guarded.children.values))
    }
    cancel?()
    for child in children { child.cancel() }
  }

  /// Another was started within it, and ends with it.
  public func started(_ child: Job) {
    let isLate = guarded.withLock { guarded in
      guarded.children[child.id] = child
      return guarded.progress.state == .cancelled
    }
    if isLate { child.cancel() }
  }

  /// That one is over.
  public func ended(_ child: Job) { guarded.withLock { $0.children[child.id] = nil } }
}

extension Duration {
  /// For a histogram: whole milliseconds, an hour at most.
  fileprivate var milliseconds: UInt64 {
    UInt64(max(0, min(3_600_000, self / .milliseconds(1))))
  }
}
