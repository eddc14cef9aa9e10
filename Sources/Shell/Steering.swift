import Editor
import Interpreter
import Scheduling
import Threads

/// What keys do to the work in the foreground: `+` and `-` move the limit (by the digits typed before), `p` pauses and goes on, ^C
/// stops, ^Z lets it go on in the background. Whoever types words meanwhile types them for the next prompt: from the first letter that
/// is none of these keys, all of it is kept for that.
final class Steering: Sendable {
  private let shell: ShellSession
  private let digits = Mutex("")
  private let ahead: TypeAhead?
  private let onInterrupt: @Sendable () -> Void
  private let onBackground: @Sendable () -> Void

  /// - Parameter ahead: nil where no prompt comes next.
  init(
    _ shell: ShellSession, ahead: TypeAhead? = nil, onInterrupt: @escaping @Sendable () -> Void,
    onBackground: @escaping @Sendable () -> Void
  ) {
    self.shell = shell
    self.ahead = ahead
    self.onInterrupt = onInterrupt
    self.onBackground = onBackground
  }

  func key(_ key: Key) {
    if case .paste(let text) = key { ahead?.append(text) }
    guard case .character(let scalar) = key else {
      if key == .widen { shell.session.adjustConcurrency(by: 1) }
      if key == .narrow { shell.session.adjustConcurrency(by: -1) }
      return
    }
    if let ahead, !ahead.isEmpty, scalar != "\u{3}", scalar != "\u{1A}" { return keep(scalar, ahead) }
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
    default: if let ahead, scalar.value > 0x20 { keep(scalar, ahead) }
    }
  }

  private func keep(_ scalar: Unicode.Scalar, _ ahead: TypeAhead) {
    switch scalar.value {
    case 13: ahead.append("\n")
    case 8, 127: ahead.deleteLast()
    case 21: ahead.clear()
    case 0x20...: ahead.append(scalar)
    default: break
    }
  }
}
