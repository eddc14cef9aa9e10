import Chat
import Language
import Scheduling
import Threads

/// Where a piece of the tree runs: what it can see, what holds for its calls, whose slots they take.
struct Context: Sendable {
  let session: Session
  var scope: Scope
  var source: Source
  /// What `with` has set for the block around, over the session's settings.
  var overrides: [Override] = [] { didSet { resolved = nil } }
  /// The job whose share of the width calls take; nil at the top, where each command has a job of its own.
  var jobScope: JobScope?
  /// The row that this runs for, or within.
  var row: BegunRow?
  /// The job that a background statement or block gave to its first rows, for progress.
  var tracker: Tracker?
  /// Calls of user functions around this one.
  var depth = 0
  /// Work started with `&` in this function, waited for at its end.
  var children: Children
  /// Where replies are shown side by side as they come, a column a row.
  var board: (any Board)?
  /// What the statement around has to say when it is over; nil where none runs.
  var remarks: Remarks?
  /// What the rows have among them that go through the stages here; nil outside of rows.
  var rowFields: RowFields?
  /// Whether the value of a statement is shown: at the prompt and in a script's own blocks, not in functions.
  var showsValues = false

  var job: Job? { jobScope?.job }

  struct Override: Sendable {
    var setting: SettingDefinition
    var value: Value
  }

  /// The overrides worked out already, for the many rows of one stage.
  var resolved: ResolvedSettings?

  /// The settings a call made here has.
  var settings: Settings {
    if let resolved { return resolved.settings(session) }
    return unresolvedSettings
  }

  private var unresolvedSettings: Settings {
    var settings = session.settings
    for override in overrides { override.setting.put(&settings, override.value) }
    return settings
  }

  func error(_ message: String, at span: Span?, help: String? = nil) -> Diagnostic {
    Diagnostic(message, at: span, help: help).located(in: source)
  }

  /// Runs an operation that does not know where it stands.
  func located<T>(_ span: Span, _ body: () throws(OperationError) -> T) throws(Diagnostic) -> T {
    do throws(OperationError) {
      return try body()
    } catch {
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

/// A stage's settings: the session's with overrides over them, worked out anew only when the session's change.
final class ResolvedSettings: Sendable {
  private let overrides: [Context.Override]
  private let cached = Mutex<(version: Int, settings: Settings)?>(nil)

  init(_ overrides: [Context.Override]) {
    self.overrides = overrides
  }

  func settings(_ session: Session) -> Settings {
    let version = session.settingsVersion
    if let settings = cached.withLock({ $0?.version == version ? $0?.settings : nil }) { return settings }
    var settings = session.settings
    for override in overrides { override.setting.put(&settings, override.value) }
    let worked = settings
    cached.withLock { $0 = (version, worked) }
    return worked
  }
}
