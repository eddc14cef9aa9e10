/// What is known of a width: how many answers and tokens a second it gives, measured while it is used.
///
/// Measured by exposure: answers for each second of a call, times the calls at once (Little's law). That speaks as soon as the first
/// calls that began under this width have ended, counts those that go on with the time they have taken so far, and does not care
/// whether answers come evenly or in bursts. It errs on the low side until a turn of calls has ended.
struct WidthMeasure: Sendable {
  /// Calls at once that it is about.
  let limit: Int
  /// Its own among the measures of one limit: a call belongs to the one under which it began.
  let number: Int
  private let since: Duration
  /// Nothing was sent before it: its first calls open connections, and a server may have to wake up for them.
  private var isFirst: Bool
  /// Calls that began before are left out.
  private var from: Duration = .zero
  /// What opening a connection may cost is no great part of calls that take longer.
  private static let long: Duration = .milliseconds(800)
  /// Answers of calls that began under it.
  private(set) var answers = 0
  private var tokens = 0
  private var seconds = 0.0
  private var squares = 0.0
  private var firstTokens = 0.0
  /// Those that began under it and go on: how many, and the sum of their starts, counted from `since`.
  private var running = 0
  private var starts = 0.0

  init(limit: Int, since: Duration, number: Int, isFirst: Bool = false) {
    (self.limit, self.since, self.number, self.isFirst) = (limit, since, number, isFirst)
  }

  mutating func took(now: Duration) {
    running += 1
    starts += (now - since).seconds
  }

  /// - Parameters:
  ///   - number: of the measure under which the call began.
  ///   - answer: nil where it was none, or came while the limit was not in use.
  mutating func ended(began: Duration, under number: Int, answer: CallOutcome.Answer?, now: Duration) {
    guard number == self.number else { return }
    running -= 1
    starts -= (began - since).seconds
    guard let answer, began >= from else { return }
    if isFirst {
      isFirst = false
      if now - began < Self.long {
        from = now
        return
      }
    }
    let span = (now - began).seconds
    answers += 1
    tokens += answer.tokens
    seconds += span
    squares += span * span
    firstTokens += answer.ttft.seconds
  }

  /// A second's answers and tokens. `spread`: the relative error that chance allows.
  struct Rates: Sendable, Equatable {
    var answers: Double
    var tokens: Double
    var spread: Double
    var ttft: Duration
  }

  /// Nil before there is an answer.
  ///
  /// - Parameter counting: whether those that still run count with the time they have taken: it errs on the low side then, else on the
  ///   high side, until some turns of calls have ended.
  func rates(now: Duration, counting isRunningCounted: Bool = true) -> Rates? {
    guard answers > 0, seconds > 0 else { return nil }
    let mean = seconds / Double(answers)
    let variance = squares / Double(answers) - mean * mean
    let exposure = seconds + (isRunningCounted ? max(0, Double(running) * (now - since).seconds - starts) : 0)
    let scale = Double(limit) / exposure
    return Rates(
      answers: Double(answers) * scale, tokens: Double(tokens) * scale,
      // What rounding leaves is no spread.
      spread: variance < 1e-9 * mean * mean ? 0 : variance.squareRoot() / mean / Double(answers).squareRoot(),
      ttft: .nanoseconds(Int64(firstTokens / Double(answers) * 1e9)))
  }

  /// How often every call at once has been answered, so to speak.
  var turns: Double { Double(answers) / Double(limit) }
}
