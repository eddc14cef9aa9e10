import Editor
import Interpreter
import Scheduling
import Threads

/// What keys do to the work in the foreground: `+` and `-` move the limit (by the digits typed before), `p` pauses and goes on, ^C
/// stops, ^Z lets it go on in the background.
final class Steering: Sendable {
  private let shell: ShellSession
  private let digits = Mutex("")
  private let onInterrupt: @Sendable () -> Void
  private let onBackground: @Sendable () -> Void

  init(_ shell: ShellSession, onInterrupt: @escaping @Sendable () -> Void, onBackground: @escaping @Sendable () -> Void) {
    self.shell = shell
    self.onInterrupt = onInterrupt
    self.onBackground = onBackground
  }

  func key(_ key: Key) {
    guard case .character(let scalar) = key else {
      if key == .widen { shell.session.adjustConcurrency(by: 1) }
      if key == .narrow { shell.session.adjustConcurrency(by: -1) }
      return
    }
    if ("0"..."9").contains(scalar) {
      digits.withLock { if $0.count < 5 { $0.unicodeScalars.append(scalar) } }
      return
    }
    let step = digits.withLock { digits in
      defer { digits = "" }
      return Int(digits) ?? 1
    }
    switch scalar {
    case "+", "=": shell.session.adjustConcurrency(by: step)
    case "-", "_": shell.session.adjustConcurrency(by: -step)
    case "p", " ":
      guard let job = shell.console.foregroundJob else { return }
      shell.session.setPaused(job.progress.state != .paused, job)
    case "\u{3}": onInterrupt()
    case "\u{1A}": onBackground()
    case "?", "h":
      shell.console.note("+ and - move the limit (5+ by five), p pauses and goes on, ^Z sends it to the background, ^C stops it")
    default: break
    }
  }
}
