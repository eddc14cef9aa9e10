import Editor
import Interpreter
import Scheduling
import Threads

/// What keys do to the work in the foreground. On a line that holds nothing else `+` and `-` move the limit (by the digits typed before);
/// Space on an empty line pauses and goes on; ^C stops, ^Z lets it go on in the background. Everything else is typed on a line that is
/// seen, for the prompt that comes next, or at once where the line only steers.
final class Steering: Sendable {
  private let shell: ShellSession
  private let ahead: TypeAhead
  private let finished: (@Sendable (String) -> Void)?
  private let onInterrupt: @Sendable () -> Void
  private let onBackground: @Sendable () -> Void

  /// - Parameter finished: takes a line that was typed whole; nil where no prompt comes next, and only keys steer.
  init(
    _ shell: ShellSession, ahead: TypeAhead = TypeAhead(), finished: (@Sendable (String) -> Void)? = nil,
    onInterrupt: @escaping @Sendable () -> Void, onBackground: @escaping @Sendable () -> Void
  ) {
    self.shell = shell
    self.ahead = ahead
    self.finished = finished
    self.onInterrupt = onInterrupt
    self.onBackground = onBackground
  }

  func key(_ key: Key) {
    switch key {
    case .character("\u{3}"):
      ahead.holdEntries()
      onInterrupt()
    case .stop:
      // Without a line that is seen, nobody remembers the digits that he typed before.
      if finished == nil { ahead.clearLine() }
      onBackground()
    // The end of input is the next prompt's, as it is any program's that reads when it is done.
    case .character("\u{4}") where finished != nil && ahead.isEmpty: ahead.ends()
    case .widen: shell.session.adjustConcurrency(by: 1)
    case .narrow: shell.session.adjustConcurrency(by: -1)
    case .character(let scalar) where steers(scalar): break
    case .character(let scalar) where finished == nil && !("0"..."9").contains(scalar):
      // What is no number means nothing here, and begins a number anew.
      ahead.clearLine()
    default:
      guard finished != nil || isDigit(key) else { return }
      if let line = ahead.take(key), let finished { finished(line) }
    }
    if finished != nil { shell.console.refresh() }
  }

  private func isDigit(_ key: Key) -> Bool { if case .character(let scalar) = key { ("0"..."9").contains(scalar) } else { false } }

  /// Whether a character means something to the work, and not to the line.
  private func steers(_ scalar: Unicode.Scalar) -> Bool {
    guard let number = ahead.number else { return false }
    switch scalar {
    case "+", "-":
      // More than any limit is as much as any limit.
      let step = number.isEmpty ? 1 : Int(number.prefix(6)) ?? 1
      ahead.clearLine()
      shell.session.adjustConcurrency(by: scalar == "+" ? step : -step)
    case " " where number.isEmpty:
      guard let job = shell.console.foregroundJob else { return true }
      let isPaused = job.progress.state != .paused
      for job in shell.console.foregroundJobs where !job.isOver { shell.session.setPaused(isPaused, job, by: .terminal) }
    default: return false
    }
    return true
  }
}
