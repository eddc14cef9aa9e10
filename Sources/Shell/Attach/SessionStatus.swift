import Interpreter
import JSON
import Terminal

/// What the document of a session (`jobs --json`) says, as a screen and a list show it.
struct SessionStatus {
  struct Job {
    /// What a line calls it.
    var name: String
    var line: ProgressLine
    /// Its cap, where it has one of its own.
    var ownLimit: Int?
    var isOver: Bool
    var isPaused: Bool
    /// `3 × rate-limited, 1 × server`
    var failures: String?
    /// Whom its lanes wait for.
    var lanes: [String]
  }

  let script: String
  let started: String
  let concurrency: String
  let jobs: [Job]

  init(_ document: JSONValue) {
    let about = document["session"]
    script = about?["script"]?.string ?? ""
    started = about?["started"]?.string ?? ""
    concurrency = about?["concurrency"]?.string ?? ""
    jobs = (document["jobs"]?.array ?? []).map(Job.init)
  }

  var running: [Job] { jobs.filter { !$0.isOver } }

  /// `120/1000`, of all that run.
  var done: String {
    let done = running.reduce(0) { $0 + $1.line.done }
    let totals = running.map(\.line.total)
    return totals.contains(nil) || totals.isEmpty ? "\(done)" : "\(done)/\(totals.compactMap { $0 }.reduce(0, +))"
  }
}

extension SessionStatus.Job {
  fileprivate init(_ document: JSONValue) {
    func whole(_ name: String) -> Int? { if case .int(let number)? = document[name] { number } else { nil } }
    func number(_ name: String) -> Double? {
      switch document[name] {
      case .int(let number): Double(number)
      case .number(let number): number
      default: nil
      }
    }
    func duration(_ name: String) -> String? {
      number(name).flatMap { $0.isFinite && abs($0) < 1e9 ? Duration.milliseconds(Int($0 * 1000)).short : nil }
    }
    let (state, called) = (document["state"]?.string ?? "", document["name"]?.string ?? "")
    // A statement without a variable is called by its number.
    let isName = called.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || $0 == "_" || ("0"..."9").contains($0) }
    name = isName ? called : whole("job").map { "%\($0)" } ?? called
    line = ProgressLine(name: called)
    line.done = whole("done") ?? 0
    line.total = whole("total")
    line.inFlight = whole("in_flight") ?? 0
    line.limit = whole("limit") ?? 0
    ownLimit = whole("own_limit")
    line.failed = whole("failed") ?? 0
    line.retried = whole("retried") ?? 0
    line.waiting = whole("waiting") ?? 0
    line.rate = number("rate").map { "\($0.fixed(1))/s" } ?? ""
    line.elapsed = duration("elapsed") ?? ""
    line.eta = duration("eta")
    isPaused = state == "paused"
    isOver = ["done", "failed", "cancelled"].contains(state)
    line.state = isPaused ? "paused, Space goes on" : state == "running" ? nil : state
    if case .object(let kinds)? = document["failures"], !kinds.isEmpty {
      failures = kinds.compactMap { kind, count in if case .int(let count) = count { "\(count) × \(kind)" } else { nil } }
        .joined(separator: ", ")
    } else {
      failures = nil
    }
    lanes = (document["waits"]?.array ?? []).compactMap(\.string)
  }
}
