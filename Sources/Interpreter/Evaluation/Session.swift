import Chat
import Language
import Scheduling
import Synchronization

/// One sitting: its variables, settings and jobs.
public final class Session: Sendable {
  public let world: World
  public let globals = Scope(parent: nil)
  public let vocabulary: Vocabulary
  let children = Children()
  let callbacks: CallbackHub
  let conversations = Conversations()

  private struct State {
    var settings: Settings
    /// Changes with every change of the settings.
    var version = 0
    var jobs: [JobHandle] = []
    var nextJob = 1
    /// Jobs nobody is told of count down from -1, so that the numbers people see have no gaps.
    var nextHidden = -1
    var failedPrompts = 0
    var importing: [String] = []
  }

  private let state: Mutex<State>
  /// What `unset model` goes back to.
  let initialModel: ModelName

  public init(world: World, settings: Settings, arguments: [String] = []) {
    self.world = world
    state = Mutex(State(settings: settings))
    initialModel = settings.model
    vocabulary = CommandRegistry.vocabulary
    callbacks = CallbackHub(output: world.output)
    world.engine.limiter.limit = settings.concurrency
    globals.set("args", .list(arguments.map(Value.text)))
  }

  public var settings: Settings { state.withLock { $0.settings } }
  var settingsVersion: Int { state.withLock { $0.version } }

  /// Changes a setting; a limit acts on running jobs at once.
  func change(_ body: (inout Settings) -> Void) {
    let limit = state.withLock { state in
      body(&state.settings)
      state.version += 1
      return state.settings.concurrency
    }
    if world.engine.limiter.limit != limit { world.engine.limiter.limit = limit }
  }

  // MARK: jobs

  public var jobs: [JobHandle] { state.withLock { $0.jobs } }

  /// Prompts that ended without an answer, for the exit status.
  public var failedPrompts: Int { state.withLock { $0.failedPrompts } }

  func notePrompts(failed: Int) { state.withLock { $0.failedPrompts += failed } }

  func makeJob(_ name: String, total: Int?, variable: String? = nil, isListed: Bool) -> JobHandle {
    state.withLock { state in
      let id = isListed ? state.nextJob : state.nextHidden
      let handle = JobHandle(job: Job(id: id, name: name, total: total, time: world.engine.time), variable: variable)
      if isListed { state.nextJob += 1 } else { state.nextHidden -= 1 }
      guard isListed else { return handle }
      // What is over leaves the list when it grows long; its variable keeps the result.
      if state.jobs.count > 100 { state.jobs.removeAll { $0.job.isOver } }
      state.jobs.append(handle)
      return handle
    }
  }

  public func setPaused(_ paused: Bool, _ job: Job) {
    job.setPaused(paused)
    world.engine.limiter.setPaused(paused, job)
  }

  /// Cancels everything that runs; for the end of the session.
  public func cancelAll() {
    for handle in jobs { handle.job.cancel() }
  }

  // MARK: imports

  /// False if the file is being imported already.
  func beginImport(_ path: String) -> Bool {
    state.withLock { state in
      if state.importing.contains(path) { return false }
      state.importing.append(path)
      return true
    }
  }

  func endImport() { state.withLock { _ = $0.importing.popLast() } }

  var rootContext: Context {
    Context(session: self, scope: globals, source: Source(name: "", text: ""), children: children)
  }
}
