import Chat
import Language
import Scheduling
import Secrets
import Threads

/// Where a piece of the tree runs: what it can see, what holds for its calls, whose slots they take.
///
/// It is handed on several times a row, and each reference in it is counted each time: what is the same for most rows of a statement
/// stands apart (`Around`), behind one reference.
struct Context: Sendable {
  var scope: Scope
  /// The job whose share of the width calls take; nil at the top, where each command has a job of its own.
  var jobScope: JobScope?
  /// The row that this runs for, or within.
  var row: BegunRow?
  /// Whether it runs for a row of what was launched.
  var isInRow: Bool { row !== launchedBy }
  /// Where calls are noted that may turn out not to be needed.
  var attempted: Attempted?
  /// What parts of the statement around, or of the row, have brought so far.
  var inHand: InHand?
  /// What flags gave the parameters of the prompt that is sent, for the reply's `settings`.
  var parameters: [(name: String, value: Value)] = [] { didSet { resolved = nil } }
  /// The settings worked out already, for the many rows of one stage.
  var resolved: ResolvedSettings?
  /// `Context+Around.swift` names its parts as the context's own.
  var around: CopyOnWrite<Around>

  init(session: Session, scope: Scope, source: Source, children: Children) {
    self.scope = scope
    around = CopyOnWrite(Around(session: session, source: source, children: children))
  }

  /// What is outside, as whatever runs here reaches it.
  var world: World {
    guard let output else { return session.world }
    var world = session.world
    world.output = output
    return world
  }

  var job: Job? { jobScope?.job }

  /// Where what is loaded here is waited for: ^C at the prompt ends the waits of its line, and not those of the background.
  var inputs: InputWaits { tracker == nil ? line?.inputs ?? session.inputs : session.inputs }

  struct Override: Sendable {
    var setting: SettingDefinition
    var value: Value
  }

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

  /// The same for an operation on values some of which a row may lack.
  func located<T>(_ span: Span, on values: @autoclosure () -> [Value], _ body: () throws(OperationError) -> T) throws -> T {
    do { return try located(span, body) } catch let problem as Diagnostic { throw lacking(values(), problem) }
  }

  /// What an operation broke with. A row without an answer has no data: where one of the values is nothing, that is why, and no mistake
  /// in the rule.
  func lacking(_ values: [Value], _ problem: Diagnostic) -> Diagnostic {
    guard problem.cause == nil, values.contains(where: \.isNothing), let failure = scope.failureOfRow, let span = problem.span else {
      return problem
    }
    return noAnswer(failure, at: span)
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

  /// Of one that is over nothing is kept but that it failed, if it did.
  func empty(_ handle: JobHandle, leaving remains: JobHandle) {
    handles.withLock { handles in
      guard let index = handles.firstIndex(where: { $0 === handle }) else { return }
      if case .failure? = handle.finished { handles[index] = remains } else { handles.remove(at: index) }
    }
  }

  func takeAll() -> [JobHandle] {
    handles.withLock { handles in
      defer { handles = [] }
      return handles
    }
  }
}
