import Threads

/// What runs holds replies in that no variable of the session has yet: the variables of functions, and rows on their way into an
/// expression. When the program ends while they run, they are written down like those in variables.
final class UnderWay: Sendable {
  private struct State {
    var functions: [Int: (function: FunctionValue, scope: Scope)] = [:]
    var next = 0
    var values: [(name: String, value: Value)] = []
  }

  private let state = Mutex(State())
  private let ending = Atomic(false)

  /// From now on nothing of it is let go of: what is cancelled leaves its functions and statements.
  func keep() { ending.store(true, ordering: .relaxed) }
  private var isEnding: Bool { ending.load(ordering: .relaxed) }

  /// - Returns: for `leave`.
  func enter(_ function: FunctionValue, _ scope: Scope) -> Int {
    state.withLock { state in
      state.next += 1
      state.functions[state.next] = (function, scope)
      return state.next
    }
  }

  func leave(_ number: Int) {
    if isEnding { return }
    state.withLock { _ = $0.functions.removeValue(forKey: number) }
  }

  /// Rows that a cancelled run left.
  func note(_ name: String, _ rows: [Value]) {
    if isEnding { state.withLock { $0.values.append((name, .list(rows))) } }
  }

  /// By name, those of one function's variable together.
  var values: [(name: String, value: Value)] {
    let (functions, rest) = state.withLock { state in
      (state.functions.sorted { $0.key < $1.key }.map(\.value), state.values)
    }
    var gathered: [(name: String, rows: [Value])] = []
    var places: [String: Int] = [:]
    for (function, scope) in functions {
      let parameters = Set(function.definition.parameters.map(\.name.text))
      // What it was given is somebody else's.
      for (variable, value) in scope.own where !parameters.contains(variable) {
        let rows = value.rowsOfReplies
        if rows.isEmpty { continue }
        let name = "\(function.name).\(variable)"
        if let place = places[name] {
          gathered[place].rows += rows
        } else {
          places[name] = gathered.count
          gathered.append((name, rows))
        }
      }
    }
    return gathered.map { ($0.name, .list($0.rows)) } + rest
  }
}

extension Value {
  /// Itself, or its elements, where replies are among them.
  fileprivate var rowsOfReplies: [Value] {
    switch self {
    case .reply: [self]
    case .list(let list): list.contains { if case .reply = $0 { true } else { false } } ? list.values : []
    case .job(let handle): Value.list(handle.soFar()).rowsOfReplies
    default: []
    }
  }
}
