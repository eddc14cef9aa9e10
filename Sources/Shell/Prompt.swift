import Editor
import Interpreter
import Language
import Scheduling
import Simulator
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The prompt: reads a statement, runs it, shows what it gave.
final class Prompt: Sendable {
  private let shell: ShellSession
  private let history: History
  private let isTerminal = Descriptor.isTerminal(0)
  private let ahead = TypeAhead()

  init(_ options: Shell.Options) {
    let folder = Descriptor.isTerminal(0) ? UserFolders.state.flatMap { UserFolders.make($0) ? $0 : nil } : nil
    let history = History(path: folder.map { $0 + "/history" })
    self.history = history
    shell = ShellSession(arguments: [], options: options, history: { history.lines })
  }

  func run() async -> Int32 {
    // What comes through a pipe is a script.
    guard isTerminal else { return await runStandardInput() }
    shell.signals.install()
    shell.session.isAttended = true
    shell.signals.onTerminate { [self] number in shell.terminate(number, nil) }
    greet()
    await runInitFile()
    let catalog = ModelCatalog(shell.session.world.directory)
    guard let editor = LineEditor(history: history, delegate: delegate(catalog)) else {
      if let problem = LineEditor.problem { shell.console.note("\(problem): lines are read as they come") }
      return await runPlain()
    }
    catalog.onArrival { [weak editor] in editor?.renewChoices() }
    shell.console.setAbove { editor.printAbove($0) }
    var number = 1
    var warned = false
    while !shell.isTerminating {
      switch await next(editor) {
      case .abandoned: continue
      case .gone:
        // The signal for it may not have come yet, or never come.
        shell.terminate(SIGHUP, nil)
      case .end:
        if !warned, mustWarn() {
          warned = true
          continue
        }
        return await finish(nil)
      case .text(let text):
        if text.allSatisfy(\.isWhitespace) { continue }
        let request = await run(text, number)
        // A signal is ending the program: the terminal is given back already.
        if shell.isTerminating { continue }
        if let request {
          if request.status == nil, !warned, mustWarn() {
            warned = true
            continue
          }
          return await finish(request.status)
        }
        number += 1
      }
    }
    return await shell.terminated()
  }

  /// The next entry: one that was typed ahead, or else one that is edited.
  private func next(_ editor: LineEditor) async -> Edited {
    let session = shell.session
    if let entry = ahead.takeEntry({ !Parser.parse(Source(name: "", text: $0), vocabulary: Prompt.vocabulary(session)).isIncomplete }) {
      shell.console.note(Prompt.text(session) + entry)
      history.add(entry)
      return .text(entry)
    }
    return await editor.read(continuation: "...> ", initial: ahead.takeRest() + (session.takeDraft() ?? ""))
  }

  private func delegate(_ catalog: ModelCatalog) -> EditorDelegate {
    let session = shell.session
    let completer = Completer(session: session, catalog: catalog)
    let highlighter = Highlighter(session: session)
    let hasColour = HostSystem.hasColour
    var delegate = EditorDelegate()
    delegate.isComplete = { text in !Parser.parse(Source(name: "", text: text), vocabulary: Prompt.vocabulary(session)).isIncomplete }
    delegate.complete = { text, cursor in completer.complete(text, cursor) }
    delegate.colour = { text, cursor in
      completer.anticipate(text)
      return hasColour ? highlighter.runs(text, cursor: cursor) : nil
    }
    delegate.adjust = { session.adjustConcurrency(by: $0) }
    delegate.editOutside = { HostSystem.editNow($0) }
    delegate.prompt = { Prompt.text(session) }
    return delegate
  }

  /// What still runs is cancelled, and brings the files that it writes to their ends.
  private func finish(_ status: Int32?) async -> Int32 {
    shell.session.cancelAll()
    await shell.jobsSettled()
    return status ?? ShellSession.ExitStatus.fine
  }

  /// Work in the background would be lost: say so, once.
  private func mustWarn() -> Bool {
    let running = shell.session.jobs.filter { !$0.job.isOver }
    if running.isEmpty { return false }
    shell.console.note(
      "\(running.count == 1 ? "a job is" : "\(running.count) jobs are") running; `gather` waits, and leaving once more cancels")
    return true
  }

  private func greet() {
    let settings = shell.session.settings
    let model =
      settings.model.provider == "sim" ? "\(settings.model) (built-in simulator; `use` lists real models)" : settings.model.description
    shell.console.note("promptsh \(Shell.version) · \(model) · concurrency \(settings.limits.width.words) · `help`")
  }

