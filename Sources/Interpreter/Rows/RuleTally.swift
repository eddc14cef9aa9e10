import Chat
import Language
import Threads

/// What became of an expression that was worked out for many rows.
///
/// A row without an answer has no data, and a rule may break on a row: both give nothing and are counted apart. A rule that broke wherever
/// there was something to judge is a mistake in the rule, and that is an error when all rows are through.
final class RuleTally: Sendable {
  struct Counts: Sendable {
    /// Rows it gave something for.
    var judged = 0
    /// Rows it wanted to read an answer of that has not come.
    var unanswered = 0
    /// Rows it broke on.
    var broken = 0
    /// What it gave is a reply of its own that has no answer.
    var failedCalls = 0
    /// That of the first row it broke on, in their order.
    var firstProblem: Diagnostic?
    fileprivate var problemAt = Int.max
    fileprivate var held: [(index: Int, row: Value)] = []
  }

  private let state = Mutex(Counts())
  var counts: Counts { state.withLock { $0 } }

  /// The rows that it broke on, in order, as long as it has broken on all: what was paid for is not lost with a mistake in a rule.
  var held: [Value] { state.withLock { $0.held.sorted { $0.index < $1.index }.map(\.row) } }
  /// More than this is not held: a rule that breaks on so many is told of in the end all the same.
  private static let mostHeld = 100_000

  /// What became of it on one row.
  enum Outcome: Sendable {
    case value(Value)
    /// The row has no answer to judge, or a column that is read is not known.
    case unanswered
    /// The rule broke on it.
    case broken
    /// What it was to ask was not sent: after ^C.
    case unsent
  }

  /// Nothing where the row has no answer to judge, or the rule breaks on it.
  func value(for row: Value, at index: Int, _ body: () async throws -> Value) async throws -> Value {
    if case .value(let value) = try await outcome(for: row, at: index, body) { return value }
    return .nothing
  }

  func outcome(for row: Value, at index: Int, _ body: () async throws -> Value) async throws -> Outcome {
    do {
      let value = try await body()
      state.withLock { counts in
        counts.judged += 1
        if !counts.held.isEmpty { counts.held = [] }
        if value.failure != nil { counts.failedCalls += 1 }
      }
      return .value(value)
    } catch let problem as Diagnostic {
      return state.withLock { counts in
        if row.failure != nil || row.lacking != nil, problem.cause != nil {
          counts.unanswered += 1
          return .unanswered
        }
        if problem.cause == FailureKind.notSent.rawValue {
          counts.failedCalls += 1
          return .unsent
        }
        counts.broken += 1
        if counts.judged == 0, counts.held.count < Self.mostHeld { counts.held.append((index, row)) }
        if index < counts.problemAt { (counts.firstProblem, counts.problemAt) = (problem, index) }
        return .broken
      }
    }
  }

  /// A call that it made itself failed, and with it the rule.
  func failedCall() { state.withLock { $0.failedCalls += 1 } }

  /// Says what was left out, at the end.
  ///
  /// - Parameters:
  ///   - subject: whose rule it is, as it is written: `add correct`.
  ///   - consequence: what becomes of the rows left out: `dropped`.
  /// - Throws: the first problem, where the rule broke on every row there was something to judge in.
  func finish(_ subject: String, _ consequence: String, _ context: Context) throws {
    let counts = counts
    if counts.judged == 0, let problem = counts.firstProblem { throw problem }
    if counts.unanswered > 0 { context.tell("\(subject): \(Self.rows(counts.unanswered)) without an answer, \(consequence)") }
    if counts.broken > 0 {
      context.tell(
        "\(subject): \(Self.rows(counts.broken)) without a verdict, \(consequence): \(counts.firstProblem?.message ?? "the rule broke")")
    }
    if counts.failedCalls > 0 { context.tell("\(subject): \(Self.rows(counts.failedCalls)) whose own prompt has no answer") }
  }

  static func rows(_ count: Int) -> String { count == 1 ? "1 row" : "\(count) rows" }
}

extension FailureKind {
  /// How rows of a wrong answer are counted: `4 not in the form`.
  public var wrongWords: String {
    switch self {
    case .parse: "not in the form"
    default: rawValue
    }
  }
}

extension [FailureKind: Int] {
  /// `of them 4 not in the form, 2 refused`; empty where there are none.
  public var ofThem: String {
    let parts = [FailureKind.parse, .refused, .empty].compactMap { kind in
      self[kind].flatMap { $0 > 0 ? "\($0) \(kind.wrongWords)" : nil }
    }
    return parts.isEmpty ? "" : "of them " + parts.joined(separator: ", ")
  }
}
