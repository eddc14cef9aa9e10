import Control
import Editor
import Interpreter
import JSON
import Language
import Names
import Scheduling
import Terminal
import Threads

/// The live board of another session's jobs, and a line below it that steers them.
///
/// Nothing is decided here: what is typed goes to the session as it stands, and keys are lines too (`+` is `set concurrency N`).
final class AttachScreen: Sendable {
  private enum Leaving: Sendable {
    case asked
    case signal(Int32)
    /// The session says why it lets nobody in any more.
    case closed(String)
    /// It says nothing more, and has not said so.
    case gone
  }

  private struct State {
    var status: SessionStatus?
    /// The job that keys are for, among those that run.
    var chosen: String?
    /// What `+` and `-` have asked for and no picture shows yet.
    var wanted: Int?
    var past: [String] = []
    /// Where ↑ and ↓ stand among `past`.
    var place = 0

    /// The job that keys are for.
    var target: SessionStatus.Job? {
      guard let running = status?.running else { return nil }
      return running.first { $0.name == chosen } ?? running.last
    }
  }

  private let client: ControlClient
  private let name: String
  private let why: String?
  private let console: Console
  private let ahead = TypeAhead()
  private let state = Mutex(State())
  private let leaving = AsyncStream<Leaving>.makeStream()

  /// Nil where the terminal cannot be drawn on.
  init?(_ client: ControlClient, _ name: String, why: String?) {
    let (time, term) = (SystemTimekeeper(), HostSystem.variable("TERM") ?? "")
    console = Console(limiter: Limiter(time: time), tails: Tails(), time: time, isDumb: term.isEmpty || term == "dumb")
    (self.client, self.name, self.why) = (client, name, why)
    guard console.errorIsTerminal else { return nil }
    console.hook { $0.hasColour = { HostSystem.hasColour } }
  }

  /// Until ^D, or the end of the session; the exit status.
  func run() -> Int32 { Shell.block { [self] in await show() } }

  private func show() async -> Int32 {
    let signals = Signals()
    signals.install(
      onInterrupt: { [leaving] in leaving.continuation.yield(.asked) },
      onTerminate: { [leaving] in leaving.continuation.yield(.signal($0)) })
    ahead.isShown = true
    console.hook { [self] hooks in
      hooks.typed = { [self] columns, rows in ahead.rows(prompt: prompt, columns: columns, rows: rows) { console.dim($0) } }
      hooks.onKey = { [self] in key($0) }
    }
    console.note("attached to \(name.oneLine): lines steer it, + - and Space too, ↑ ↓ choose a job; ^D leaves, and it goes on")
    console.beginLine(1)
    let isReading = startThread { [self] in
      _ = client.read { message in
        take(message)
        return true
      }
      leaving.continuation.yield(.gone)
    }
    guard isReading, client.send(.watch(true)) else { return await leave(.gone) }
    for await reason in leaving.stream {
      // Whatever is said last, a terminal whose reader has stopped holds nobody up who is told to end.
      signals.onInterrupt { Self.leaveNow(ShellSession.ExitStatus.interrupted) }
      signals.onTerminate { Self.leaveNow(128 + $0) }
      return await leave(reason)
    }
    return ShellSession.ExitStatus.fine
  }

  private static func leaveNow(_ status: Int32) -> Never {
    rescueTerminal()
    exitNow(status)
  }

  private func leave(_ reason: Leaving) async -> Int32 {
    var status = ShellSession.ExitStatus.fine
    if case .signal(let number) = reason {
      status = 128 + number
      startThread { [status] in
        pauseThread(milliseconds: 500)
        Self.leaveNow(status)
      } orHere: {
        Self.leaveNow(status)
      }
    }
    await console.endLine()
    switch reason {
    case .asked: console.note("left \(title.oneLine); it goes on")
    case .closed(let why): console.note("\(title): \(why)".oneLine)
    case .gone:
      console.note("error: \(AttachedLines.brokeOff(title.oneLine))")
      status = ShellSession.ExitStatus.brokeOff
    case .signal: break
    }
    try? console.flush { false }
    return status
  }

  private var title: String { [name, state.withLock { $0.status?.script } ?? ""].filter { !$0.isEmpty }.joined(separator: " ") }
  private var prompt: String { title + "> " }

  // MARK: what comes