  /// `psh sim/story ×8 ⟳2> `, or what `set prompt` says.
  static func text(_ session: Session) -> String {
    let settings = session.settings
    let running = session.jobs.count { !$0.job.isOver }
    let width = settings.limits.width.words
    guard let own = settings.prompt else {
      return "psh \(settings.model) ×\(width)\(running > 0 ? " ⟳\(running)" : "")> "
    }
    return own.replacing("{model}", with: settings.model.description).replacing("{concurrency}", with: width).replacing(
      "{jobs}", with: "\(running)")
  }

  static func vocabulary(_ session: Session) -> Vocabulary {
    var vocabulary = session.vocabulary
    vocabulary.variables = Set(session.globals.own.map(\.name))
    return vocabulary
  }

  // MARK: running a line

  private enum Event: Sendable {
    case done(Result<Void, any Error>)
    case toBackground
  }

  /// Runs one entry; returns a request to leave, if it made one.
  private func run(_ text: String, _ number: Int) async -> ExitRequest? {
    let source = Source(name: "line \(number)", text: text)
    let parsed = Parser.parse(source, vocabulary: Prompt.vocabulary(shell.session))
    if let first = parsed.diagnostics.first {
      shell.console.note(first.formatted())
      return nil
    }
    let events = AsyncStream<Event>.makeStream()
    let line = Work()
    let interrupt = shell.interrupter { line.cancel() }
    let steering = Steering(shell, ahead: ahead, onInterrupt: interrupt) { events.continuation.yield(.toBackground) }
    shell.signals.onInterrupt(interrupt)
    shell.signals.onTerminate { [self] in shell.terminate($0, line) }
    shell.console.onKey.withLock { $0 = { steering.key($0) } }
    // Only now: whatever the line does first must find its keys and signals in place.
    let running = line.start { [shell] in await shell.session.runLine(parsed.program) }
    Task { events.continuation.yield(.done(await running.value)) }
    defer {
      shell.signals.onInterrupt(nil)
      shell.console.onKey.withLock { $0 = nil }
    }
    for await event in events.stream {
      switch event {
      case .toBackground:
        guard let job = shell.session.detach(until: running) else { continue }
        shell.console.release(job)
        shell.console.note("[\(job.number ?? 0)] \(job.name) goes on in the background; `fg` brings it back")
        reportLater(running)
        return nil
      case .done(let result): return report(result)
      }
    }
    return nil
  }

  /// A line that goes on without us may still fail.
  private func reportLater(_ line: Task<Result<Void, any Error>, Never>) {
    Task { _ = report(await line.value) }
  }

  private func report(_ result: Result<Void, any Error>) -> ExitRequest? {
    do throws(OutputProblem) { try shell.console.flush() } catch { shell.console.note("error: \(error.description)") }
    switch result {
    case .success: return nil
    case .failure(let request as ExitRequest): return request
    case .failure(let diagnostic as Diagnostic): shell.console.note(diagnostic.formatted())
    case .failure(is CancellationError): shell.console.note("interrupted")
    case .failure(let error): shell.console.note("error: \(error)")
    }
    return nil
  }

  private func runInitFile() async {
    guard let folder = UserFolders.configuration else { return }
    let path = folder + "/init.psh"
    guard StandardFiles.isThere(path) else { return }
    let text: String
    switch Shell.read(path) {
    case .success(let read): text = read
    case .failure(let misuse): return shell.console.note("\(misuse.description): it was not run")
    }
    let source = Source(name: path, text: text)
    if let first = shell.session.check(source).first(where: { $0.severity == .error }) { return shell.console.note(first.formatted()) }
    if case .failure(let diagnostic as Diagnostic) = await shell.session.run(source) { shell.console.note(diagnostic.formatted()) }
  }

  private func runStandardInput() async -> Int32 {
    switch Shell.read("-") {
    case .success(let text): return await shell.run(Source(name: "standard input", text: text))
    case .failure(let misuse):
      shell.console.note("error: \(misuse.description)")
      return ShellSession.ExitStatus.misused
    }
  }

  /// A terminal that cannot be edited on: plain lines, nothing redrawn.
  private func runPlain() async -> Int32 {
    var number = 1
    var text = ""
    while true {
      do throws(OutputProblem) { try shell.console.prompt(text.isEmpty ? "psh> " : "...> ") } catch { return await finish(1) }
      guard let line = readLine(strippingNewline: true) else { return await finish(nil) }
      text += text.isEmpty ? line : "\n" + line
      if Parser.parse(Source(name: "", text: text), vocabulary: Prompt.vocabulary(shell.session)).isIncomplete { continue }
      defer { text = "" }
      if text.allSatisfy(\.isWhitespace) { continue }
      if let request = await run(text, number) { return await finish(request.status) }
      number += 1
    }
  }
}
