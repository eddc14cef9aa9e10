import Editor
import Interpreter
import Language
import Scheduling
import Simulator
import Synchronization

/// The prompt: reads a statement, runs it, shows what it gave.
final class Prompt: Sendable {
  private let shell: ShellSession
  private let history: History
  private let isTerminal = Descriptor.isTerminal(0)

  init(faults: Faults) {
    let history = History(path: Descriptor.isTerminal(0) ? History.defaultPath() : nil)
    self.history = history
    shell = ShellSession(arguments: [], faults: faults, history: { history.lines })
  }

  func run() async -> Int32 {
    // What comes through a pipe is a script.
    guard isTerminal else { return await runStandardInput() }
    shell.signals.install()
    let terminated = Mutex(false)
    shell.signals.onTerminate { [self] number in
      rescueTerminal()
      shell.session.cancelAll()
      terminated.withLock { $0 = true }
      exitNow(128 + number)
    }
    greet()
    await runInitFile()
    let session = shell.session
    let completer = Completer(session: session)
    let delegate = EditorDelegate(
      isComplete: { text in !Parser.parse(Source(name: "", text: text), vocabulary: Prompt.vocabulary(session)).isIncomplete },
      complete: { text, cursor in completer.complete(text, cursor) })
    guard let editor = LineEditor(history: history, delegate: delegate) else { return await runPlain() }
    shell.console.setAbove { editor.printAbove($0) }
    var number = 1
    var warned = false
    while true {
      switch await editor.read(prompt: "psh> ", continuation: "...> ") {
      case .abandoned: continue
      case .end:
        if !warned, mustWarn() {
          warned = true
          continue
        }
        return finish(nil)
      case .text(let text):
        if text.allSatisfy(\.isWhitespace) { continue }
        if let request = await run(text, number) {
          if request.status == nil, !warned, mustWarn() {
            warned = true
            continue
          }
          return finish(request.status)
        }
        number += 1
      }
    }
  }

  private func finish(_ status: Int32?) -> Int32 {
    shell.session.cancelAll()
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
    shell.console.note("promptsh \(Shell.version) · \(model) · concurrency \(settings.concurrency) · `help`")
  }

  static func vocabulary(_ session: Session) -> Vocabulary {
    var vocabulary = session.vocabulary
    vocabulary.variables = Set(session.globals.own.map(\.name))
    return vocabulary
  }

  // MARK: running a line

  /// Runs one entry; returns a request to leave, if it made one.
  private func run(_ text: String, _ number: Int) async -> ExitRequest? {
    let source = Source(name: "line \(number)", text: text)
    let parsed = Parser.parse(source, vocabulary: Prompt.vocabulary(shell.session))
    if let first = parsed.diagnostics.first {
      shell.console.note(first.formatted())
      return nil
    }
    let work = Task { await shell.session.runLine(parsed.program) }
    let interrupts = Mutex(0)
    shell.signals.onInterrupt { [self] in
      let count = interrupts.withLock { count in
        count += 1
        return count
      }
      shell.interrupt(count) { work.cancel() }
    }
    let result = await work.value
    shell.signals.onInterrupt(nil)
    try? shell.console.flush()
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
    guard let folder = HostSystem.variable("XDG_CONFIG_HOME") ?? HostSystem.variable("HOME").map({ $0 + "/.config" }) else { return }
    let path = folder + "/promptsh/init.psh"
    guard case .success(let text) = Shell.read(path) else { return }
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
      try? shell.console.prompt(text.isEmpty ? "psh> " : "...> ")
      guard let line = readLine(strippingNewline: true) else { return finish(nil) }
      text += text.isEmpty ? line : "\n" + line
      if Parser.parse(Source(name: "", text: text), vocabulary: Prompt.vocabulary(shell.session)).isIncomplete { continue }
      defer { text = "" }
      if text.allSatisfy(\.isWhitespace) { continue }
      if let request = await run(text, number) { return finish(request.status) }
      number += 1
    }
  }
}
