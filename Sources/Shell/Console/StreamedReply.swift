import Interpreter
import Scheduling
import Terminal
import Threads

/// A reply as it comes. One that has the foreground grows word by word; any other shows whole lines, marked with its name, so that it
/// never stands in the middle of what another writes.
final class StreamedReply: ReplyOutput {
  private struct State {
    var guarding: ControlGuard
    /// Of a line that is not whole yet, in the background.
    var unfinished = ""
  }

  private let console: Console
  private let job: Job?
  private let name: String
  private let isRaw: Bool
  private let state: Mutex<State>

  /// - Parameters:
  ///   - job: whose reply it is; nil for what can only be in the foreground.
  ///   - isRaw: control characters pass, where it goes to no terminal.
  init(_ console: Console, name: String, job: Job?, isRaw: Bool) {
    (self.console, self.name, self.job) = (console, name, job)
    self.isRaw = isRaw && !console.outIsTerminal
    state = Mutex(State(guarding: ControlGuard(for: console.outIsTerminal ? .person : .program)))
  }

  func put(_ text: String) async throws {
    let clean = isRaw ? text : state.withLock { $0.guarding.clean(text) }
    if try await console.stream(clean, by: ObjectIdentifier(self), of: job) { return }
    let lines = state.withLock { state -> String in
      state.unfinished += clean
      guard let end = state.unfinished.lastIndex(of: "\n") else { return "" }
      let next = state.unfinished.index(after: end)
      defer { state.unfinished = String(state.unfinished[next...]) }
      return String(state.unfinished[..<end])
    }
    if !lines.isEmpty { try await show(lines) }
  }

  func end() async throws {
    let rest = state.withLock { state -> String in
      defer { state.unfinished = "" }
      return state.unfinished + (isRaw ? "" : state.guarding.finish())
    }
    if try await console.endStream(rest, by: ObjectIdentifier(self)) { return }
    if !rest.isEmpty { try await show(rest) }
  }

  func note(_ text: String) {
    if console.isHere(job) { console.note(text) } else { console.noteBehind("\(ControlGuard.line(name)): \(text)") }
  }

  private func show(_ lines: String) async throws {
    let mark = "\(Table.cut(ControlGuard.line(name), to: 20)) │ "
    let width = console.outIsTerminal ? max(console.columns - 1 - StyledText(mark).width, 16) : nil
    let rows = lines.split(separator: "\n", omittingEmptySubsequences: false).flatMap { line in
      width.map { Wrap.rows(line, width: $0, hangs: false) } ?? [String(line)]
    }
    try await console.outBehind(rows.map { mark + $0 + "\n" }.joined())
  }
}
