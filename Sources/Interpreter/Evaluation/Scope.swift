import Chat
import Language
import Threads

/// Names and their values. A function's body has a scope of its own; blocks of `if`, `for`, `try`, `with` share their function's.
///
/// A row's scope is fixed: the item as `it`, its place as `index`, and the item's fields under their own names.
public final class Scope: Sendable {
  let parent: Scope?
  private let row: Row?
  /// Names that cannot be set here: what is set goes to the scope around.
  private let fixed: [String: Value]
  /// The launch that it belongs to: frozen by it, or made within it. Nil for the session's own.
  let launch: Int?
  /// Whether it is a copy of another scope, for a launch.
  private let isFrozen: Bool
  /// What a frozen scope is a copy of: what is set here is set there too. Of a function that is over nobody can read anything: its
  /// variables may hold rows that hold this copy.
  private weak let original: Scope?
  /// Told of what is read of the row around; this scope has nothing of its own then.
  private let probe: RowProbe?
  /// That of a prompt's parameters, which are to its text what a row's fields are to an expression.
  private let isPrompt: Bool
  private let variables: Mutex<[String: Value]>
  /// Whether functions and prompts of its own stand in it without it: it would hold itself.
  private let isDetached: Atomic<Bool>
  /// Whether a callback may still run in it.
  private let hasCallback = Atomic(false)

  /// That of a function which stands in the scope it was defined in.
  static let nowhere = Scope(parent: nil)

  struct Row: Sendable {
    var it: Value
    var index: Int
    /// What the other rows of the list have; nil where a row stands alone.
    var others: RowFields?
  }

  init(parent: Scope?, row: Row? = nil, fixed: [String: Value] = [:], isPrompt: Bool = false) {
    self.parent = parent
    self.isPrompt = isPrompt
    self.row = row
    self.fixed = fixed
    launch = parent?.launch
    (isFrozen, original) = (false, nil)
    probe = nil
    variables = Mutex([:])
    isDetached = Atomic(false)
  }

  /// The same names as in a scope within a row; what is read of the row is told of.
  init(probing scope: Scope, _ probe: RowProbe) {
    parent = scope
    row = nil
    fixed = [:]
    launch = scope.launch
    (isFrozen, original) = (false, nil)
    self.probe = probe
    isPrompt = false
    variables = Mutex([:])
    isDetached = Atomic(false)
  }

  /// A scope as it is now, for a launch. Values never change, so this copies a reference.
  init(freezing scope: Scope, parent: Scope?, launch: Int) {
    self.parent = parent
    row = scope.row
    fixed = scope.fixed
    self.launch = launch
    (isFrozen, original) = (true, scope)
    probe = nil
    isPrompt = scope.isPrompt
    var own = scope.variables.withLock { $0 }
    // The session's own is never let go of. Another is not held by its copy, which rows hold that it may hold.
    let holdsCode = parent != nil && own.values.contains(where: \.holdsCode)
    if holdsCode { own = own.mapValues { $0.detached(from: scope) } }
    variables = Mutex(own)
    isDetached = Atomic(holdsCode)
  }

  /// Rows that failed keep the scope they were launched in, whose variables may hold such rows: from launch to launch that is a chain.
  deinit {
    if !isFrozen { return }
    releaseInTurn {
      variables.withLock { variables in
        defer { variables = [:] }
        return variables
      }
    }
  }

  /// The session's own variables behind a frozen scope.
  var live: Scope { original?.live ?? self }

  func isCopy(of scope: Scope) -> Bool { isFrozen && original === scope }

  // MARK: the end

  /// Whether rows that are made again can keep it as it is.
  var isKept: Bool { isFrozen || parent == nil || launch == nil }

  /// A scope that rows can keep which are made again in it: a copy of one that is not frozen, with these names only.
  func kept(_ names: Set<String>?) -> Scope {
    guard !isKept, let parent, let launch else { return self }
    let copy = Scope(freezing: self, parent: parent.kept(names), launch: launch)
    if let names { copy.keep(only: names) }
    return copy
  }

  /// A callback was set in it, which runs after it is over.
  func keepForCallback() {
    hasCallback.store(true, ordering: .relaxed)
    parent?.keepForCallback()
  }

