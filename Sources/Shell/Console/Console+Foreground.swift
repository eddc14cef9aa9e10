import Editor
import Interpreter
import Scheduling
import Terminal
import Threads

/// What runs in the foreground: its progress, its keys, and values that are watched.
extension Console {
  /// At most 15 times a second, whatever the rate.
  private static let period: Duration = .milliseconds(66)
  /// For how long a change of the limit is news.
  private static let news: Duration = .seconds(8)

  func foreground(_ job: Job, showsProgress: Bool) {
    let handler = onKey.withLock { $0 }
    let takesKeys = state.withLock { state -> Bool in
      state.foreground.append((job, showsProgress))
      state.lastPlainProgress = .zero
      startSampling(&state)
      guard !state.hasKeys, handler != nil, outIsTerminal || errorIsTerminal else { return false }
      state.hasKeys = true
      return true
    }
    if takesKeys, let handler { terminalKeys?.take(.work, handler) }
  }

  func foregroundEnded(_ job: Job) {
    let wasThere = release(job)
    let progress = job.progress
    if wasThere, job.number == nil, (progress.total ?? 2) != 1 { note(JobSummary(job, progress).text) }
  }

  /// The job goes on, but not here. False if it was not here.
  @discardableResult
  func release(_ job: Job) -> Bool {
    let (wasThere, stopsKeys) = state.withLock { state -> (Bool, Bool) in
      let wasThere = state.foreground.contains { $0.job === job }
      state.foreground.removeAll { $0.job === job }
      erase(&state)
      guard state.foreground.isEmpty else { return (wasThere, false) }
      state.sampler?.cancel()
      state.sampler = nil
      defer { state.hasKeys = false }
      return (wasThere, state.hasKeys)
    }
    if stopsKeys { keys.withLock { $0 }?.giveBack(.work) }
    return wasThere
  }

  /// The job a key or a signal is meant for.
  var foregroundJob: Job? { state.withLock { $0.foreground.last?.job } }

  /// Made when they are first wanted; nil where standard input has none.
  private var terminalKeys: ForegroundKeys? {
    keys.withLock { keys in
      if keys == nil { keys = ForegroundKeys() }
      return keys
    }
  }

  private func startSampling(_ state: inout State) {
    guard state.sampler == nil else { return }
    let period = errorIsTerminal ? Console.period : .seconds(1)
    state.sampler = Task { [weak self] in
      while !Task.isCancelled {
        do { try await Task.sleep(for: period) } catch { return }
        self?.sample()
      }
    }
  }

  private func erase(_ state: inout State) {
    guard state.footer.isShown else { return }
    try? Descriptor.write(Array(state.footer.erasing(columns: columns).utf8), to: 2, named: "standard error")
  }

  // MARK: progress

  private func sample() {
    // Sampled outside the lock that output takes.
    guard let (job, showsProgress) = state.withLock({ $0.foreground.last }) else { return }
    let progress = job.progress
    let line = line(job, progress)
    guard errorIsTerminal else { return samplePlain(job, progress, line) }
    // In the background the screen is somebody else's; what stood there of ours has scrolled on.
    guard Descriptor.isOurs(2) else { return state.withLock { $0.footer = Footer() } }
    let size = Descriptor.size(2) ?? (80, 24)
    var rows: [String] = []
    if let board = state.withLock({ $0.board }) { rows += board.rows(columns: size.columns, height: size.rows - 4) }
    if showsProgress { rows.append(line.text(width: size.columns)) }
    if showsProgress, rows.count == 1 {
      rows += tails.lines.prefix(max(0, min(tails.wanted, size.rows - 3))).map { tail in
        let text = ControlGuard.line(tail)
        return dim("   " + Table.end(of: text, to: max(1, size.columns - 5)))
      }
    }
    let drawn = rows
    state.withLock { state in
      guard state.foreground.last?.job === job else { return }
      // A line of output that is not finished keeps the screen.
      if outIsTerminal && state.isMidLine { return }
      let bytes = state.footer.drawing(drawn, columns: size.columns)
      if !bytes.isEmpty { try? Descriptor.write(Array(bytes.utf8), to: 2, named: "standard error") }
    }
  }

