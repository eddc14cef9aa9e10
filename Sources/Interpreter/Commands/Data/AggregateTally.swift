import Chat
import Language
import Threads

/// How many rows an aggregate stands for, and which it left out: a mean over half of the rows is another figure, and says so.
final class AggregateTally: Sendable {
  private struct State {
    var counted = 0
    var isShare = true
    var trueCount = 0
    var wrong: [FailureKind: Int] = [:]
    var unanswered = 0
    var broken = 0
    /// Rows whose value is nothing for a reason of their own.
    var empty = 0
    /// Those of them whose server did not count.
    var uncounted = 0
    var firstProblem: Diagnostic?
    /// Rows left out, by group, in order.
    var leftOut: [(group: String, count: Int)] = []
  }

  private let state = Mutex(State())

  /// - Parameter readsUsage: whether the expression reads what the server counted.
  func add(_ outcome: RuleTally.Outcome, _ row: Value, _ group: String, readsUsage: Bool) {
    state.withLock { state in
      switch outcome {
      case .unanswered, .unsent: state.unanswered += 1
      case .broken: state.broken += 1
      // A column that a rule could not fill, for it had no answer to judge.
      case .value(.nothing):
        if row.failure != nil {
          state.unanswered += 1
        } else if readsUsage, row.lacksUsage("usage") {
          state.uncounted += 1
        } else {
          state.empty += 1
        }
      case .value(let value):
        state.counted += 1
        if case .bool(let flag) = value { state.trueCount += flag ? 1 : 0 } else { state.isShare = false }
        if case .reply(let reply) = row, let wrong = reply.reply.attempt.wrong { state.wrong[wrong.kind, default: 0] += 1 }
        return
      }
      if state.leftOut.last?.group != group { state.leftOut.append((group, 0)) }
      state.leftOut[state.leftOut.count - 1].count += 1
    }
  }

  func note(_ problem: Diagnostic?) { state.withLock { $0.firstProblem = $0.firstProblem ?? problem } }

  /// - Throws: the first problem, where the expression broke on every row that it could have had a value for.
  func finish(_ aggregate: Aggregate, _ context: Context) throws {
    let state = state.withLock { $0 }
    if state.counted == 0, let problem = state.firstProblem { throw problem }
    let wrong = state.wrong.ofThem
    guard !state.leftOut.isEmpty || !wrong.isEmpty, aggregate.function != "count" else { return }
    let isShare = aggregate.function == "mean" && state.isShare && state.counted > 0
    let share = isShare ? "\((100 * Double(state.trueCount) / Double(state.counted)).fixed(1, trimming: true)) % of " : ""
    var text = "\(aggregate.words): \(share)\(state.counted)\(isShare ? "" : state.counted == 1 ? " row" : " rows")"
    if !wrong.isEmpty { text += ", \(wrong)" }
    var parts: [String] = []
    if state.unanswered > 0 { parts.append("\(state.unanswered) without an answer") }
    if state.broken > 0 { parts.append("\(state.broken) without a verdict (\(state.firstProblem?.message ?? "the rule broke"))") }
    if state.uncounted > 0 { parts.append("\(state.uncounted) whose server states no usage") }
    if state.empty > 0 { parts.append("\(state.empty) that \(state.empty == 1 ? "is" : "are") nothing") }
    if !parts.isEmpty { text += "; left out: " + parts.joined(separator: ", ") }
    let groups = state.leftOut.filter { !$0.group.isEmpty }
    if !groups.isEmpty {
      let shown = groups.prefix(8).map { "\($0.group): \($0.count)" } + (groups.count > 8 ? ["…"] : [])
      text += " (" + shown.joined(separator: ", ") + ")"
    }
    context.tell(text)
  }
}