  /// Its function is over, and gave this: what nobody can read any more is let go of.
  ///
  /// A function that is given out can read all of it, and rows that are made again may run one that was defined here.
  func end(giving value: Value) {
    if isFrozen || hasCallback.load(ordering: .relaxed) { return }
    let held = variables.withLock { $0 }
    if held.isEmpty { return }
    let holdsCode = held.values.contains(where: \.holdsCode)
    guard value.holdsCode || value.holdsOrigins && holdsCode else {
      return releaseInTurn {
        variables.withLock { $0 = [:] }
        return held
      }
    }
    if holdsCode { isDetached.store(true, ordering: .releasing) }
    releaseInTurn {
      variables.withLock { $0 = held.mapValues { $0.withoutOrigins.detached(from: self) } }
      return held
    }
  }

  private func own(_ name: String) -> Value? {
    guard let value = variables.withLock({ $0[name] }) else { return nil }
    return isDetached.load(ordering: .acquiring) ? value.attached(to: self) : value
  }

  /// Lets go of a frozen scope's variables but for these names; functions and prompts stay, which are small.
  func keep(only names: Set<String>) {
    guard isFrozen else { return }
    releaseInTurn {
      variables.withLock { variables -> [String: Value] in
        let all = variables
        variables = all.filter { name, value in
          switch value {
          case .function, .prompt: true
          default: names.contains(name)
          }
        }
        return all
      }
    }
  }

  /// What is written in the functions and prompts of these names, or in what they hold, as far as they can be seen from here.
  func texts(of names: Set<String>) -> [String] { names.flatMap { lookup($0)?.textsWithin ?? [] } }

  func lookup(_ name: String) -> Value? {
    if probe != nil { return probed(name) }
    if let row {
      if name == "it" { return row.it }
      if name == "index" { return .int(row.index) }
      if let field = row.it.field(name) { return field }
      if row.others?.contains(name) == true { return .nothing }
      if parent?.isRow == true, let found = parent?.lookup(name) { return found }
    }
    if !fixed.isEmpty, let value = fixed[name] { return value }
    if let value = own(name) { return value }
    if let value = parent?.lookup(name) { return value }
    // What is no reply, nor a list with one in it, has not failed: `each xs f | where not failed` holds for whatever `f` returns.
    return name == "failed" ? row.map { .bool($0.it.rowFailure != nil) } : nil
  }

  /// Whether another row of the list has a field of this name.
  func isField(_ name: String) -> Bool { (probe == nil ? row?.others?.contains(name) : parent?.isField(name)) == true }

  private var isRow: Bool { row != nil || probe != nil && parent?.isRow == true }

  /// Why a name that reads a row's field is nothing: its reply failed and the field is what it would have said, or the call for a column.
  func noAnswer(reading name: String) -> Failure? {
    if probe != nil { return parent?.noAnswer(reading: name) }
    // A block within the row's expression reads the same row, but for what it has set itself.
    guard let row else { return isEdge || fixed[name] != nil || own(name) != nil ? nil : parent?.noAnswer(reading: name) }
    if name == "it" || name == "index" { return nil }
    if let failure = row.it.noAnswer(reading: name) { return failure }
    return row.it.field(name) == nil && parent?.isRow == true ? parent?.noAnswer(reading: name) : nil
  }

  /// Why the row around has no answer.
  var failureOfRow: Failure? {
    if let probe { probe.touch() }
    guard let row else { return isEdge ? nil : parent?.failureOfRow }
    return row.it.failure ?? (parent?.isRow == true ? parent?.failureOfRow : nil)
  }

  /// Whether the row around answers otherwise than asked: it is data, and what it lacks makes a rule false rather than broken.
  var isWrongAnswer: Bool {
    if let probe {
      probe.touch()
      return parent?.isWrongAnswer ?? false
    }
    guard case .reply(let reply)? = row?.it else { return !isPrompt && parent?.isWrongAnswer ?? false }
    return reply.reply.attempt.wrong != nil
  }

  /// Whether the row around is what a function failed for.
  var isFailedResult: Bool {
    if let probe {
      probe.touch()
      return parent?.isFailedResult ?? false
    }
    guard case .reply(let reply)? = row?.it else { return !isPrompt && parent?.isFailedResult ?? false }
    return !reply.reply.succeeded && reply.reply.messages.isEmpty
  }

  // MARK: what is read of a row

