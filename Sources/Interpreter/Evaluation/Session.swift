import Chat
import Language
import Names
import Scheduling
import Threads

/// One sitting: its variables, settings and jobs.
public final class Session: Sendable {
  public let world: World
  public let globals = Scope(parent: nil)
  public let vocabulary: Vocabulary
  let children = Children()
  let callbacks: CallbackHub
  let conversations = Conversations()
  let listings = Listings()
  let unanswered = Unanswered()
  let retries = RetriesUnderWay()
  let inputs = InputWaits()
  let kept = KeptReplies()
  let underWay = UnderWay()

  private struct State {
    var settings: Settings
    /// Changes with every change of the settings.
    var version = 0
    var jobs = ListedJobs()
    /// What runs in the foreground, the latest last.
    var foreground: [JobHandle] = []
    var nextJob = 1
    var importing: [String] = []
    var draft: String?
    /// The script that it runs; nil at the prompt.
    var script: String?
    /// What has been said once and need not be said again.
    var said: Set<String> = []
  }

  private let state: Mutex<State>
  private let attended = Atomic(false)
  private let interrupted = Atomic(false)
  private let keptBeside = Atomic(false)
  private let sendsNoMore = Atomic(false)
  private let branches = Atomic(0)
  /// A function that branches into itself doubles with each call: that ends with an error, and not with the memory.
  static let mostBranches = 20_000
  /// After ^C in a script.
  var hasStoppedSending: Bool { sendsNoMore.load(ordering: .relaxed) }
  /// On its timekeeper.
  let began: Duration
  /// What `unset model` goes back to.
  let initialModel: ModelName

  public init(world: World, settings: Settings, arguments: [String] = []) {
    self.world = world
    state = Mutex(State(settings: settings))
    initialModel = settings.model
    began = world.engine.time.now
    vocabulary = CommandRegistry.vocabulary
    callbacks = CallbackHub(output: world.output)
    world.engine.limiter.set(settings.limits, by: .program)
    globals.set("args", .list(arguments.map(Value.text)))
  }

  public var settings: Settings { state.withLock { $0.settings } }
  var settingsVersion: Int { state.withLock { $0.version } }

  /// Changes a setting; a limit acts on running jobs at once.
  func change(by author: ChangeAuthor, _ body: (inout Settings) -> Void) {
    let limits = state.withLock { state in
      body(&state.settings)
      state.version += 1
      return state.settings.limits
    }
    let settings = settings
    world.tails.wanted = settings.tails
    world.remote?.move(to: settings.control)
    if world.engine.limiter.limits != limits { world.engine.limiter.set(limits, by: author, rows: launchedRows) }
  }

  /// Moves the width by so many, for a key. One that finds itself is fixed then, from where it stands.
  public func adjustConcurrency(by step: Int) {
    let job = state.withLock { $0.foreground.last?.job ?? $0.jobs.handles.last { !$0.job.isOver }?.job }
    change(by: .terminal) { settings in
      var width = 8
      if case .fixed(let fixed) = settings.limits.width {
        width = fixed
      } else if let job {
        width = world.engine.limiter.standing(of: job).limit
      }
      settings.limits.width = .fixed(min(max(1, width + step), Settings.maximumWidth))
    }
  }

  /// Rows of each running job that are launched, by its number.
  var launchedRows: [Int: Int] {
    Dictionary(reachableJobs.filter { !$0.job.isOver }.map { ($0.job.id, $0.job.progress.launched) }) { first, _ in first }
  }

  // MARK: jobs

  public var jobs: [JobHandle] { state.withLock { $0.jobs.handles } }

  /// Every job that a name can mean: those of the list, and what runs in the foreground, which is in no list.
  public var reachableJobs: [JobHandle] {
    state.withLock { state in
      let listed = state.jobs.handles
      return listed + state.foreground.filter { handle in !listed.contains { $0.job === handle.job } }
    }
  }

