import Editor
import Interpreter
import Names
import Scheduling
import Terminal
import Threads

/// What runs in the foreground: its progress, its keys, the line typed meanwhile, and values that are watched.
extension Console {
  /// At most 15 times a second, whatever the rate.
  private static let period: Duration = .milliseconds(66)
  /// For how long a change of the limit is news.
  private static let news: Duration = .seconds(8)

  // MARK: a line of the prompt

  /// From here on the terminal stays in our mode, whether a line is edited or runs, until `releaseTerminal`.
  func keepTerminal() { terminalKeys?.keepTerminal() }
  func releaseTerminal() { keys.withLock { $0 }?.releaseTerminal() }

  /// A line of the prompt begins to run: keys go to `onKey` until `endLine`, whatever of it is in the foreground.
  func beginLine(_ number: Int) {
    state.withLock { $0.line = number }
    hasToldProblem.store(false, ordering: .relaxed)
    if let handler = hooked.onKey { terminalKeys?.take(.work, handler) }
    refresh()
  }

  /// The line is done, or goes on in the background: the terminal is the editor's, once what was written is seen.
  func endLine() async {
    hook { $0.onKey = nil }
    let columns = columns
    let (sampler, holdsKeys, hasLeftInput) = state.withLock { state in
      let former = (state.sampler, state.holdsKeys, state.hasLeftInput)
      (state.line, state.sampler, state.holdsKeys, state.hasLeftInput) = (nil, nil, false, false)
      state.foreground = []
      state.clearStage(columns)
      return former
    }
    sampler?.cancel()
    let keys = keys.withLock { $0 }
    if hasLeftInput { keys?.takeBack() }
    if holdsKeys { keys?.giveBack(.work) }
    keys?.giveBack(.work)
    await settle()
  }

  /// Returns when what was written is seen, without holding a thread of the pool up.
  func settle() async {
    // A terminal that nobody reads any more ends the program in another way.
    try? await settled()
  }

  // MARK: jobs

  func foreground(_ job: Job, showsProgress: Bool) {
    let handler = hooked.onKey
    let line = Self.line
    let takesKeys = state.withLock { state -> Bool in
      guard state.line == line else { return false }
      state.foreground.append((job, showsProgress))
      state.lastPlainProgress = .zero
      startSampling(&state)
      guard !state.holdsKeys, !state.hasLeftInput, handler != nil, outIsTerminal || errorIsTerminal else { return false }
      state.holdsKeys = true
      return true
    }
    if takesKeys, let handler { terminalKeys?.take(.work, handler) }
  }

  func foregroundEnded(_ job: Job, hasRows: Bool) {
    guard release(job), job.number == nil else { return }
    let progress = job.progress
    // One prompt that was answered as it was asked has nothing to sum up.
    let isPlain = progress.succeeded == 1 && progress.calls.wrong.isEmpty && progress.calls.cut == 0
    if (progress.total ?? 2) != 1 || hasRows && !isPlain { note(JobSummary(job, progress).text) }
  }

  /// The job is over, or goes on, but not here. False if it was not here.
  @discardableResult
  func release(_ job: Job, endsStream: Bool = false) -> Bool {
    let columns = columns
    let (wasThere, sampler, givesBack) = state.withLock { state -> (Bool, Task<Void, Never>?, Bool) in
      let wasThere = state.foreground.contains { $0.job === job }
      state.foreground.removeAll { $0.job === job }
      // What comes of its stream from now on is no part of this line any more.
      if endsStream, state.streaming?.job === job { state.endStream(columns) }
      state.progress = []
      state.show([], columns)
      guard state.foreground.isEmpty else { return (wasThere, nil, false) }
      defer { (state.sampler, state.holdsKeys) = (nil, false) }
      return (wasThere, state.sampler, state.holdsKeys)
    }
    sampler?.cancel()
    refresh()
    if givesBack { keys.withLock { $0 }?.giveBack(.work) }
    return wasThere
  }

  /// Whether what runs for this job is part of the line that has the foreground.
  func isHere(_ job: Job?) -> Bool { job == nil || state.withLock { $0.foreground.contains { $0.job === job } } }