  private func take(_ message: ControlMessage) {
    switch message {
    case .out(let text): write(text)
    case .note(let text): console.note(text)
    case .refused(let why): console.note("error: \(why.oneLine)")
    case .closed(let why): leaving.continuation.yield(.closed(why))
    case .end: break
    case .status(let document):
      let status = SessionStatus(document)
      state.withLock { state in
        state.status = status
        if let wanted = state.wanted, wanted == state.target?.ownLimit ?? Int(status.concurrency) { state.wanted = nil }
      }
      draw()
    }
  }

  /// On the thread that reads: the session sends no more than is shown.
  private func write(_ text: String) {
    let isWritten = Bell()
    Task { [console] in
      // A terminal that nobody reads any more ends the program in another way.
      try? await console.out(text, raw: false, wraps: false)
      isWritten.ring()
    }
    isWritten.wait()
  }

  private func draw() {
    // A terminal that does not keep up is shown fewer pictures, not later ones.
    guard console.isIdle else { return }
    let (status, chosen) = state.withLock { ($0.status, $0.target?.name) }
    guard let status else { return }
    let size = Descriptor.size(2) ?? (80, 24)
    let rows = AttachBoard(status, chosen: chosen).rows(columns: size.columns, height: max(1, size.rows - 3)) { console.dim($0) }
    console.state.withLock { $0.progress = rows }
    console.refresh()
  }

  // MARK: what is typed

  private func key(_ key: Key) {
    switch key {
    case .character("\u{3}"):
      if ahead.number == "" { console.note("^D leaves; `cancel JOB` ends a job") }
      ahead.clearLine()
    case .character("\u{4}") where ahead.number == "": leaving.continuation.yield(.asked)
    case .stop: console.keys.withLock { $0 }?.suspend()
    case .widen: move(by: 1)
    case .narrow: move(by: -1)
    case .up where ahead.number == "": choose(-1)
    case .down where ahead.number == "": choose(1)
    case .character("\u{10}"), .up: recall(-1)
    case .character("\u{E}"), .down: recall(1)
    case .character(let scalar) where steers(scalar): break
    default: if let line = ahead.take(key) { send(line) }
    }
    console.refresh()
  }

  private func steers(_ scalar: Unicode.Scalar) -> Bool {
    guard let number = ahead.number else { return false }
    switch scalar {
    case "+", "-":
      let step = number.isEmpty ? 1 : Int(number.prefix(6)) ?? 1
      ahead.clearLine()
      move(by: scalar == "+" ? step : -step)
    case " " where number.isEmpty:
      guard let job = state.withLock({ $0.target }) else { return true }
      send((job.isPaused ? "resume " : "pause ") + job.name)
    default: return false
    }
    return true
  }

  /// The session's limit, or the chosen job's own where it has one. Presses that come before the next picture add up.
  private func move(by step: Int) {
    let line = state.withLock { state -> String? in
      guard let job = state.target, let status = state.status else { return nil }
      let now = job.ownLimit ?? Int(status.concurrency) ?? job.line.limit
      let width = max(1, (state.wanted ?? now) + step)
      state.wanted = width
      return "set concurrency \(width)" + (job.ownLimit == nil ? "" : " for \(job.name)")
    }
    if let line { send(line) }
  }

  private func choose(_ step: Int) {
    state.withLock { state in
      let names = state.status?.running.map(\.name) ?? []
      guard !names.isEmpty else { return }
      let now = state.target.flatMap { names.firstIndex(of: $0.name) } ?? 0
      state.chosen = names[(now + step + names.count) % names.count]
      state.wanted = nil
    }
    draw()
  }

  private func recall(_ step: Int) {
    let line = state.withLock { state -> String? in
      state.place = min(max(0, state.place + step), state.past.count)
      return state.place < state.past.count ? state.past[state.place] : nil
    }
    ahead.replaceLine(line ?? "")
  }

  private func send(_ line: String) {
    if line.allSatisfy(\.isWhitespace) { return }
    state.withLock { state in
      state.past.append(line)
      if state.past.count > 1000 { state.past.removeFirst() }
      state.place = state.past.count
    }
    console.note(prompt + line)
    if !client.send(.run(line: line, why: why, columns: Descriptor.size(1)?.columns)) { leaving.continuation.yield(.gone) }
  }
}