  /// The job of this name that runs, or else the last one that did. One that runs comes before what its variable holds from before; and
  /// first of all the one that the variable holds here: a function that runs for many rows has one of this name in each.
  func job(named name: String, in scope: Scope) -> JobHandle? {
    let held: JobHandle? = if case .job(let handle)? = scope.lookup(name) { handle } else { nil }
    if let held, !held.job.isOver { return held }
    let named = reachableJobs.filter { $0.variable == name || $0.job.name == name || $0.job.number.map { "%\($0)" } == name }
    if let running = named.last(where: { !$0.job.isOver }) { return running }
    return held ?? named.last
  }

  /// Prompts that have no answer now, for the exit status.
  public var unansweredPrompts: Int { unanswered.count }

  func makeJob(_ name: String, total: Int?, variable: String? = nil, isListed: Bool) -> JobHandle {
    let handle = state.withLock { state in
      let handle = JobHandle(
        job: Job(id: state.nextJob, name: name, variable: variable, total: total, time: world.engine.time), variable: variable)
      state.nextJob += 1
      if isListed { state.jobs.add(handle) }
      return handle
    }
    handle.job.onEnd { [limiter = world.engine.limiter, id = handle.job.id] in limiter.forget(id) }
    return handle
  }

  /// A job of the list is over: with what it gave, less may be kept of those before it.
  func isOver(_ handle: JobHandle) {
    for (emptied, remains) in state.withLock({ $0.jobs.over(handle) }) { children.empty(emptied, leaving: remains) }
  }

  /// Work has begun that may take long: from now on it can be steered from elsewhere.
  func beginsLongWork() { world.remote?.jobBegan(settings.control) }

  func beginForeground(_ handle: JobHandle) { state.withLock { $0.foreground.append(handle) } }
  func endForeground(_ handle: JobHandle) { state.withLock { state in state.foreground.removeAll { $0 === handle } } }

  /// Ends the wait of a line for a job of the background, which goes on. False where nobody waits for it so.
  public func endWait(for job: Job) -> Bool {
    state.withLock { $0.foreground.last { $0.job === job } }?.letGo() ?? false
  }

  /// Lets go of what runs in the foreground, at the prompt: it goes on in the background, and its variable holds the job until the
  /// line that started it is done.
  ///
  /// - Parameter line: ends when that line has.
  /// - Returns: nil if nothing runs.
  public func detach(until line: Task<Result<Void, any Error>, Never>) -> Job? {
    guard let handle = state.withLock({ $0.foreground.last }) else { return nil }
    if handle.job.number != nil { return handle.job }
    state.withLock { $0.jobs.add(handle) }
    if let variable = handle.variable { globals.set(variable, .job(handle)) }
    Task {
      let result = await line.value
      if !handle.job.isOver { handle.job.finished() }
      // The line's own binding has replaced the job by what it gave.
      handle.finish(result.map { handle.variable.flatMap(globals.lookup) ?? .nothing }) { isOver(handle) }
      world.output.finished(handle.job)
    }
    return handle.job
  }

  public func setPaused(_ paused: Bool, _ job: Job, reason: String? = nil, by author: ChangeAuthor) {
    job.setPaused(paused)
    world.engine.limiter.setPaused(paused, job, reason: reason, by: author, rows: launchedRows)
  }

  /// Whether ^C has ended what the script was doing: what `save` writes after it is not what was meant.
  public var wasInterrupted: Bool { interrupted.load(ordering: .relaxed) }
  public func noteInterrupt() {
    interrupted.store(true, ordering: .relaxed)
    underWay.keep()
  }
  /// A signal ends the program.
  public func noteTermination() { underWay.keep() }
  /// Whether something ends what runs, or the program.
  var isEnding: Bool { underWay.isEnding }

  /// Gives a name a value. While the session ends, what is cancelled gives names to what it has, and that may be nothing: answers that
  /// the variable held before are kept all the same.
  func assign(_ name: String, _ value: Value, in scope: Scope) {
    keepAtEnd(name, in: scope)
    scope.set(name, value)
  }

  /// The part of `assign` that comes before it.
  func keepAtEnd(_ name: String, in scope: Scope) {
    if isEnding { underWay.noteReplaced(name, in: scope) }
  }

