/// Who moved a limit, or changed what a job sends.
public enum ChangeAuthor: Sendable, Equatable {
  /// The program itself: what a server showed it, or a brake.
  case program
  /// A key, or a line typed at the prompt.
  case terminal
  /// A line of a script: `sweep.psh:12`.
  case script(name: String, line: Int)
  /// A line of another process, and why it was sent, where that was said.
  case attached(pid: Int32, why: String?)

  /// Whose lines run now; nil where only the line itself tells, as in a script.
  @TaskLocal public static var current: ChangeAuthor?

  /// As `why` shows it behind a change: `terminal`; nil where the change says all.
  public var words: String? {
    switch self {
    case .program: nil
    case .terminal: "terminal"
    case .script(let name, let line): "\(name):\(line)"
    case .attached(let pid, let why): "attach \(pid)\(why.map { ", \($0)" } ?? "")"
    }
  }
}