  /// Whether it belongs to one row: is the row's, or that of a prompt made for it, or within one of these.
  var isInRow: Bool { isEdge || parent?.isInRow == true }
  private var isEdge: Bool { row != nil || isPrompt }

  /// Whether the row around, or what was set for it, has this name.
  func rowHas(_ name: String) -> Bool { ofRow(name) != nil }

  /// The names that what was not worked out again might have found in the row.
  func noteMissed(_ names: Set<String>) {
    if let probe { for name in names { probe.miss(name) } }
    if !isEdge { parent?.noteMissed(names) }
  }

  /// What a name means from the row around inwards; nil where it comes from outside.
  private func ofRow(_ name: String) -> Value? {
    if let row {
      if name == "it" { return row.it }
      if name == "index" { return .int(row.index) }
      return row.it.field(name) ?? (row.others?.contains(name) == true ? .nothing : nil)
    }
    return own(name) ?? (isEdge ? nil : parent?.ofRow(name))
  }

  private func probed(_ name: String) -> Value? {
    if let found = ofRow(name) {
      noteTouched()
      return found
    }
    noteMissed([name])
    let found = parent?.lookup(name)
    // It tells of the row where no variable has the name.
    if name == "failed" { noteTouched() }
    return found
  }

  private func noteTouched() {
    probe?.touch()
    if !isEdge { parent?.noteTouched() }
  }

  // MARK: giving names values

  /// The scope whose variable it is that `set` gives a value.
  var home: Scope { row != nil || !fixed.isEmpty ? parent?.home ?? self : self }

  /// What `set` would replace.
  func held(_ name: String) -> Value? { home.variables.withLock { $0[name] } }

  /// The same as it is now: of a frozen copy, in the scope that it is a copy of.
  func heldNow(_ name: String) -> Value? {
    let home = home
    return home.original.map { $0.heldNow(name) } ?? home.held(name)
  }

  /// Gives a name a value in this scope (of a row: in the function's around it).
  func set(_ name: String, _ value: Value?) {
    if row != nil || !fixed.isEmpty, let parent { return parent.set(name, value) }
    if isFrozen, parent != nil, let code = value, code.holdsCode {
      isDetached.store(true, ordering: .releasing)
      variables.withLock { $0[name] = code.detached(from: self) }
    } else {
      variables.withLock { $0[name] = value }
    }
    original?.set(name, value)
  }

  /// Adds to the end of a list or text in place: what a loop gathers is not copied for each step. False, with nothing done, where the
  /// variable holds something else or the values do not fit.
  func grow(_ name: String, by values: [Value]) -> Bool {
    if row != nil || !fixed.isEmpty, let parent { return parent.grow(name, by: values) }
    // What is set in a frozen scope is set twice.
    if isFrozen { return false }
    return variables.withLock { variables in
      switch variables[name] {
      case .list? where values.allSatisfy({ if case .list = $0 { true } else { false } }): break
      case .text? where values.allSatisfy({ $0.asText != nil }): break
      default: return false
      }
      // Taken out while it grows, so that nobody shares its storage.
      var held = variables.removeValue(forKey: name)
      if case .list(var list)? = held {
        held = nil
        for value in values { list.append(contentsOf: value.elements ?? []) }
        variables[name] = .list(list)
      } else if case .text(var text)? = held {
        held = nil
        for value in values { text += value.asText ?? "" }
        variables[name] = .text(text)
      }
      return true
    }
  }

  /// Every name that can be seen from here.
  var names: Set<String> {
    var names = parent?.names ?? []
    if let row { names.formUnion(["it", "index"] + row.it.fieldNames) }
    names.formUnion(fixed.keys)
    names.formUnion(variables.withLock { Array($0.keys) })
    return names
  }

  /// This scope's own variables, sorted by name.
  public var own: [(name: String, value: Value)] {
    variables.withLock { $0.map { ($0.key, $0.value) } }.sorted { $0.0 < $1.0 }
  }
}

extension Value {
  /// What is written in the functions and prompts in it, however deep.
  fileprivate var textsWithin: [String] {
    switch self {
    case .function(let function): [function.text]
    case .prompt(let prompt): [prompt.text]
    case .list(let list): list.values.flatMap(\.textsWithin)
    case .record(let record): record.fields.flatMap(\.value.textsWithin)
    default: []
    }
  }
}
