import Chat
import Language
import Threads

/// What parts of a statement have brought while it goes on: the first of two asks that are added up, the rows that a `for` goes through,
/// those that wait in a sort for the model behind it. No variable has them yet.
///
/// A row has one of its own: what is asked for on its way (in a hole, a filter, a column) stands in none of the rows that come of it, or
/// not yet. When the row is over the statement has it, as far as there is room.
final class InHand: Sendable {
  /// The variable that the statement gives a value, or whatever else it is known by.
  let name: String
  /// Where it stands in its source; nil for a row's.
  let statement: Span?
  /// Where the statement stands; nil for a row's. What it made may be kept for a retry, and this with it, long after that is over.
  private weak let scope: Scope?
  /// What is handed what this one has, when it is over: a row's, or within a row a statement's, whose variables nobody can read later.
  private let outer: InHand?
  let isWithinRow: Bool
  /// Calls of functions around it.
  let depth: Int
  private let session: UnderWay

  private struct State {
    var values: [Value] = []
    /// Single answers that no value of the statement has: those of a row's expressions, and of keys that rows are sorted by.
    var asked: [Value] = []
    var bytes = 0
    /// What is over, and is asked for nothing any more.
    var isOver = false
    var isEmpty: Bool { values.isEmpty && asked.isEmpty }
  }

  private let state = Mutex(State())

  /// There may be a row of very many behind it: what was asked for on the way of no more than these is held.
  private static let most = (count: 10_000, bytes: 64 << 20)

  /// - Parameter around: what the statement is a part of.
  init(_ name: String, _ scope: Scope, depth: Int, within around: InHand?, _ session: UnderWay, of statement: Span) {
    (self.scope, self.session, self.depth, self.statement) = (scope, session, depth, statement)
    outer = around.flatMap { $0.isWithinRow && $0.depth == depth ? $0 : nil }
    isWithinRow = outer != nil
    self.name = outer?.name ?? name
  }

  /// That of a row.
  init(rowOf statement: InHand?, depth: Int, _ session: UnderWay) {
    (name, outer, scope, isWithinRow, self.statement) = (statement?.name ?? "rows", statement, nil, true, nil)
    (self.session, self.depth) = (session, depth)
  }

  /// - Parameter scope: whose expression gave it.
  func hold(_ value: Value, in scope: Scope) {
    if scope.live === self.scope?.live { hold(value) } else { hold(asked: value.repliesWithin) }
  }

  func hold(_ value: Value) {
    guard value.mayHoldReplies else { return }
    if isWithinRow { hold(asked: value.repliesWithin) } else { hold { $0.values.append(value) } }
  }

  /// Only answers: of a call that failed nothing was paid for.
  func hold(asked replies: [Value]) {
    let answers = replies.filter { if case .reply(let row) = $0 { row.reply.succeeded } else { false } }
    if answers.isEmpty { return }
    hold { state in
      for answer in answers where state.asked.count < Self.most.count && state.bytes < Self.most.bytes {
        state.asked.append(answer)
        if case .reply(let row) = answer { state.bytes += row.reply.text.utf8.count + row.reply.prompt.utf8.count }
      }
    }
  }

  private func hold(_ put: (inout State) -> Void) {
    let isFirst = state.withLock { state in
      if state.isOver { return false }
      let wasEmpty = state.isEmpty
      put(&state)
      return wasEmpty && !state.isEmpty
    }
    guard isFirst else { return }
    session.hold(self)
    // It may have been released between the two.
    if state.withLock({ $0.isOver }) { session.letGo(of: self) }
  }

  /// The statement is over: what it brought is where it was to go. A row that failed keeps the context that it was made in, and this
  /// with it.
  func release() { release { $0.isWithinRow ? $1 : [] } }

  /// The row is over, and what came of it is where it was to go.
  func release(_ made: [Row]) {
    release { outer, held in
      let kept = Set(made.flatMap(\.value.calls))
      let rest = held.filter { $0.calls.allSatisfy { !kept.contains($0) } }
      // What a pipeline within a row has brought is nowhere else as long as that row goes on.
      return outer.isWithinRow || outer.depth > 0 ? made.flatMap(\.value.repliesWithin) + rest : rest
    }
  }

  /// - Parameter handsOn: of what is held, what the one around is to have.
  private func release(_ handsOn: (_ outer: InHand, _ held: [Value]) -> [Value]) {
    let isEmpty = state.withLock { state in
      if state.isEmpty { state.isOver = true }
      return state.isEmpty
    }
    if isEmpty, outer == nil { return }
    guard session.mayLetGo else { return }
    if let outer { outer.hold(asked: handsOn(outer, rows + asked)) }
    if isEmpty { return }
    session.letGo(of: self)
    // Let go of outside of the lock.
    var held = State()
    held.isOver = true
    state.withLock { swap(&held, &$0) }
  }

  /// Each once: the rows of a pipeline come by as its own, and as the value of what it is a part of.
  var rows: [Value] {
    var seen: Set<ObjectIdentifier> = []
    return state.withLock { $0.values }.flatMap(\.repliesWithin).filter { value in
      if case .reply(let row) = value { seen.insert(ObjectIdentifier(row)).inserted } else { true }
    }
  }

  var asked: [Value] { state.withLock { $0.asked } }
}

extension Context {
  /// Whether an error that comes from here ends the script: what its statements had in hand is written down then. One that is caught, or
  /// that a person at the prompt reads, ends nothing.
  func endsScript(_ error: any Error) -> Bool {
    if isCaught || isCallback || row != nil || output != nil || session.isAttended { return false }
    return error is Diagnostic || error is CancellationError
  }
}

extension Value {
  /// Whether replies are, or may be, in it; of a long list only the beginning is looked at.
  fileprivate var mayHoldReplies: Bool {
    switch self {
    case .reply: true
    case .list(let list): list.values.prefix(8).contains(where: \.mayHoldReplies)
    case .record(let record): record.fields.contains { $0.value.mayHoldReplies }
    default: false
    }
  }

  /// Itself, or the replies in its elements and fields, however deep.
  var repliesWithin: [Value] {
    switch self {
    case .reply: [self]
    case .list(let list): list.values.flatMap(\.repliesWithin)
    case .record(let record): record.fields.flatMap(\.value.repliesWithin)
    case .job(let handle): Value.list(handle.soFar()).repliesWithin
    default: []
    }
  }

  /// The calls whose replies are in it whole, those in the columns of rows among them: a reply that is a row's item is there by its
  /// text alone.
  var calls: [ObjectIdentifier] {
    repliesWithin.flatMap { value -> [ObjectIdentifier] in
      guard case .reply(let row) = value else { return [] }
      var inner = row.columns.flatMap(\.value.calls)
      if case .record = row.item { inner += row.item.calls }
      return [ObjectIdentifier(row.reply.call)] + inner
    }
  }
}
