import Interpreter
import Scheduling
import Synchronization
import Terminal

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The two outputs, and the only one who writes to them: values to standard output, everything else to standard error. While a
/// job runs in the foreground its progress stands on the last line of the terminal; whatever else is written goes above it.
final class Console: Output {
  private struct State {
    /// Standard output waiting to be written, where it is no terminal.
    var pending: [UInt8] = []
    var guarding = ControlGuard()
    var isMidLine = false
    var isProgressShown = false
    /// Jobs in the foreground, the latest last.
    var foreground: [Job] = []
    /// What happened to the last write; a closed pipe is told once.
    var lastPlainProgress: Duration = .zero
    var sampler: Task<Void, Never>?
  }

  private let state = Mutex(State())
  private let outIsTerminal = Descriptor.isTerminal(1)
  private let errorIsTerminal: Bool
  private let renderer: ValueRenderer
  private let limit: @Sendable () -> Int
  /// At the prompt, text goes through the editor, above the line being typed.
  private let above = Mutex<(@Sendable (String) -> Bool)?>(nil)

  /// - Parameter limit: the session's width now.
  init(limit: @escaping @Sendable () -> Int, isDumb: Bool) {
    errorIsTerminal = Descriptor.isTerminal(2) && !isDumb
    renderer = ValueRenderer()
    self.limit = limit
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

  /// Shows a long text with $PAGER (`less -S` where it is not set). False where it fits, or there is no pager.
  private func page(_ text: String) -> Bool {
    let lines = text.reduce(1) { $1 == "\n" ? $0 + 1 : $0 }
    guard let size = Descriptor.size(1), lines > size.rows - 2 else { return false }
    let pager = HostSystem.variable("PAGER").flatMap { $0.isEmpty ? nil : $0 } ?? "less -S"
    guard let pipe = popen(pager, "w") else { return false }
    // Whoever leaves the pager early wants no more of it.
    fputs(text + "\n", pipe)
    return pclose(pipe) == 0
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
  private func out(_ text: String, raw: Bool) throws(OutputProblem) {
    let bytes = state.withLock { state -> [UInt8] in
      eraseProgress(&state)
      let passes = raw && !outIsTerminal
      let clean = passes ? text : state.guarding.clean(text)
      if let last = clean.last { state.isMidLine = !last.isNewline }
      state.pending += Array(clean.utf8)
      guard outIsTerminal || state.pending.count > 32 * 1024 else { return [] }
      defer { state.pending.removeAll(keepingCapacity: true) }
      return state.pending
    }
    if !bytes.isEmpty { try Descriptor.write(bytes, to: 1, named: "standard output") }
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
      eraseProgress(&state)
      let start = outIsTerminal && state.isMidLine ? "\n" : ""
      if outIsTerminal { state.isMidLine = false }
      // There is nowhere left to report that standard error is gone.
      try? Descriptor.write(Array((start + clean + "\n").utf8), to: 2, named: "standard error")
    }
  }

  // MARK: progress

  func foreground(_ job: Job) {
    state.withLock { state in
      state.foreground.append(job)
      state.lastPlainProgress = .zero
      guard state.sampler == nil else { return }
      let period: Duration = errorIsTerminal ? .milliseconds(66) : .seconds(1)
      state.sampler = Task { [weak self] in
        while !Task.isCancelled {
          do { try await Task.sleep(for: period) } catch { return }
          self?.sample()
        }
      }
    }
  }

  func foregroundEnded(_ job: Job) {
    state.withLock { state in
      state.foreground.removeAll { $0 === job }
      eraseProgress(&state)
      if state.foreground.isEmpty {
        state.sampler?.cancel()
        state.sampler = nil
      }
    }
    let progress = job.progress
    if job.id < 0, (progress.total ?? 2) != 1 { note(summary(job, progress)) }
  }

  func finished(_ job: Job) {
    note("[\(job.id)] \(job.progress.state.rawValue)  \(summary(job, job.progress))")
  }

  /// The job a key or a signal is meant for.
  var foregroundJob: Job? { state.withLock { $0.foreground.last } }

  private func summary(_ job: Job, _ progress: Job.Progress) -> String {
    let count = progress.total ?? progress.done
    var text = "\(job.name): \(count) \(count == 1 ? "prompt" : "prompts"), \(progress.succeeded) ok"
    if progress.failed > 0 { text += ", \(progress.failed) failed" }
    if progress.retried > 0 { text += ", \(progress.retried) retried" }
    let missing = count - progress.done
    if missing > 0 { text += ", \(missing) not sent" }
    text += ", \(progress.elapsed.short)"
    for (kind, failures) in progress.failures.sorted(by: { $0.value.count > $1.value.count }).prefix(3) {
      text += "\n  \(failures.count) × \(kind.rawValue): \(failures.example.message)\n    = \(kind.advice)"
    }
    return text
  }

  private func sample() {
    // Sampled outside the lock that output takes.
    guard let job = foregroundJob else { return }
    let progress = job.progress
    var line = ProgressLine(name: job.name)
    line.done = progress.done
    line.total = progress.total
    line.inFlight = progress.inFlight
    line.limit = limit()
    line.failed = progress.failed
    line.retried = progress.retried
    let seconds = max(progress.elapsed.seconds, 0.001)
    line.rate = progress.outputTokens > 0 ? "\((Double(progress.outputTokens) / seconds).fixed(0)) tok/s" : "\(progress.rate.fixed(1))/s"
    line.elapsed = progress.elapsed.short
    line.eta = progress.eta?.short
    line.state = progress.state == .running ? nil : progress.state.rawValue
    let drawn = line
    state.withLock { state in
      guard state.foreground.last === job else { return }
      if errorIsTerminal {
        // A line of output that is not finished keeps the screen.
        if outIsTerminal && state.isMidLine { return }
        let width = Descriptor.size(2)?.columns ?? 80
        try? Descriptor.write(Array("\r\u{1B}[2K\(drawn.text(width: width))".utf8), to: 2, named: "standard error")
        state.isProgressShown = true
      } else if progress.elapsed - state.lastPlainProgress >= .seconds(10), progress.total != 1 {
        state.lastPlainProgress = progress.elapsed
        try? Descriptor.write(Array((drawn.plain + "\n").utf8), to: 2, named: "standard error")
      }
    }
  }

  private func eraseProgress(_ state: inout State) {
    guard state.isProgressShown else { return }
    state.isProgressShown = false
    try? Descriptor.write(Array("\r\u{1B}[2K".utf8), to: 2, named: "standard error")
  }
}
