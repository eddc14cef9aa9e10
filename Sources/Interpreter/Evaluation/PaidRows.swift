import Threads

/// The rows that a pipeline's models made, for the case that a stage behind them fails: what was paid for is not lost with a mistake.
final class PaidRows: Sendable {
  private let state = Mutex<[Value]>([])
  var rows: [Value] { state.withLock { $0 } }
  func set(_ rows: [Value]) { state.withLock { $0 = rows } }
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
