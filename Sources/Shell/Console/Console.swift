import Editor
import Interpreter
import Scheduling
import Secrets
import Terminal
import Threads

/// The two outputs, and the only one who writes to them: values to standard output, everything else to standard error. Whoever calls it
/// only leaves what is to be written; the outlets' threads write (`Outlet`).
///
/// A terminal is a `Stage`: what runs in the foreground is shown on its last rows, and whatever else is written goes above them. It is
/// given nothing but `Drawing`s.
final class Console: Output {
  /// The line of the prompt that a task runs for: what a line starts that went to the background has no foreground any more.
  @TaskLocal static var line: Int?

  let state: ConsoleState
  let outIsTerminal = Descriptor.isTerminal(1)
  /// A terminal that can be drawn on.
  let errorIsTerminal: Bool
  let renderer = ValueRenderer()
  let limiter: Limiter
  let tails: Tails
  let time: any Timekeeper
  let wallClock: WallClock
  private let outlets: [Outlet]
  private let hooks = Mutex(Hooks())
  /// The terminal went away while it was read as data.
  private let terminalGone = Atomic(false)
  var isTerminalGone: Bool { terminalGone.load(ordering: .relaxed) }
  func noteTerminalGone() { terminalGone.store(true, ordering: .relaxed) }
  /// It has been said why standard output cannot be written; at the prompt, of the line that runs.
  let hasToldProblem = Atomic(false)
  /// How many other programs run in the foreground.
  let lent = Atomic(0)
  let keys = Mutex<ForegroundKeys?>(nil)
  /// More of standard output than this waits for its reader.
  private static let mostWaiting = 256 << 10

  /// What others have the console ask. In a struct: a closure that stands in a lock by itself is wrapped once more each time it is
  /// looked at.
  struct Hooks {
    /// At the prompt, text goes through the editor, above the line being typed; false where none is typed.
    var above: (@Sendable (String) -> Bool)?
    /// The line that is typed while something runs, laid out for so many columns and rows.
    var typed: (@Sendable (_ columns: Int, _ rows: Int) -> TypedRows?)?
    /// Told of keys pressed while work runs in the foreground; nil where nobody steers it.
    var onKey: (@Sendable (Key) -> Void)?
    /// Whether what is drawn may have colour; asked anew each time, for `set colour off` holds at once.
    var hasColour: @Sendable () -> Bool = { false }
  }

  init(limiter: Limiter, tails: Tails, time: any Timekeeper, isDumb: Bool) {
    let state = ConsoleState(isDumb: isDumb)
    self.state = state
    errorIsTerminal = Descriptor.isTerminal(2) && !isDumb
    (self.limiter, self.tails, self.time) = (limiter, tails, time)
    wallClock = WallClock(time)
    outlets = [
      Outlet(1, named: "standard output") { state.take(0) }, Outlet(2, named: "standard error") { state.take(1) },
    ]
  }

  /// For what runs no session.
  static var plain: Console {
    let time = SystemTimekeeper()
    return Console(limiter: Limiter(time: time), tails: Tails(), time: time, isDumb: true)
  }

  /// Of the terminal that is drawn on.
  var columns: Int { (Descriptor.size(2) ?? Descriptor.size(1))?.columns ?? 80 }

  func hook(_ change: @Sendable (inout Hooks) -> Void) { hooks.withLock { change(&$0) } }

  var hooked: Hooks { hooks.withLock { $0 } }

  func dim(_ text: String) -> StyledText { StyledText(text, hooked.hasColour() ? .hint : .plain) }

  // MARK: values

  func show(_ value: Value, options: ShowOptions) async throws {
    // In a pager everything is there, and is scrolled to.
    if options.paged, outIsTerminal {
      let whole = renderer.render(value, form: .terminal(width: nil), showsAll: true, whole: options.whole)
      // A table is looked at sideways too; who reads a text does not want to.
      if await page(whole.isTable ? whole.text : Wrap.text(whole.text, width: columns - 1).joined(separator: "\n")) { return }
    }
    let width = options.wide ? nil : Descriptor.size(1)?.columns ?? 80
    let rendered = renderer.render(
      value, form: outIsTerminal ? .terminal(width: width) : .pipe, showsAll: options.all || !outIsTerminal,
      columns: outIsTerminal && !options.wide ? options.columns : nil, whole: options.whole)
    if !rendered.text.isEmpty { try await out(rendered.text + "\n", raw: true, wraps: !rendered.isTable) }
    if let problem = rendered.problem { note(problem) }
  }

  func print(_ text: String, raw: Bool) async throws { try await out(text + "\n", raw: raw, wraps: !raw) }

  func reply(named name: String, of job: Job?, raw: Bool) -> any ReplyOutput {
    StreamedReply(self, name: name, job: job, isRaw: raw)
  }

  /// The prompt of a terminal that is not edited on.
  func prompt(_ text: String) async throws(OutputProblem) {
    state.withLock { $0.prompt(ControlGuard.clean(text)) }
    try await settled()
  }

  /// Whole lines for standard output. A terminal is guarded; what goes to a pipe too, unless the user asked for it raw.
  ///
  /// - Parameter wraps: on a terminal, long lines are broken between words.
  func out(_ text: String, raw: Bool, wraps: Bool) async throws(OutputProblem) {
    leave(text, raw: raw, wraps: wraps)
    try await written()
  }

  /// The same, and waits for nobody.
  func leave(_ text: String, raw: Bool, wraps: Bool) {
    if state.outIsOnStage {
      let clean = ControlGuard.clean(text)
      if passAbove(clean, wraps: wraps) { return }
      let columns = columns
      state.withLock { $0.lines(clean, wraps: wraps, columns) }
    } else {
      state.withLock { state in
        let clean = raw && !outIsTerminal ? text : state.guarding.clean(text)
        state.out(clean)
      }
    }
  }

