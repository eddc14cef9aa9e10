import Chat
import Histogram
import Synchronization

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
    public var outputTokens = 0
    /// Rows per second over the whole run, and its length so far.
    public var elapsed: Duration = .zero
    public var p50: Duration?
    public var p95: Duration?
    public var failures: [FailureKind: (count: Int, example: Failure)] = [:]

    public var done: Int { succeeded + failed }
    public var inFlight: Int { launched - done }
    public var rate: Double {
      let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
      return seconds > 0 ? Double(done) / seconds : 0
    }
    /// Time to the end at the present rate; nil where it cannot be told.
    public var eta: Duration? {
      guard let total, done > 0, rate > 0 else { return nil }
      let seconds = Double(total - done) / rate
      return seconds < 1e9 ? .milliseconds(Int(seconds * 1000)) : nil
    }
  }

  private struct Guarded {
    var progress = Progress()
    var ended: Duration?
    var latencies: Histogram<UInt32>?
    var cancel: (@Sendable () -> Void)?
    var stopLaunching = false
  }

  public let id: Int
  public let name: String
  private let time: any Timekeeper
  private let started: Duration
  private let guarded = Mutex(Guarded())

  public init(id: Int, name: String, total: Int?, time: any Timekeeper) {
    self.id = id
    self.name = name
    self.time = time
    started = time.now
    guarded.withLock { $0.progress.total = total }
  }

  // MARK: told by those who do the work

  public func launched() { guarded.withLock { $0.progress.launched += 1 } }

  public func retried() { guarded.withLock { $0.progress.retried += 1 } }

  public func setTotal(_ total: Int?) { guarded.withLock { $0.progress.total = total } }

  /// A row has ended.
  public func ended(_ reply: Reply?, failure: Failure?) {
    guarded.withLock { guarded in
      if let failure {
        guarded.progress.failed += 1
        guarded.progress.failures[failure.kind, default: (0, failure)].count += 1
      } else {
        guarded.progress.succeeded += 1
      }
      guard let reply else { return }
      guarded.progress.outputTokens += reply.attempt.usage?.output ?? 0
      // Milliseconds up to an hour, two digits: 10 KB a job whatever its length.
      if guarded.latencies == nil {
        guarded.latencies = Histogram(highestTrackableValue: 3_600_000, numberOfSignificantValueDigits: .two)
      }
      let (seconds, attoseconds) = reply.attempt.latency.components
      guarded.latencies?.record(UInt64(clamping: min(3_600_000, seconds * 1000 + attoseconds / 1_000_000_000_000_000)))
    }
  }

  public func finished(failed: Bool = false) {
    guarded.withLock { guarded in
      guarded.ended = time.now
      guarded.cancel = nil
      if guarded.progress.state != .cancelled { guarded.progress.state = failed ? .failed : .done }
    }
  }

  // MARK: asked by those who watch and steer

  public var progress: Progress {
    guarded.withLock { guarded in
      var progress = guarded.progress
      progress.elapsed = (guarded.ended ?? time.now) - started
      if let latencies = guarded.latencies, progress.done > 0 {
        progress.p50 = .milliseconds(latencies.valueAtPercentile(50))
        progress.p95 = .milliseconds(latencies.valueAtPercentile(95))
      }
      return progress
    }
  }

  public var isOver: Bool { guarded.withLock { $0.ended != nil } }

  /// Whether a new row may still begin.
  public var mayLaunch: Bool { guarded.withLock { !$0.stopLaunching } }

  public func setPaused(_ paused: Bool) {
    guarded.withLock { guarded in
      if guarded.progress.state == .running || guarded.progress.state == .paused {
        guarded.progress.state = paused ? .paused : .running
      }
    }
  }

  /// Begins nothing new; what is in flight finishes.
  public func stopLaunching() {
    guarded.withLock { guarded in
      guarded.stopLaunching = true
      if guarded.ended == nil { guarded.progress.state = .stopping }
    }
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
    let cancel = guarded.withLock { guarded -> (@Sendable () -> Void)? in
      guard guarded.ended == nil else { return nil }
      guarded.stopLaunching = true
      guarded.progress.state = .cancelled
      defer { guarded.cancel = nil }
      return guarded.cancel
    }
    cancel?()
  }
}
