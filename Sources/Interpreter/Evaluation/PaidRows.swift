import Threads

/// The rows that a pipeline's models made, for the case that a stage behind them fails: what was paid for is not lost with a mistake.
final class PaidRows: Sendable {
  private struct State {
    var rows: [Value] = []
    var tookFailures = false
  }

  private let state = Mutex(State())
  private let session: Session
  /// Prompts without an answer when the pipeline began.
  private let failedBefore: Int

  init(_ session: Session) {
    self.session = session
    failedBefore = session.unanswered.count
  }

  var rows: [Value] { state.withLock { $0.rows } }
  func set(_ rows: [Value]) { state.withLock { $0.rows = rows } }

  /// What the pipeline goes through.
  func began(with value: Value) { if value.failures > 0 { state.withLock { $0.tookFailures = true } } }

  /// Whether prompts have failed that it was made of, whatever became of their rows on the way.
  var hasFailures: Bool { session.unanswered.count > failedBefore || state.withLock { $0.tookFailures } }
}

extension Context {
  /// Rows that were paid for are in `_`, and under the job's name: in its variable, or for `peek` where it runs in the background.
  ///
  /// - Parameter which: of the rows, as it is told.
  func keepPaid(_ rows: [Value], _ named: String?, _ error: any Error, which: String = "that came before it") {
    guard depth == 0, !rows.isEmpty, !(error is CancellationError) else { return }
    session.assign("_", .list(rows), in: session.globals)
    if let handle = tracker?.handle {
      handle.setPartial { _ in rows }
    } else if let named {
      session.assign(named, .list(rows), in: session.globals)
    }
    tell("\(RuleTally.rows(rows.count)) \(which) \(rows.count == 1 ? "is" : "are") kept in `_`")
  }
}
