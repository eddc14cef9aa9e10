import Editor
import Interpreter
import Scheduling
import Terminal
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The two outputs, and the only one who writes to them: values to standard output, everything else to standard error. What runs in
/// the foreground is shown in a footer on the last rows of the terminal; whatever else is written goes above it.
final class Console: Output {
  struct State {
    /// Standard output waiting to be written, where it is no terminal.
    var pending: [UInt8] = []
    /// A line that is not whole yet, while another is being typed.
    var unfinished = ""
    var guarding = ControlGuard()
    var isMidLine = false
    var footer = Footer()
    /// Jobs in the foreground, the latest last.
    var foreground: [(job: Job, showsProgress: Bool)] = []
    var board: LiveBoard?
    var lastPlainProgress: Duration = .zero
    var sampler: Task<Void, Never>?
    var hasKeys = false
  }

  let state = Mutex(State())
  let outIsTerminal = Descriptor.isTerminal(1)
  let errorIsTerminal: Bool
  let renderer: ValueRenderer
  let limiter: Limiter
  let tails: Tails
  let time: any Timekeeper
  /// At the prompt, text goes through the editor, above the line being typed.
  private let above = Mutex<(@Sendable (String) -> Bool)?>(nil)
  /// Told of keys pressed while work runs in the foreground; nil where nobody steers it.
  let onKey = Mutex<(@Sendable (Key) -> Void)?>(nil)
  let keys = Mutex<ForegroundKeys?>(nil)
  private let colour = Mutex<@Sendable () -> Bool>({ false })

  init(limiter: Limiter, tails: Tails, time: any Timekeeper, isDumb: Bool) {
    errorIsTerminal = Descriptor.isTerminal(2) && !isDumb
    renderer = ValueRenderer()
    (self.limiter, self.tails, self.time) = (limiter, tails, time)
  }

  /// For what runs no session.
  static var plain: Console {
    let time = SystemTimekeeper()
    return Console(limiter: Limiter(time: time), tails: Tails(), time: time, isDumb: true)
  }

  /// Of the terminal that the footer stands on.
  var columns: Int { Descriptor.size(2)?.columns ?? 80 }

  /// Whether what is drawn may have colour; asked anew each time, for `set colour off` holds at once.
  func setColour(_ isOn: @escaping @Sendable () -> Bool) { colour.withLock { $0 = isOn } }

  func dim(_ text: String) -> String { colour.withLock { $0() } ? "\u{1B}[2m\(text)\u{1B}[0m" : text }

  /// Standard input is read by somebody else: its keys are not ours.
  func leaveStandardInput() {
    onKey.withLock { $0 = nil }
    let hadKeys = state.withLock { state in
      defer { state.hasKeys = false }
      return state.hasKeys
    }
    if hadKeys { keys.withLock { $0 }?.giveBack(.work) }
  }

  func setAbove(_ write: (@Sendable (String) -> Bool)?) { above.withLock { $0 = write } }

  // MARK: values

  func show(_ value: Value, options: ShowOptions) throws {
    let width = options.wide ? nil : Descriptor.size(1)?.columns ?? 80
    let rendered = renderer.render(value, form: outIsTerminal ? .terminal(width: width) : .pipe, showsAll: options.all || !outIsTerminal)
    if options.paged, outIsTerminal, page(rendered.text) { return }
    if !rendered.text.isEmpty { try out(rendered.text + "\n", raw: true) }
    if let problem = rendered.problem { note(problem) }
  }

  /// Shows a long text with $PAGER (`less -S` where it is not set). False where it fits, or there is no pager (`PAGER=`).
  private func page(_ text: String) -> Bool {
    let lines = text.reduce(1) { $1 == "\n" ? $0 + 1 : $0 }
    guard let size = Descriptor.size(1), lines > size.rows - 2 else { return false }
    let pager = HostSystem.variable("PAGER") ?? "less -S"
    // Set to nothing it says that none is wanted.
    if pager.allSatisfy(\.isWhitespace) { return false }
    return (try? Child.run(pager, reading: text + "\n")) == 0
  }

  func print(_ text: String, raw: Bool) throws { try out(text + "\n", raw: raw) }

  func token(_ text: String, raw: Bool) throws {
    try out(text, raw: raw)
    try flush()
  }

  func endTokens() throws {
    let isMidLine = state.withLock { $0.isMidLine }
    if isMidLine { try out("\n", raw: true) }
    try flush()
  }

  /// The prompt of a terminal that is not edited on.
  func prompt(_ text: String) throws(OutputProblem) {
    try out(text, raw: true)
    try flush()
  }

  /// A terminal is guarded; what goes to a pipe too, unless the user asked for it raw.
  func out(_ text: String, raw: Bool) throws(OutputProblem) {
    let passes = raw && !outIsTerminal
    if outIsTerminal, above.withLock({ $0 != nil }), outAbove(text) { return }
    let bytes = state.withLock { state -> [UInt8] in
      let clean = passes ? text : state.guarding.clean(text)
      if let last = clean.last { state.isMidLine = !last.isNewline }
      state.pending += Array((state.footer.erasing(columns: columns) + clean).utf8)
      guard outIsTerminal || state.pending.count > 32 * 1024 else { return [] }
      defer { state.pending.removeAll(keepingCapacity: true) }
      return state.pending
    }
    if !bytes.isEmpty { try Descriptor.write(bytes, to: 1, named: "standard output") }
  }

  /// Whole lines above the one being typed. False where none is: the caller writes.
  private func outAbove(_ text: String) -> Bool {
    let lines = state.withLock { state -> String in
      state.unfinished += state.guarding.clean(text)
      state.isMidLine = state.unfinished.last.map { !$0.isNewline } ?? false
      guard let end = state.unfinished.lastIndex(of: "\n") else { return "" }
      let next = state.unfinished.index(after: end)
      defer { state.unfinished = String(state.unfinished[next...]) }
      return String(state.unfinished[..<next])
    }
    if above.withLock({ $0?(lines) ?? false }) { return true }
    // Nobody is typing: what was kept goes out with what follows.
    let rest = state.withLock { state -> String in
      defer { state.unfinished = "" }
      state.isMidLine = !state.unfinished.isEmpty
      return state.footer.erasing(columns: columns) + lines + state.unfinished
    }
    try? Descriptor.write(Array(rest.utf8), to: 1, named: "standard output")
    return true
  }

  func flush() throws(OutputProblem) {
    let bytes = state.withLock { state in
      defer { state.pending.removeAll(keepingCapacity: true) }
      return state.pending
    }
    if !bytes.isEmpty { try Descriptor.write(bytes, to: 1, named: "standard output") }
  }

  // MARK: messages

  func note(_ text: String) {
    let clean = ControlGuard.clean(text)
    // What was printed before the message stands before it, where both go to one place.
    try? flush()
    if above.withLock({ $0?(clean + "\n") ?? false }) { return }
    state.withLock { state in
      let start = outIsTerminal && state.isMidLine ? "\n" : ""
      if outIsTerminal { state.isMidLine = false }
      // There is nowhere left to report that standard error is gone.
      try? Descriptor.write(Array((state.footer.erasing(columns: columns) + start + clean + "\n").utf8), to: 2, named: "standard error")
    }
  }

  func finished(_ job: Job) {
    note("[\(job.number ?? 0)] \(job.progress.state.rawValue)  \(JobSummary(job, job.progress).text)")
  }
}
