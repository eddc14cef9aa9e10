import Editor
import Interpreter
import Language
import Names
import Scheduling
import Secrets
import Simulator
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The prompt: reads a statement, runs it, shows what it gave.
final class Prompt: Sendable {
  let shell: ShellSession
  let history: History
  private let isTerminal = Descriptor.isTerminal(0)
  /// What is said at the start of where things are to lie.
  private let problems: [String]
  /// What is typed while a line runs.
  let ahead: TypeAhead
  private let catalog: ModelCatalog
  private let completer: Completer
  /// The last of the lines that run beside another, one after the other.
  let beside = Mutex<Task<Void, Never>?>(nil)

  init(_ options: Shell.Options) {
    let place = Descriptor.isTerminal(0) ? HistoryPlace() : nil
    let history = History(path: place?.path, hide: { Redactor.hide($0, isServer: $0.hasPrefix("use ")) })
    self.history = history
    let unkept = place.flatMap { $0.problem ?? history.problem }
    problems = place == nil ? [] : UserFolders.problems + (unkept.map { ["no history is kept: \($0)"] } ?? [])
    shell = ShellSession(arguments: [], options: options, history: { history.lines })
    let session = shell.session
    catalog = ModelCatalog(session.world.directory)
    let completer = Completer(session: session, catalog: catalog)
    self.completer = completer
    ahead = TypeAhead {
      !Parser.parse(Source(name: "", text: $0), vocabulary: Prompt.vocabulary(session)).isIncomplete
    } complete: {
      completer.complete($0, $1)
    }
  }

  func run() async -> Int32 {
    // What comes through a pipe is a script.
    guard isTerminal else { return await runStandardInput() }
    // Until lines are read there is nothing to interrupt.
    shell.signals.install(onInterrupt: {}, onTerminate: { [self] number in shell.terminate(number, nil) })
    shell.session.isAttended = true
    greet()
    let (ahead, console, session) = (ahead, shell.console, shell.session)
    console.hook { hooks in
      hooks.typed = { ahead.rows(prompt: Prompt.text(session), columns: $0, rows: $1) { console.dim($0) } }
    }
    let entries = await Entries.open(history, delegate(), console)
    if case .editor = entries { console.keepTerminal() }
    let request = await runInitFile()
    switch entries {
    case .editor(let editor):
      catalog.onArrival { [weak editor] in editor?.renewChoices() }
      console.hook { $0.above = { editor.printAbove($0) } }
    case .plain: break
    case .none(let problem):
      console.note("error: \(problem)")
      return await finish(ShellSession.ExitStatus.scriptFailed)
    }
    var number = 1
    var warned = false
    if let request, !shell.isTerminating {
      if !mustWarn() { return await finish(request.status) }
      warned = true
    }
    while !shell.isTerminating {
      switch await next(entries) {
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
          if !warned, mustWarn() {
            warned = true
            continue
          }
          return await finish(request.status)
        }
        number += 1
        // Whoever goes on working is asked anew.
        warned = false
      }
    }
    return await shell.terminated()
  }

  /// The next entry: one that was typed ahead, or else one that is edited.
  private func next(_ entries: Entries) async -> Edited {
    if let entry = ahead.takeEntry() {
      shell.console.note(Prompt.text(shell.session) + entry)
      history.add(entry)
      return .text(entry)
    }
    await shell.console.settle()
    if ahead.takeEnd() { return .end }
    let typed = ahead.takeLine()
    let draft = shell.session.takeDraft() ?? ""
    // As a key, ^C is the editor's; as a signal (`kill -INT`) it means the same, and is passed on to a program that edits the line.
    shell.signals.onInterrupt { [console = shell.console, signals = shell.signals] in
      if console.isLent { Child.signalAll(SIGINT) } else { entries.interrupt(isKey: !signals.wasSent.load(ordering: .relaxed)) }
    }
    return await entries.read(continuation: "...> ", initial: typed.text + draft, cursor: draft.isEmpty ? typed.cursor : nil)
  }

  private func delegate() -> EditorDelegate {
    let session = shell.session
    let completer = completer
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
    delegate.editOutside = { [console = shell.console] text, done in
      startThread {
        done(try? console.lend(to: Child.Handle()) { handle in try HostSystem.edited(text, handle) })
      } orHere: {
        done(nil)
      }
    }
    delegate.prompt = { Prompt.text(session) }
    return delegate
  }

  /// What still runs is cancelled, and brings the files that it writes to their ends.
  private func finish(_ status: Int32?) async -> Int32 {
    shell.signals.onInterrupt { [shell] in shell.leaveNow() }
    // From here on ^C is the system's again.
    shell.console.releaseTerminal()
    shell.session.cancelAll()
    await shell.jobsSettled()
    return shell.finished(status ?? ShellSession.ExitStatus.fine)
  }

  /// Work in the background, and replies that no file has, would be lost: says so, and whether there was anything to say.
  private func mustWarn() -> Bool {
    let running = shell.session.jobs.count { !$0.job.isOver }
    if running > 0 {
      shell.console.note("\(running == 1 ? "a job is" : "\(running) jobs are") running; `gather` waits, and leaving once more cancels")
    }
    let unsaved = shell.session.unsavedReplies
    if let first = unsaved.first {
      let names = unsaved.map { "`\($0.name)`" }.joined(separator: ", ")
      let count = unsaved.reduce(0) { $0 + $1.count }
      shell.console.note(
        "\(count == 1 ? "1 reply" : "\(count) replies") in \(names) \(count == 1 ? "is" : "are") kept in no file;"
          + " `save \(first.name) \"\(first.name == "_" ? "replies" : first.name).jsonl\"` keeps them, and leaving once more drops them")
    }
    return running > 0 || !unsaved.isEmpty
  }

  private func greet() {
    let settings = shell.session.settings
    let model =
      settings.model.description.oneLine + (settings.model.provider == "sim" ? " (built-in simulator; `use` lists real models)" : "")
    defer { if let news = Recovered.news() { shell.console.note(news) } }
    shell.console.note("promptsh \(Shell.version) · \(model) · concurrency \(settings.limits.width.words) · `help`")
    for problem in problems { shell.console.note(problem.oneLine) }
  }

  /// `psh sim/story ×8 ⟳2> `, or what `set prompt` says.
  static func text(_ session: Session) -> String {
    let settings = session.settings
    let running = session.jobs.count { !$0.job.isOver }
    let width = settings.limits.width.words
    let model = settings.model.description.oneLine
    guard let own = settings.prompt else {
      return "psh \(model) ×\(width)\(running > 0 ? " ⟳\(running)" : "")> "
    }
    return own.replacing("{model}", with: model).replacing("{concurrency}", with: width).replacing(
      "{jobs}", with: "\(running)")
  }

  static func vocabulary(_ session: Session) -> Vocabulary {
    var vocabulary = session.vocabulary
    vocabulary.variables = Set(session.globals.own.map(\.name))
    return vocabulary
  }

  private func runStandardInput() async -> Int32 {
    switch Shell.read("-") {
    case .success(let text): return await shell.run(Source(name: "standard input", text: text))
    case .failure(let misuse):
      shell.console.note("error: \(misuse.description)")
      return shell.finished(ShellSession.ExitStatus.misused)
    }
  }
}
