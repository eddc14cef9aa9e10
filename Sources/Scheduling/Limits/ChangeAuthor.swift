/// Who moved a limit, or changed what a job sends.
public enum ChangeAuthor: Sendable, Equatable {
  /// The program itself: what a server showed it, or a brake.
  case program
  /// A key, or a line typed at the prompt.
  case terminal
  /// A line of a script: `sweep.psh:12`.
  case script(name: String, line: Int)
  /// A line of another process (its number, where the system tells it), and why it was sent, where that was said.
  case attached(pid: Int32?, why: String?)

  /// Whose lines run now; nil where only the line itself tells, as in a script.
  @TaskLocal public static var current: ChangeAuthor?

  /// As `why` shows it behind a change: `attach 4711: night tariff`; nil where the change says all.
  public var words: String? { name.map { $0 + (why.map { ": \($0)" } ?? "") } }

  /// `terminal`, `sweep.psh:12`, `attach 4711`; nil for the program itself.
  public var name: String? {
    switch self {
    case .program: nil
    case .terminal: "terminal"
    case .script(let name, let line): "\(name):\(line)"
    case .attached(let pid, _): pid.map { "attach \($0)" } ?? "attach"
    }
  }

  /// The reason, where one was given.
  public var why: String? { if case .attached(_, let why) = self { why } else { nil } }
}