  /// Whether rows lie beside the file they were meant for, for the exit status.
  public var hasKeptBeside: Bool { keptBeside.load(ordering: .relaxed) }
  func noteKeptBeside() { keptBeside.store(true, ordering: .relaxed) }

  /// A person is there to say how it goes on: a brake pauses a job then, where it would end one of a script.
  public var isAttended: Bool {
    get { attended.load(ordering: .relaxed) }
    set { attended.store(newValue, ordering: .relaxed) }
  }

  /// Holds a job back after `reason`: at the prompt it waits for a word, in a script it sends no more.
  func brake(_ job: Job, _ reason: String) {
    guard !job.isOver, job.progress.state == .running else { return }
    if isAttended {
      setPaused(true, job, reason: reason, by: .program)
      world.output.note(
        "\(job.name) is paused: \(reason.oneLine)\n  = \(job.number == nil ? "Space goes on, ^C ends it" : "`resume \(job.typedName)` goes on, `cancel \(job.typedName)` ends it")"
      )
    } else {
      job.stopLaunching()
      world.output.note(
        "\(job.name) sends no more: \(reason.oneLine)\n  = `set stop-after` and `set budget` are these brakes"
      )
    }
  }

  /// Nothing more is sent, by whatever runs or comes: what is in flight ends, and the first statement that would send ends the script.
  ///
  /// - Returns: the calls that are in flight; nil where nothing runs that has sent any: there is nothing to lose.
  public func stopSending() -> Int? {
    sendsNoMore.store(true, ordering: .relaxed)
    let running = reachableJobs.map(\.job).filter { !$0.isOver }
    for job in running { job.stopLaunching() }
    inputs.stop()
    world.engine.limiter.close()
    let hasSent = running.contains { job in
      let progress = job.progress
      return progress.launched > 0
    }
    return hasSent ? world.engine.limiter.inUse : nil
  }

  /// Cancels everything that runs; for the end of the session.
  public func cancelAll() {
    for handle in jobs { handle.job.cancel() }
  }

  /// Returns when nothing runs in the background any more.
  public func jobsEnded() async {
    for handle in jobs { _ = try? await handle.value() }
  }

  /// A text that the prompt offers for editing next.
  public func takeDraft() -> String? {
    state.withLock { state in
      defer { state.draft = nil }
      return state.draft
    }
  }

  /// Writes a message that is worth reading once in a session.
  func noteOnce(_ text: String) {
    if state.withLock({ $0.said.insert(text).inserted }) { world.output.note(text.oneLine) }
  }

  func noteLostDigits() { noteOnce("whole numbers past 2^63 are computed with about 16 digits; as data they keep all") }

  /// What others see it called: its script.
  var title: String {
    get { state.withLock { $0.script } ?? "" }
    set { state.withLock { $0.script = newValue } }
  }

  func offer(draft: String) { state.withLock { $0.draft = draft } }

  // MARK: branches

  /// Statements begin that run side by side with what begins them. False, with nothing counted, where there are too many.
  func beginBranches(_ count: Int) -> Bool {
    let sum = branches.add(count, ordering: .relaxed).newValue
    if sum <= Self.mostBranches { return true }
    endBranches(count)
    return false
  }

  func endBranches(_ count: Int) { branches.subtract(count, ordering: .relaxed) }

  // MARK: imports

  /// False if the file is being read already.
  ///
  /// - Parameters:
  ///   - file: `Files.identity`.
  ///   - importer: the file that names it; nil where a line does.
  func beginImport(_ file: String, by importer: String?) -> Bool {
    state.withLock { state in
      if state.importing.isEmpty, let importer { state.importing.append(importer) }
      if state.importing.contains(file) { return false }
      state.importing.append(file)
      return true
    }
  }

  func endImport() {
    state.withLock { state in
      _ = state.importing.popLast()
      // The file that was run itself, where the outermost import ends.
      if state.importing.count == 1 { state.importing = [] }
    }
  }

  var rootContext: Context {
    Context(session: self, scope: globals, source: Source(name: "", text: ""), children: children)
  }
}
