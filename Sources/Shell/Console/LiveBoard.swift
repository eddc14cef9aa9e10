import Interpreter
import Names
import Terminal
import Threads

/// Replies side by side in columns, drawn anew as they grow; at the end they are left standing whole.
final class LiveBoard: Board {
  private let columns: Mutex<[(title: String, text: String)]>
  private let finish: @Sendable ([String]) async throws -> Void

  /// - Parameter finish: takes the rows that stay.
  init(_ titles: [String], finish: @escaping @Sendable ([String]) async throws -> Void) {
    columns = Mutex(titles.map { ($0, "") })
    self.finish = finish
  }

  func put(_ column: Int, _ text: String) {
    columns.withLock { columns in if columns.indices.contains(column) { columns[column].text += text } }
  }

  func restart(_ column: Int) {
    columns.withLock { columns in if columns.indices.contains(column) { columns[column].text = "" } }
  }

  func end(_ column: Int, note: String?) {
    if let note { put(column, "\n✗ \(note)") }
  }

  func rows(columns width: Int, height: Int) -> [String] {
    let texts = columns.withLock { $0 }
    guard height > 2, let each = Columns.width(of: texts.count, in: width) else { return [] }
    return Columns.rows(texts, width: each, height: height - 2)
  }

  func close() async throws {
    let texts = columns.withLock { $0 }
    let width = Descriptor.size(1)?.columns ?? 80
    try await finish(Columns.rows(texts, width: Columns.width(of: texts.count, in: width) ?? Columns.narrowest, height: nil))
  }
}

/// Replies one after the other, in their order: the first that is not over is shown as it comes, those behind it wait.
final class OrderedBoard: Board {
  private struct State {
    var waiting: [String]
    var isOver: [Bool]
    var current = 0
    var hasTitle = false
    var isMidLine = false
    /// What may be written now, and whether somebody is writing.
    var ready = ""
    var isWriting = false
    var problem: (any Error)?
  }

  private let state: Mutex<State>
  private let titles: [String]
  private let output: any ReplyOutput

  init(_ titles: [String], _ output: any ReplyOutput) {
    self.titles = titles
    self.output = output
    state = Mutex(State(waiting: titles.map { _ in "" }, isOver: titles.map { _ in false }))
  }

  func put(_ column: Int, _ text: String) async {
    await change { if $0.waiting.indices.contains(column) { $0.waiting[column] += text } }
  }

  func restart(_ column: Int) async {
    await change { state in
      guard state.waiting.indices.contains(column) else { return }
      if column == state.current, state.hasTitle {
        state.waiting[column] = "\nthe stream broke off; here it is from the start:\n"
      } else {
        state.waiting[column] = ""
      }
    }
  }

  func end(_ column: Int, note: String?) async {
    await change { state in
      guard state.waiting.indices.contains(column) else { return }
      if let note { state.waiting[column] += "\n✗ \(note)" }
      state.isOver[column] = true
    }
  }

  func close() async throws {
    await change { state in for index in state.isOver.indices { state.isOver[index] = true } }
    try await output.end()
    if let problem = state.withLock({ $0.problem }) { throw problem }
  }

  /// Writes what may be written now: one does, whoever comes meanwhile leaves it to him, so that two never mix and nobody waits.
  private func change(_ body: @Sendable (inout State) -> Void) async {
    let titles = titles
    let isMine = state.withLock { state in
      body(&state)
      Self.makeReady(&state, titles)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    while isMine {
      let text = state.withLock { state in
        defer { state.ready = "" }
        if state.ready.isEmpty { state.isWriting = false }
        return state.ready
      }
      if text.isEmpty { return }
      do { try await output.put(text) } catch { state.withLock { $0.problem = $0.problem ?? error } }
    }
  }

  private static func makeReady(_ state: inout State, _ titles: [String]) {
    while state.current < titles.count {
      let text = state.waiting[state.current]
      if !state.hasTitle, !text.isEmpty || state.isOver[state.current] {
        state.ready += "── \(titles[state.current].oneLine)\n"
        state.hasTitle = true
      }
      if !text.isEmpty {
        state.ready += text
        state.isMidLine = text.last != "\n"
        state.waiting[state.current] = ""
      }
      guard state.isOver[state.current] else { return }
      if state.isMidLine { state.ready += "\n" }
      state.current += 1
      (state.hasTitle, state.isMidLine) = (false, false)
    }
  }
}