  /// The job a key or a signal is meant for.
  var foregroundJob: Job? { state.withLock { $0.foreground.last?.job } }

  /// All that the line in the foreground runs side by side.
  var foregroundJobs: [Job] { state.withLock { $0.foreground.map(\.job) } }

  /// Made when they are first wanted; nil where standard input has none.
  private var terminalKeys: ForegroundKeys? {
    keys.withLock { keys in
      if keys == nil { keys = ForegroundKeys() }
      return keys
    }
  }

  private func startSampling(_ state: inout ConsoleState.State) {
    guard state.sampler == nil else { return }
    let period = errorIsTerminal ? Console.period : .seconds(1)
    state.sampler = Task { [weak self] in
      while !Task.isCancelled {
        do { try await Task.sleep(for: period) } catch { return }
        self?.sample()
      }
    }
  }

  // MARK: progress

  private func sample() {
    // Sampled outside the lock that output takes.
    guard let (job, showsProgress) = state.withLock({ $0.foreground.last }) else { return }
    let progress = job.progress
    let line = line(job, progress)
    guard errorIsTerminal else { return samplePlain(job, progress, line) }
    // In the background the screen is somebody else's; what stood there of ours has scrolled on.
    guard Descriptor.isOurs(2) else { return state.withLock { $0.stage.forget() } }
    // A terminal that does not keep up is shown fewer pictures, not later ones.
    guard isIdle else { return }
    let size = Descriptor.size(2) ?? (80, 24)
    var rows: [StyledText] = []
    if let board = state.withLock({ $0.board }) {
      rows += board.rows(columns: size.columns, height: size.rows - 4).map { StyledText($0) }
    }
    if showsProgress { rows.append(StyledText(line.text(width: size.columns))) }
    if showsProgress, rows.count == 1 {
      rows += tails.lines.prefix(max(0, min(tails.wanted, size.rows - 3))).map { tail in
        let text = ControlGuard.line(tail)
        return dim("   " + Table.end(of: text, to: max(1, size.columns - 5)))
      }
    }
    let drawn = rows
    state.withLock { state in
      guard !isLent, state.foreground.last?.job === job else { return }
      state.progress = drawn
    }
    refresh()
  }

  /// Draws what stands below the output anew: how far the work is, and the line that is typed.
  func refresh() {
    guard errorIsTerminal, Descriptor.isOurs(2) else { return }
    let size = Descriptor.size(2) ?? (80, 24)
    let typed = hooked.typed?(size.columns, max(1, size.rows / 3))
    state.withLock { state in
      guard !isLent, state.line != nil || !state.foreground.isEmpty else { return }
      var rows = state.progress.suffix(max(0, size.rows - 2 - (typed?.rows.count ?? 0)))
      var cursor: LiveBlock.Cursor?
      if let typed {
        cursor = LiveBlock.Cursor(row: rows.count + typed.cursor.row, column: typed.cursor.column)
        rows += typed.rows
      }
      state.show(Array(rows), cursor: cursor, size.columns)
    }
    ring()
  }

  private func line(_ job: Job, _ progress: Job.Progress) -> ProgressLine {
    var line = ProgressLine(name: job.name)
    line.done = progress.done
    line.total = progress.total
    line.inFlight = progress.inFlight
    let standing = limiter.standing(of: job)
    line.limit = standing.limit
    if let last = standing.last, last.isOfWidth, time.now - last.at < Console.news, job.span.contains(last.at) {
      line.change = last.text
    }
    line.waitsFor = waits(of: job)
    line.failed = progress.unanswered
    line.retried = progress.retried
    line.waiting = progress.waiting
    let seconds = max(progress.elapsed.seconds, 0.001)
    line.rate = progress.outputTokens > 0 ? "\((Double(progress.outputTokens) / seconds).fixed(0)) tok/s" : "\(progress.rate.fixed(1))/s"
    line.elapsed = progress.elapsed.short
    line.eta = limiter.eta(of: job, progress)?.short
    switch progress.state {
    case .running: line.state = nil
    case .paused: line.state = hooked.onKey == nil ? "paused" : "paused, Space goes on"
    default: line.state = progress.state.rawValue
    }
    return line
  }