  private func line(_ job: Job, _ progress: Job.Progress) -> ProgressLine {
    var line = ProgressLine(name: job.name)
    line.done = progress.done
    line.total = progress.total
    line.inFlight = progress.inFlight
    let standing = limiter.standing(of: job)
    line.limit = standing.limit
    if let last = standing.last, last.text.contains("→"), time.now - last.at < Console.news, job.span.contains(last.at) {
      line.change = last.text
    }
    line.failed = progress.unanswered
    line.retried = progress.retried
    line.waiting = progress.waiting
    let seconds = max(progress.elapsed.seconds, 0.001)
    line.rate = progress.outputTokens > 0 ? "\((Double(progress.outputTokens) / seconds).fixed(0)) tok/s" : "\(progress.rate.fixed(1))/s"
    line.elapsed = progress.elapsed.short
    line.eta = progress.state == .running ? progress.eta?.short : nil
    line.state = progress.state == .running ? nil : progress.state.rawValue
    return line
  }

  /// In a log, a line now and then.
  private func samplePlain(_ job: Job, _ progress: Job.Progress, _ line: ProgressLine) {
    state.withLock { state in
      guard progress.elapsed - state.lastPlainProgress >= .seconds(10), progress.total != 1 else { return }
      state.lastPlainProgress = progress.elapsed
      try? Descriptor.write(Array((line.plain + "\n").utf8), to: 2, named: "standard error")
    }
  }

  // MARK: live values

  func live(isOver: @escaping @Sendable () -> Bool, _ sample: @escaping @Sendable () async throws -> Value) async throws {
    guard outIsTerminal, errorIsTerminal, onKey.withLock({ $0 != nil }) else { return try await livePlain(isOver, sample) }
    let keys = terminalKeys
    let pressed = AsyncStream<Void>.makeStream()
    keys?.take(.screen) { _ in pressed.continuation.yield() }
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
    state.withLock { erase(&$0) }
    try show(last, options: ShowOptions())
  }

  private func drawLive(_ value: Value) {
    let size = Descriptor.size(2) ?? (80, 24)
    let text = renderer.render(value, form: .terminal(width: size.columns - 1), showsAll: false).text
    var rows = text.split(separator: "\n", omittingEmptySubsequences: false).prefix(max(1, size.rows - 2)).map {
      Table.cut(String($0), to: max(1, size.columns - 1))
    }
    rows.append(dim("any key ends this"))
    let drawn = rows
    state.withLock { state in
      let bytes = state.footer.drawing(drawn, columns: size.columns)
      if !bytes.isEmpty { try? Descriptor.write(Array(bytes.utf8), to: 2, named: "standard error") }
    }
  }

  private func livePlain(_ isOver: () -> Bool, _ sample: () async throws -> Value) async throws {
    var last: String?
    while true {
      let wasOver = isOver()
      let value = try await sample()
      let text = renderer.render(value, form: .pipe, showsAll: true).text
      if text != last {
        last = text
        try show(value, options: ShowOptions())
        try flush()
      }
      if wasOver { return }
      try await Task.sleep(for: .milliseconds(200))
    }
  }

  // MARK: boards

  func board(_ titles: [String]) -> any Board {
    let width = Descriptor.size(1)?.columns ?? 0
    guard outIsTerminal, errorIsTerminal, Columns.width(of: titles.count, in: width) != nil else { return OrderedBoard(titles, self) }
    let board = LiveBoard(titles) { [weak self] rows in
      guard let self else { return }
      state.withLock { state in
        state.board = nil
        erase(&state)
      }
      try out(rows.joined(separator: "\n") + "\n", raw: true)
    }
    state.withLock { $0.board = board }
    return board
  }
}