  /// Above the line being typed; the text is clean. False where none is typed.
  private func passAbove(_ text: String, wraps: Bool) -> Bool {
    guard let write = hooked.above else { return false }
    return write(wraps ? Wrap.text(text, width: columns - 1).joined(separator: "\n") : text)
  }

  // MARK: streams

  /// A piece of a reply, where it has the foreground; false where it has not.
  func stream(_ text: String, by reply: ObjectIdentifier, of job: Job?) async throws(OutputProblem) -> Bool {
    let columns = columns
    let isOurs = state.withLock { state -> Bool in
      if state.streaming == nil, job == nil || state.foreground.contains(where: { $0.job === job }) { state.streaming = (reply, job) }
      guard state.streaming?.reply == reply else { return false }
      state.stream(text, columns)
      return true
    }
    if isOurs {
      try await written()
      ring()
    }
    return isOurs
  }

  /// Whole lines of a reply in the background: behind the one that has the foreground, never between its lines.
  func outBehind(_ lines: String) async throws(OutputProblem) {
    if state.withLock({ $0.hold(lines, isNote: false) }) { return }
    try await out(lines, raw: true, wraps: false)
  }

  /// Nothing more comes of it. False where it has not the foreground.
  func endStream(_ rest: String, by reply: ObjectIdentifier) async throws(OutputProblem) -> Bool {
    let columns = columns
    let isOurs = state.withLock { state -> Bool in
      guard state.streaming?.reply == reply else { return false }
      if !rest.isEmpty { state.stream(rest, columns) }
      state.endStream(columns)
      return true
    }
    if isOurs { try await written() }
    return isOurs
  }

  // MARK: messages

  func note(_ text: String) {
    // Each statement that writes finds out that standard output cannot be written, and so does the end: it is told once.
    if let problem = outlets[0].problem, text.contains(problem.description), hasToldProblem.exchange(true, ordering: .relaxed) { return }
    let clean = ControlGuard.clean(Redactor.hide(text))
    if passAbove(clean + "\n", wraps: true) { return }
    let columns = columns
    state.withLock { $0.note(clean, columns) }
    ring()
  }

  func finished(_ job: Job) {
    noteBehind("[\(job.number ?? 0)] \(job.progress.state.rawValue)  \(JobSummary(job, job.progress).text)")
  }

  /// What the background has to say: behind the reply that has the foreground.
  func noteBehind(_ text: String) {
    let clean = ControlGuard.clean(Redactor.hide(text))
    if !state.withLock({ $0.hold(clean, isNote: true) }) { note(text) }
  }

  // MARK: writing

  /// Something has been left to be written: says so to those who write it.
  func ring() {
    let waiting = state.withLock { state in state.waiting.map { !$0.isEmpty } }
    for (outlet, isWanted) in zip(outlets, waiting) where isWanted { outlet.ring() }
  }

  /// After something was left for standard output: its writer is told once there is enough, and who leaves more than its reader takes
  /// waits for the reader, unless the task is cancelled. Takes no thread meanwhile: those of tasks are few.
  ///
  /// - Throws: what the system said of what was written before.
  private func written() async throws(OutputProblem) {
    let waiting = state.withLock { $0.waiting[0].count }
    if outIsTerminal || waiting > 32 << 10 { ring() } else { outlets[0].soon() }
    if waiting > Self.mostWaiting { await outlets[0].drained() }
    if let problem = outlets[0].problem { throw problem }
  }

  /// What was left for standard output is written; waits for that. Blocks.
  ///
  /// - Parameter gaveUp: asked now and then, for who will not wait for a reader who has stopped.
  func flushOut(unless gaveUp: () -> Bool) throws(OutputProblem) {
    ring()
    outlets[0].drain(unless: gaveUp)
    if let problem = outlets[0].problem { throw problem }
  }

  /// The same for both outputs.
  func flush(unless gaveUp: () -> Bool) throws(OutputProblem) {
    ring()
    for outlet in outlets where !isDone(outlet) { outlet.drain(unless: gaveUp) }
    if let problem = outlets[0].problem { throw problem }
  }

  /// Before another program writes to where we do: what is there already comes first. A reader of standard output is waited for, unless
  /// that is given up; one of standard error for a second.
  func flushFirst(unless gaveUp: () -> Bool) {
    // Of an output that is broken the program's own write will tell.
    try? flushOut(unless: gaveUp)
    let start = ContinuousClock.now
    if !isDone(outlets[1]) { outlets[1].drain { gaveUp() || start.duration(to: .now) > .seconds(1) } }
  }

  private func isDone(_ outlet: Outlet) -> Bool {
    outlet.isIdle && state.withLock { $0.waiting.allSatisfy(\.isEmpty) }
  }

  /// Returns when what the terminal is to show is written, or the task is cancelled. For what goes elsewhere nobody need wait.
  ///
  /// - Throws: what the system said of standard output.
  func settled() async throws(OutputProblem) {
    ring()
    for outlet in outlets where outlet.isTerminal && !isDone(outlet) { await outlet.drained() }
    if let problem = outlets[0].problem { throw problem }
  }

  /// What standard output's reader has left us with: nobody, and that is no error.
  var isReaderGone: Bool { outlets[0].problem?.isReaderGone ?? false }

  /// Whether there is an output whose reader takes no more at the moment.
  var isStuck: Bool { outlets.contains(where: \.isStuck) }

  /// Whether everything is written, so that a picture drawn now is seen now.
  var isIdle: Bool { outlets.allSatisfy(isDone) }
}