  /// Whom a job waits for, where that is more than a moment.
  private func waits(of job: Job) -> String? {
    let now = time.now
    let shut = limiter.shutLanes(of: job).filter { $0.isNews(now: now) }
    guard let first = shut.first else { return nil }
    let words = first.text(now: now) { ahead in wallClock.clock(now + ahead) }
    return shut.count > 1 ? "\(words), and \(shut.count - 1) more" : words
  }

  /// In a log, a line now and then.
  private func samplePlain(_ job: Job, _ progress: Job.Progress, _ line: ProgressLine) {
    let columns = columns
    state.withLock { state in
      guard progress.elapsed - state.lastPlainProgress >= .seconds(10), progress.total != 1 else { return }
      state.lastPlainProgress = progress.elapsed
      state.note(line.plain.oneLine, columns)
    }
    ring()
  }

  // MARK: live values

  func live(isOver: @escaping @Sendable () -> Bool, _ sample: @escaping @Sendable () async throws -> Value) async throws {
    guard outIsTerminal, errorIsTerminal, hooked.onKey != nil else { return try await livePlain(isOver, sample) }
    let keys = terminalKeys
    let pressed = AsyncStream<Void>.makeStream()
    let isPressed = Atomic(false)
    // What is no mere key to end this is the beginning of a line, and what follows is the rest of it.
    keys?.take(.screen) { [self] key in
      let isFirst = !isPressed.exchange(true, ordering: .relaxed)
      pressed.continuation.yield()
      if !isFirst || !key.onlyEnds { hooked.onKey?(key) }
    }
    defer { keys?.giveBack(.screen) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { for await _ in pressed.stream { break } }
      group.addTask {
        while true {
          let value = try await sample()
          self.drawLive(value)
          try await Task.sleep(for: Console.period)
        }
      }
      defer { group.cancelAll() }
      _ = try await group.next()
    }
    // What it last showed stays.
    let last = try await sample()
    let columns = columns
    state.withLock { $0.show([], columns) }
    try await show(last, options: ShowOptions())
  }

  private func drawLive(_ value: Value) {
    guard isIdle else { return }
    let size = Descriptor.size(2) ?? (80, 24)
    let text = renderer.render(value, form: .terminal(width: size.columns - 1), showsAll: false).text
    var rows = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(max(1, size.rows - 2)).map {
      StyledText(Table.cut(String($0), to: max(1, size.columns - 1)))
    }
    rows.append(dim("any key ends this"))
    let drawn = rows
    state.withLock { state in if !isLent { state.show(drawn, size.columns) } }
    ring()
  }

  private func livePlain(_ isOver: () -> Bool, _ sample: () async throws -> Value) async throws {
    var last: String?
    while true {
      let wasOver = isOver()
      let value = try await sample()
      let text = renderer.render(value, form: .pipe, showsAll: true).text
      if text != last {
        last = text
        try await show(value, options: ShowOptions())
        ring()
      }
      if wasOver { return }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  // MARK: boards

  func board(_ titles: [String], of job: Job?) -> any Board {
    let width = Descriptor.size(1)?.columns ?? 0
    let isHere = job == nil
    guard isHere, outIsTerminal, errorIsTerminal, Columns.width(of: titles.count, in: width) != nil else {
      return OrderedBoard(titles, reply(named: job?.name ?? "", of: job, raw: false))
    }
    let board = LiveBoard(titles) { [weak self] rows in
      guard let self else { return }
      let columns = columns
      state.withLock { state in
        state.board = nil
        state.progress = []
        state.show([], columns)
      }
      try await out(rows.joined(separator: "\n") + "\n", raw: true, wraps: false)
    }
    state.withLock { $0.board = board }
    return board
  }
}

extension Key {
  /// Whether it is pressed to end what fills the screen, and not to type a line.
  fileprivate var onlyEnds: Bool {
    switch self {
    case .character(let scalar): scalar.value <= 0x20 || scalar == "q" || scalar.value == 0x7F
    case .paste: false
    default: true
    }
  }
}
