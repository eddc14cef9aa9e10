import Chat
import Interpreter
import Scheduling

/// What a job came to, in words; every figure is a count of what it is called.
///
/// `facts: 100 prompts, 98 answered, of them 4 not in the form, 2 refused, 3 cut at max-tokens; 2 failed, 24.3s`, and below how they
/// failed. Where rows and prompts are not the same in number (a chain, rows that were skipped), both are named.
struct JobSummary {
  private let job: Job
  private let progress: Job.Progress

  init(_ job: Job, _ progress: Job.Progress) {
    (self.job, self.progress) = (job, progress)
  }

  var text: String {
    let (calls, rows) = (progress.calls, progress.succeeded + progress.failed)
    let notSent = progress.total.map { max(0, $0 - progress.done) } ?? progress.heldBack
    var parts: [String] = []
    if calls.ended + progress.unmade == rows, progress.cut == 0 {
      let count = rows + notSent
      parts.append("\(count) \(count == 1 ? "prompt" : "prompts")")
      parts.append(answered)
      if progress.unanswered > 0 { parts.append("\(progress.unanswered) failed") }
      if notSent > 0 { parts.append("\(notSent) not sent") }
    } else {
      parts.append("\(calls.ended) \(calls.ended == 1 ? "prompt" : "prompts") for \(Words.rows(rows + progress.cut))")
      parts.append(answered)
      if calls.unanswered > 0 { parts.append("\(calls.unanswered) failed") }
      if progress.failed > 0 { parts.append("\(Words.rows(progress.failed)) failed") }
      if notSent > 0 { parts.append("\(Words.rows(notSent)) not sent") }
    }
    if progress.skipped > 0 { parts.append("\(progress.skipped) skipped that had failed before") }
    if progress.leftOut > 0 { parts.append("\(progress.leftOut) left out by a filter") }
    if progress.retried > 0 { parts.append("\(progress.retried) retried") }
    if progress.hedged > 0 { parts.append("\(progress.hedged) hedged") }
    if calls.simulated > 0 { parts.append(calls.simulated == calls.ended ? "simulated" : "\(calls.simulated) simulated") }
    parts.append(progress.elapsed.short)
    return "\(job.name): " + parts.joined(separator: ", ") + failures
  }

  private var answered: String {
    var text = "\(progress.calls.answered) answered"
    let wrong = progress.calls.wrong.ofThem
    if !wrong.isEmpty { text += ", \(wrong)" }
    if progress.calls.cut > 0 { text += ", \(progress.calls.cut) cut at max-tokens" }
    return text
  }

  private var failures: String {
    progress.failures.sorted { ($1.value.count, $0.key.rawValue) < ($0.value.count, $1.key.rawValue) }.prefix(3).map { kind, failures in
      // What to do about the cancelled is said where they can be sent again.
      let advice = kind == .cancelled ? "" : "\n    = \(failures.example.advice)"
      return "\n  \(failures.count) × \(kind.rawValue): \(failures.example.message)\(advice)"
    }.joined()
  }
}

/// Words for counts.
private enum Words {
  static func rows(_ count: Int) -> String { count == 1 ? "1 row" : "\(count) rows" }
}
