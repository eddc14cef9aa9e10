import Threads

/// What runs holds replies in that no variable of the session has yet: the variables of functions, what a statement has in hand, and
/// rows on their way into an expression. When the program ends while they run, they are written down like those in variables.
final class UnderWay: Sendable {
  private struct State {
    var functions: [Int: (function: FunctionValue, scope: Scope)] = [:]
    var next = 0
    var values: [(name: String, value: Value)] = []
    /// What variables held before the end of the program gave them something else.
    var replaced: [(name: String, rows: [Value])] = []
    var hands: [ObjectIdentifier: InHand] = [:]
  }

  private let state = Mutex(State())
  private let ending = Atomic(false)

  /// From now on nothing of it is let go of: what is cancelled leaves its functions and statements.
  func keep() { ending.store(true, ordering: .relaxed) }
  var isEnding: Bool { ending.load(ordering: .relaxed) }

  /// - Returns: for `leave`.
  func enter(_ function: FunctionValue, _ scope: Scope) -> Int {
    state.withLock { state in
      state.next += 1
      state.functions[state.next] = (function, scope)
      return state.next
    }
  }

  /// - Returns: whether nobody asks for its variables any more. From the signal on they stay as they are.
  func leave(_ number: Int) -> Bool {
    if isEnding { return false }
    state.withLock { _ = $0.functions.removeValue(forKey: number) }
    return true
  }

  /// Rows that a cancelled run left.
  func note(_ name: String, _ rows: [Value]) {
    if isEnding { state.withLock { $0.values.append((name, .list(rows))) } }
  }

  /// A variable is about to be given another value.
  func noteReplaced(_ name: String, in scope: Scope) {
    guard let rows = scope.held(name)?.repliesWithin, !rows.isEmpty else { return }
    let home = scope.home.live
    state.withLock { state in
      let function = state.functions.first { $0.value.scope === home }?.value.function
      state.replaced.append((function.map { "\($0.name).\(name)" } ?? name, rows))
    }
  }

  func hold(_ hand: InHand) { state.withLock { $0.hands[ObjectIdentifier(hand)] = hand } }

  /// Whether nobody asks for what is over. From the signal on everything stays as it is.
  var mayLetGo: Bool { !isEnding }
  func letGo(of hand: InHand) { state.withLock { _ = $0.hands.removeValue(forKey: ObjectIdentifier(hand)) } }

  /// By name, those of one function's variable together.
  var values: [(name: String, value: Value)] {
    // Before what they held: it is noted first.
    let variables = variables(areParameters: false)
    let (rest, hands, replaced) = state.withLock { ($0.values, $0.hands.values.map { $0 }, $0.replaced) }
    let held = hands.sorted { $0.name < $1.name }.map { ($0.name, Value.list($0.rows)) }.filter { !($0.1.elements ?? []).isEmpty }
    return gathered(replaced + variables) + held + rest
  }

  /// What functions were given: mostly somebody else has it too.
  var given: [(name: String, value: Value)] { gathered(variables(areParameters: true)) }

  /// Answers to what expressions of rows asked for.
  var asked: [(name: String, value: Value)] {
    let hands = state.withLock { $0.hands.values.map { $0 } }
    return gathered(hands.map { ("\($0.name).asked", $0.asked) }.filter { !$0.1.isEmpty }.sorted { $0.0 < $1.0 })
  }

  private func variables(areParameters: Bool) -> [(name: String, rows: [Value])] {
    let functions = state.withLock { $0.functions }.sorted { $0.key < $1.key }.map(\.value)
    return functions.flatMap { function, scope in
      let parameters = Set(function.definition.parameters.map(\.name.text))
      return scope.own.filter { parameters.contains($0.name) == areParameters }
        .map { ("\(function.name).\($0.name)", $0.value.repliesWithin) }
    }
  }

  /// Each row once.
  private func gathered(_ parts: [(name: String, rows: [Value])]) -> [(name: String, value: Value)] {
    var names: [String] = []
    var rows: [String: [Value]] = [:]
    var seen: [String: Set<ObjectIdentifier>] = [:]
    for part in parts {
      if rows[part.name] == nil { names.append(part.name) }
      rows[part.name, default: []] += part.rows.filter { value in
        guard case .reply(let row) = value else { return true }
        return seen[part.name, default: []].insert(ObjectIdentifier(row)).inserted
      }
    }
    return names.map { ($0, .list(rows[$0] ?? [])) }
  }
}
