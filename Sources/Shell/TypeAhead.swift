import Editor
import Terminal
import Threads

/// What is typed while work runs in the foreground: a line that is seen and edited, and entries that were finished and are run when
/// their turn comes.
final class TypeAhead: Sendable {
  private struct State {
    var line = TypedLine()
    var entries: [String] = []
    /// The prompt stands there before anything is typed.
    var isShown = false
  }

  private let state = Mutex(State())
  private let isComplete: @Sendable (String) -> Bool

  /// - Parameter isComplete: whether a text makes a statement; else Enter adds a line.
  init(isComplete: @escaping @Sendable (String) -> Bool) {
    self.isComplete = isComplete
  }

  /// Whether a prompt stands there even while nothing is typed.
  var isShown: Bool {
    get { state.withLock { $0.isShown } }
    set { state.withLock { $0.isShown = newValue } }
  }

  /// What the line holds so far, if that is nothing but digits.
  var number: String? { state.withLock { $0.line.isNumber ? $0.line.text : nil } }

  func replaceLine(_ text: String) { state.withLock { $0.line = TypedLine(text) } }
  func clearLine() { state.withLock { $0.line = TypedLine() } }

  /// - Returns: the line, where the key has finished it.
  func take(_ key: Key) -> String? {
    guard key == .character("\r") || key == .character("\n") else {
      state.withLock { $0.line.take(key) }
      return nil
    }
    let text = state.withLock { $0.line.text }
    let isWhole = isComplete(text)
    return state.withLock { state in
      guard isWhole else {
        state.line.insert("\n")
        return nil
      }
      state.line = TypedLine()
      return text
    }
  }

  func waits(_ entry: String) { state.withLock { $0.entries.append(entry) } }

  func takeEntry() -> String? { state.withLock { $0.entries.isEmpty ? nil : $0.entries.removeFirst() } }

  /// Nothing runs by itself any more: what waited stands before the line that was begun, to be looked at first.
  func holdEntries() {
    state.withLock { state in
      guard !state.entries.isEmpty else { return }
      state.line = TypedLine((state.entries + [state.line.text]).joined(separator: "\n"))
      state.entries = []
    }
  }

  /// The line that was begun, and where its cursor stands.
  func takeLine() -> (text: String, cursor: Int) {
    state.withLock { state in
      defer { state.line = TypedLine() }
      return (state.line.text, state.line.cursor)
    }
  }

  /// How it looks: what waits, and the line; nil while there is nothing.
  func rows(prompt: String, columns: Int, rows: Int, dim: (String) -> StyledText) -> TypedRows? {
    let (line, entries, isShown) = state.withLock { ($0.line, $0.entries, $0.isShown) }
    if line.isEmpty, entries.isEmpty, !isShown { return nil }
    var waiting = entries.suffix(3).map { dim(Table.cut("  then: \(ControlGuard.line($0))", to: columns - 1)) }
    if entries.count > waiting.count { waiting.insert(dim("  \(entries.count - waiting.count) more wait"), at: 0) }
    var typed = line.rows(prompt: prompt, continuation: "...> ", columns: columns, rows: max(1, rows - waiting.count))
    typed.cursor.row += waiting.count
    typed.rows = waiting + typed.rows
    return typed
  }
}
