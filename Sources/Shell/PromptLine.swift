import Editor
import Interpreter
import Language
import Names
import Scheduling
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Running what was entered, and what is typed meanwhile.
extension Prompt {
  private enum Event: Sendable {
    case done(Result<Void, any Error>)
    case toBackground
    /// It was interrupted and does not end.
    case leftBehind
  }

  /// What stands for the lines that run beside another.
  private static let besideLine = -1

  /// Runs one entry; returns a request to leave, if it made one.
  func run(_ text: String, _ number: Int) async -> ExitRequest? {
    let source = Source(name: "line \(number)", text: text)
    let parsed = Parser.parse(source, vocabulary: Prompt.vocabulary(shell.session))
    if let first = parsed.diagnostics.first {
      shell.console.note(first.formatted())
      return nil
    }
    return await run(parsed.program, number)
  }

  private func run(_ program: Program, _ number: Int) async -> ExitRequest? {
    let events = AsyncStream<Event>.makeStream()
    let line = Work()
    let hand = LineInHand()
    let over = Bell()
    let isOver = Atomic(false)
    let isAsked = Atomic(false)
    let isStuck = Atomic(false)
    let interrupt = shell.interrupter(hand) {
      !isOver.load(ordering: .relaxed)
    } cancel: { [self] in
      if isStuck.load(ordering: .relaxed) { shell.leaveNow() }
      line.cancel()
      if isAsked.exchange(true, ordering: .relaxed) { return }
      endSoon(over) {
        events.continuation.yield(.leftBehind)
      } stuck: {
        isStuck.store(true, ordering: .relaxed)
      }
    }
    let steering = Steering(shell, ahead: ahead, finished: { [self] in typed($0) }, onInterrupt: interrupt) { [self] in
      // What is no job cannot go on behind the prompt: ^Z is the shell's above us, as it is at the prompt.
      if shell.console.foregroundJob == nil {
        shell.console.keys.withLock { $0 }?.suspend()
      } else {
        events.continuation.yield(.toBackground)
      }
    }
    // What steers takes effect in the order in which it was typed: this line after those that ran beside the one before, and what is typed
    // from now on after this one, if it steers itself.
    let ended = AsyncStream<Never>.makeStream()
    let former = beside.withLock { last in
      let former = last
      if shell.session.steers(program) { last = Task { for await _ in ended.stream {} } }
      return former
    }
    shell.signals.onInterrupt(interrupt)
    shell.signals.onTerminate { [self] in shell.terminate($0, line) }
    shell.console.hook { $0.onKey = { steering.key($0) } }
    shell.console.beginLine(number)
    // Only now: whatever the line does first must find its keys and signals in place.
    let running = Console.$line.withValue(number) {
      line.start { [shell] in
        await former?.value
        return await shell.session.runLine(program, hand)
      }
    }
    Task {
      events.continuation.yield(.done(await running.value))
      ended.continuation.finish()
    }
    var request: ExitRequest?
    loop: for await event in events.stream {
      switch event {
      case .toBackground:
        guard let job = shell.session.detach(until: running) else { continue }
        shell.console.release(job, endsStream: true)
        shell.console.note("[\(job.number ?? 0)] \(job.name) goes on in the background; `fg` brings it back")
        // A line that goes on without us may still fail.
        Task { _ = report(await running.value) }
        break loop
      case .leftBehind:
        shell.console.note("what was interrupted does not end yet: it is left behind, and the prompt goes on")
        Task { _ = report(await running.value) }
        break loop
      case .done(let result):
        request = report(result)
        break loop
      }
    }
    isOver.store(true, ordering: .relaxed)
    over.ring()
    // What goes on behind us holds up no later line.
    ended.continuation.finish()
    shell.signals.onInterrupt(nil)
    await shell.console.endLine()
    return request
  }

  /// What was cancelled ends by itself, and at once. Where something does not, the prompt goes on without it; and where that cannot be,
  /// for what does not end has all the threads, the next ^C leaves the program.
  private func endSoon(_ over: Bell, leave: @escaping @Sendable () -> Void, stuck: @escaping @Sendable () -> Void) {
    startThread { [shell, console = shell.console] in
      // Another program that has the terminal keeps it until it ends.
      repeat { if shell.endsSoon(over) { return } } while console.isLent
      leave()
      if over.wait(milliseconds: 1000) { return }
      stuck()
      console.note("nothing here obeys ^C; once more leaves promptsh")
    } orHere: {
      leave()
      stuck()
    }
  }

  private func report(_ result: Result<Void, any Error>) -> ExitRequest? {
    switch result {
    case .success: return nil
    case .failure(let request as ExitRequest): return request
    case .failure(let diagnostic as Diagnostic): shell.console.note(diagnostic.formatted())
    case .failure(is CancellationError): shell.console.note("interrupted")
    case .failure(let error): shell.console.note("error: \(error)")
    }
    return nil
  }

  // MARK: meanwhile

  /// A line was finished while another runs: it runs at once if it only steers, else when its turn comes.
  private func typed(_ text: String) {
    if text.allSatisfy(\.isWhitespace) { return }
    let parsed = Parser.parse(Source(name: "line", text: text), vocabulary: Prompt.vocabulary(shell.session))
    guard parsed.diagnostics.isEmpty, shell.session.steers(parsed.program) else { return ahead.waits(text) }
    shell.console.note(Prompt.text(shell.session) + text)
    history.add(text)
    beside.withLock { last in
      let former = last
      last = Task { [self] in
        await former?.value
        let result = await Console.$line.withValue(Prompt.besideLine) { await shell.session.runLine(parsed.program) }
        _ = report(result)
      }
    }
  }

  // MARK: the start

  /// Runs the user's own beginning like a line: the prompt stands there, what is typed waits for it, and ^C ends it.
  ///
  /// - Returns: a request to leave, if it made one.
  func runInitFile() async -> ExitRequest? {
    guard let folder = UserFolders.configuration else { return nil }
    let path = folder + "/init.psh"
    switch StandardFiles.presence(path) {
    case .there: break
    case .nowhere: return nil
    case .impossible:
      shell.console.note("there can be no \(path): \(folder) lies below a file".oneLine)
      return nil
    }
    var status = stat()
    // A pipe would keep the prompt waiting; what else cannot be read is told of by whoever reads it.
    if stat(SystemText.bytes(path), &status) == 0, ![S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT) {
      shell.console.note("\(path.oneLine) is no plain file: it was not run")
      return nil
    }
    let text: String
    switch Shell.read(path) {
    case .success(let read): text = read
    case .failure(let misuse):
      shell.console.note("\(misuse.description): it was not run")
      return nil
    }
    let source = Source(name: path, text: text)
    if let first = shell.session.check(source).first(where: { $0.severity == .error }) {
      shell.console.note(first.formatted())
      return nil
    }
    ahead.isShown = true
    defer { ahead.isShown = false }
    return await run(Parser.parse(source, vocabulary: shell.session.vocabulary).program, 0)
  }
}
