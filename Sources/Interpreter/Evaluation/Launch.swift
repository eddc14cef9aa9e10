import Language
import Threads

/// What a statement was when it began: the settings that shape an answer, the values of the names it could see, the providers'
/// addresses and keys. Its rows keep to that, whatever the session is told meanwhile. What decides *when* a call goes (widths, rates,
/// budgets, time-outs, retries, hedging) is not in it: that stays live.
final class Launch: Sendable {
  private static let count = Atomic(0)

  let id: Int
  /// The session's, with an outer launch's over them.
  private let settings: Settings
  /// Where providers were then (`ModelDirectory.version`).
  let directory: Int
  private let outer: Launch?

  private struct State {
    /// Frozen copies by the scope they are of. Where that is gone, another may have its address.
    var scopes: [ObjectIdentifier: Scope] = [:]
    /// What `set … for JOB` had changed in all, after each of them.
    var changes: [[Context.Override]] = [[]]
    /// Settings that a sweep of it tries several values of.
    var axes: Set<String> = []
    var merged: (version: Int, settings: Settings)?
  }

  private let state = Mutex(State())

  /// Freezes what can be seen from a scope now.
  init(_ session: Session, _ scope: Scope, within outer: Launch?) {
    id = Self.count.add(1, ordering: .relaxed).newValue
    self.outer = outer
    settings = outer?.settings(session) ?? session.settings
    directory = outer?.directory ?? session.world.directory.version
    _ = frozen(scope)
  }

  // MARK: scopes

  /// The scope as it was at the launch. One that was made since belongs to the launch and stays as it is.
  func frozen(_ scope: Scope) -> Scope {
    if scope.launch == id { return scope }
    let scope = outer?.frozen(scope) ?? scope
    if let known = state.withLock({ $0.scopes[ObjectIdentifier(scope)] }), known.isCopy(of: scope) { return known }
    let copy = Scope(freezing: scope, parent: scope.parent.map(frozen), launch: id)
    return state.withLock { state in
      if let known = state.scopes[ObjectIdentifier(scope)], known.isCopy(of: scope) { return known }
      state.scopes[ObjectIdentifier(scope)] = copy
      return copy
    }
  }

  // MARK: the end

  private let hasRowsToRetry = Atomic(false)

  /// A row that failed keeps it, to be made again.
  func noteRowToRetry() {
    if hasRowsToRetry.exchange(true, ordering: .relaxed) { return }
    outer?.noteRowToRetry()
  }

  /// The statement is over. Rows that failed keep of what it could see what is named in it, or in the functions it names: a session
  /// would else hold all its variables as they were at each statement of which a row failed.
  func settle(_ statement: String) {
    guard hasRowsToRetry.load(ordering: .relaxed) else { return }
    let scopes = state.withLock { Array($0.scopes.values) }
    let names = Self.names(in: statement, scopes)
    for scope in scopes { scope.keep(only: names) }
  }

  /// What may be named in a text, or in the functions that it names, as far as they can be seen from one of the scopes.
  static func names(in text: String, _ scopes: [Scope]) -> Set<String> {
    var names: Set<String> = []
    var texts = [text]
    while !texts.isEmpty {
      let new = Set(texts.flatMap(words)).subtracting(names)
      names.formUnion(new)
      texts = scopes.flatMap { $0.texts(of: new) }
    }
    return names
  }

  /// Whatever in a text may be a name.
  private static func words(_ text: String) -> [String] {
    text.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
  }

  // MARK: settings

  /// Changes with every `set … for JOB`.
  var version: Int { state.withLock { $0.changes.count - 1 } }

  /// What was fixed at the launch, with what is live as it stands now.
  func settings(_ session: Session) -> Settings {
    let now = session.settingsVersion
    if let known = state.withLock({ $0.merged }), known.version == now { return known.settings }
    var merged = settings
    let live = session.settings
    for setting in SettingDefinition.all where setting.isLive { setting.put(&merged, setting.get(live)) }
    state.withLock { [merged] in $0.merged = (now, merged) }
    return merged
  }

  /// What `set … for JOB` had changed by then, the later over the earlier.
  func changes(at version: Int) -> [Context.Override] { state.withLock { $0.changes[min(version, $0.changes.count - 1)] } }

  /// An answer setting of the rows that are not sent yet.
  func change(_ settings: [Context.Override]) {
    state.withLock { state in
      var all = state.changes[state.changes.count - 1]
      for change in settings {
        all.removeAll { $0.setting.name == change.setting.name }
        all.append(change)
      }
      state.changes.append(all)
    }
  }

  private let makesAgain = Atomic(false)

  /// Its rows are made again as they were.
  var isRetry: Bool { makesAgain.load(ordering: .relaxed) }
  func noteRetry() { makesAgain.store(true, ordering: .relaxed) }

  func note(axes: some Sequence<String>) { state.withLock { $0.axes.formUnion(axes) } }
  func isAxis(_ setting: String) -> Bool { state.withLock { $0.axes.contains(setting) } }
}

extension Pipeline {
  /// Whether it is a `retry`.
  var isRetry: Bool {
    if case .command(let command)? = stages.first { CommandRegistry.named(command.name.text)?.name == "retry" } else { false }
  }

  /// The settings that its commands are given lists of, as far as they stand there in words.
  var writtenAxes: [String] {
    stages.flatMap { stage -> [String] in
      guard case .command(let command) = stage else { return [] }
      return command.flags.compactMap { flag in
        guard case .list(let values)? = flag.value?.node, values.count > 1 else { return nil }
        return SettingDefinition.named(flag.name.text)?.name
      }
    }
  }

  /// Whether it can launch nothing: no command runs for it, and functions that it calls launch for themselves.
  var isPlain: Bool {
    stages.allSatisfy { if case .expression(let expression) = $0 { expression.isPlain } else { false } }
  }
}

extension Expression {
  fileprivate var isPlain: Bool {
    switch node {
    case .nothing, .bool, .int, .number, .duration, .name, .job: true
    case .pipeline, .block: false
    case .text(let pieces): pieces.allSatisfy { if case .hole(let inner) = $0 { inner.isPlain } else { true } }
    case .list(let elements): elements.allSatisfy(\.isPlain)
    case .record(let members): members.allSatisfy(\.value.isPlain)
    case .field(let base, _): base.isPlain
    case .index(let base, let index): base.isPlain && index.isPlain
    case .call(let callee, let arguments): callee.isPlain && arguments.allSatisfy(\.value.isPlain)
    case .unary(_, let operand): operand.isPlain
    case .binary(_, let left, let right), .range(let left, let right): left.isPlain && right.isPlain
    }
  }
}
