import Chat
import Language
import Scheduling
import Secrets
import Threads

/// Where a piece of the tree runs: what it can see, what holds for its calls, whose slots they take.
struct Context: Sendable {
  let session: Session
  var scope: Scope
  var source: Source
  /// What `with` has set for the block around, over the session's settings.
  var overrides: [Override] = [] { didSet { resolved = nil } }
  /// How many of them were there when the statement's rows were launched: what `set … for JOB` says comes after these.
  var launchedOverrides: Int?
  /// What the statement was that this belongs to: in a row or in the background all keeps to it.
  var launch: Launch?
  /// What the statement was when it began, for the rows that it may yet launch.
  var begun: Launch?
  /// The job whose share of the width calls take; nil at the top, where each command has a job of its own.
  var jobScope: JobScope?
  /// The row that this runs for, or within.
  var row: BegunRow?
  /// The job that a background statement or block gave to its first rows, for progress.
  var tracker: Tracker?
  /// Calls of user functions around this one.
  var depth = 0
  /// Calls of user functions and prompts around this one, and values of their parameters that stand in their definitions.
  var nesting = 0
  /// Work started with `&` in this function, waited for at its end.
  var children: Children
  /// Where replies are shown side by side as they come, a column a row.
  var board: (any Board)?
  /// Where calls are noted that may turn out not to be needed.
  var attempted: Attempted?
  /// What the statement around has to say when it is over; nil where none runs.
  var remarks: Remarks?
  /// What the rows have among them that go through the stages here; nil outside of rows.
  var rowFields: RowFields?
  /// What parts of expressions gave that are the same for all these rows.
  var invariants: Invariants?
  /// Where a pipeline's rows are kept that were paid for, until it has ended.
  var paid: PaidRows?
  /// Whether the value of a statement is shown: at the prompt and in a script's own blocks, not in functions.
  var showsValues = false
  /// Whether this is the block of an `on`.
  var isCallback = false
  /// Where a line that came from elsewhere is answered; nil for the session's own output.
  var output: (any Output)?
  /// The line of the prompt that this is part of; nil in a script.
  var line: LineInHand?

  /// What is outside, as whatever runs here reaches it.
  var world: World {
    guard let output else { return session.world }
    var world = session.world
    world.output = output
    return world
  }

  var job: Job? { jobScope?.job }

  struct Override: Sendable {
    var setting: SettingDefinition
    var value: Value
  }

  /// Settings that a retry names: they come over all that the call had.
  var retried: [Override] = [] { didSet { resolved = nil } }

  /// What flags gave the parameters of the prompt that is sent, for the reply's `settings`.
  var parameters: [(name: String, value: Value)] = [] { didSet { resolved = nil } }

  /// The settings worked out already, for the many rows of one stage.
  var resolved: ResolvedSettings?

  /// The settings a call made here has.
  var settings: Settings { sent.settings }

  /// The same, as a reply keeps them.
  var sent: AnswerSettings { (resolved ?? ResolvedSettings(self)).settings(session, for: row) }

  /// This context for rows: they keep to what the statement was when it began.
  var launched: Context {
    if launch != nil { return self }
    var context = self
    let launch = begun ?? Launch(session, scope, within: nil)
    context.launch = launch
    context.launchedOverrides = overrides.count
    context.scope = launch.frozen(scope)
    return context
  }

  func error(_ message: String, at span: Span?, help: String? = nil) -> Diagnostic {
    Diagnostic(Redactor.hide(message), at: span, help: help).located(in: source)
  }

  /// Runs an operation that does not know where it stands.
  func located<T>(_ span: Span, _ body: () throws(OperationError) -> T) throws -> T {
    do throws(OperationError) {
      return try body()
    } catch {
      if error.isCancelled { throw CancellationError() }
      var diagnostic = self.error(error.message, at: span, help: error.help)
      diagnostic.cause = error.cause?.rawValue
      throw diagnostic
    }
  }
}

/// A job that was made before the rows whose progress it shows; the first rows to run claim it.
final class Tracker: Sendable {
  let handle: JobHandle
  private let isClaimed = Atomic(false)

  init(_ handle: JobHandle) {
    self.handle = handle
  }

  func claim() -> JobHandle? {
    isClaimed.exchange(true, ordering: .acquiringAndReleasing) ? nil : handle
  }
}

/// Background work of one function or script.
final class Children: Sendable {
  private let handles = Mutex<[JobHandle]>([])

  func add(_ handle: JobHandle) {
    handles.withLock { $0.append(handle) }
  }

  func takeAll() -> [JobHandle] {
    handles.withLock { handles in
      defer { handles = [] }
      return handles
    }
  }
}
