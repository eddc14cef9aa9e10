import Control
import Interpreter
import Language
import Names
import Scheduling
import Terminal
import Threads

/// The session's end of its control socket: opens it with the first job, answers what is asked through it, takes it away at the end.
final class ControlHost: RemoteControl {
  /// Lines of all peers that wait for their turn.
  private static let mostWaiting = 1000
  /// How often those who watch are shown the state.
  private static let period: Duration = .milliseconds(200)

  private struct State {
    weak var session: Session?
    var server: ControlServer?
    /// Where `server` is, or was tried.
    var place: ControlPlace?
    var isOver = false
    /// Requests that wait; whether somebody works through them.
    var waiting: [(request: ControlRequest, peer: ControlPeer)] = []
    var isWorking = false
    var isShowing = false
  }

  private let state = Mutex(State())
  private let console: Console

  init(console: Console) {
    self.console = console
  }

  func serve(_ session: Session) { state.withLock { $0.session = session } }

  // MARK: the door

  func jobBegan(_ place: ControlPlace) {
    let isNew = state.withLock { state in
      guard !state.isOver, state.place != place else { return false }
      state.place = place
      return true
    }
    if isNew { open(place) }
  }

  func move(to place: ControlPlace) {
    let (wasTried, former) = state.withLock { state -> (Bool, ControlServer?) in
      guard state.place != nil, state.place != place else { return (false, nil) }
      defer { (state.server, state.place) = (nil, nil) }
      return (true, state.server)
    }
    guard wasTried else { return }
    former?.close("it lets nobody in here any more (`set control`)")
    let hasJobs = state.withLock { $0.session }?.reachableJobs.contains { !$0.job.isOver } ?? false
    if hasJobs { jobBegan(place) }
  }

  /// Nobody is let in any more, and nothing is left behind.
  func close() {
    let server = state.withLock { state in
      state.isOver = true
      defer { state.server = nil }
      return state.server
    }
    server?.close()
  }

  private func open(_ place: ControlPlace) {
    switch place {
    case .off: return
    case .path(let path):
      do throws(ControlProblem) { take(try ControlServer(path: path, handler: handle)) } catch { cannot(error) }
    case .on:
      var unsafe: ControlProblem?
      for folder in UserFolders.control {
        // The state folder may not be there yet: a script is often the first that runs.
        if let state = UserFolders.state, folder.path.hasPrefix(state + "/") { _ = UserFolders.problem(making: state) }
        do throws(ControlProblem) {
          take(try ControlServer(path: folder.socket(of: Int32(HostSystem.processNumber)), in: folder, handler: handle))
          if let unsafe { console.note("warning: \(unsafe); the control socket lies in \(folder.path)".oneLine) }
          return
        } catch {
          // A home that is not there or cannot be written is no news: most scripts are steered by nobody.
          if error.isUnsafe { unsafe = unsafe ?? error }
        }
      }
      if let unsafe { cannot(unsafe) }
    }
  }

  private func cannot(_ problem: ControlProblem) {
    console.note(
      "warning: nobody can attach to this session: \(problem.description.oneLine)\n  = `set control PATH` puts its socket elsewhere, `set control off` makes none"
    )
  }

  private func take(_ server: ControlServer) {
    let isLate = state.withLock { state in
      if !state.isOver { state.server = server }
      return state.isOver
    }
    if isLate { server.close() }
  }

  // MARK: requests

  /// On the control thread: leaves the request to a task.
  private func handle(_ request: ControlRequest, _ peer: ControlPeer) {
    enum Next { case work, wait, refuse }
    let next = state.withLock { state -> Next in
      if state.waiting.count >= Self.mostWaiting { return .refuse }
      state.waiting.append((request, peer))
      defer { state.isWorking = true }
      return state.isWorking ? .wait : .work
    }
    switch next {
    case .wait: break
    case .refuse: peer.refuse("too many lines wait already")
    case .work: Task { await work() }
    }
  }

  private func work() async {
    while let (request, peer) = takeNext() { await answer(request, peer) }
  }

  private func takeNext() -> (ControlRequest, ControlPeer)? {
    state.withLock { state in
      state.isWorking = !state.waiting.isEmpty
      return state.isWorking ? state.waiting.removeFirst() : nil
    }
  }

  private func answer(_ request: ControlRequest, _ peer: ControlPeer) async {
    guard let session = state.withLock({ $0.session }) else { return }
    switch request {
    case .status: peer.send(.status(session.status))
    case .watch(let isOn): if isOn { startShowing() }
    case .run(let line, let why, let columns): peer.send(.end(await run(line, why, columns, session, peer)))
    }
  }

  /// - Returns: the exit status that the line would give a script.
  private func run(_ line: String, _ why: String?, _ columns: Int?, _ session: Session, _ peer: ControlPeer) async -> Int {
    let output = PeerOutput(peer, columns: columns)
    let name = "attach\(peer.process.map { " \($0)" } ?? "")"
    let source = Source(name: name, text: line)
    let parsed = Parser.parse(source, vocabulary: Prompt.vocabulary(session))
    if let wrong = parsed.diagnostics.first ?? session.check(source).first(where: { $0.severity == .error })
      ?? session.refusal(of: parsed.program)
    {
      output.note(wrong.formatted())
      return Int(ShellSession.ExitStatus.misused)
    }
    switch await session.steer(parsed.program, by: .attached(pid: peer.process, why: why.map(ControlGuard.line)), answering: output) {
    case .success: return Int(ShellSession.ExitStatus.fine)
    case .failure(let error):
      output.note((error as? Diagnostic)?.formatted() ?? "error: \(error)")
      return Int(ShellSession.ExitStatus.scriptFailed)
    }
  }

  // MARK: those who watch

  private func startShowing() {
    let isNew = state.withLock { state in
      defer { state.isShowing = true }
      return !state.isShowing
    }
    if isNew { Task { await showAll() } }
  }

  private func showAll() async {
    while let (session, server) = whoIsShown() {
      server.show(session.status)
      try? await Task.sleep(for: Self.period)
    }
  }

  private func whoIsShown() -> (Session, ControlServer)? {
    let (session, server) = state.withLock { ($0.session, $0.server) }
    if let session, let server, server.isWatched { return (session, server) }
    state.withLock { $0.isShowing = false }
    // Who began to watch meanwhile found somebody showing.
    if server?.isWatched == true { startShowing() }
    return nil
  }
}
