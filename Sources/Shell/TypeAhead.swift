import Editor
import Terminal
import Threads

/// What is typed while work runs in the foreground: a line that is seen and edited, and entries that were finished and are run when
/// their turn comes.
final class TypeAhead: Sendable {
  private struct State {
    var line = TypedLine()
    var entries: [String] = []
    /// What the word at the cursor could be, after a Tab that could write nothing.
    var choices: [Completion] = []
    /// The prompt stands there before anything is typed.
    var isShown = false
    /// ^D was the last that was typed.
    var isEnded = false
  }

  private let state = Mutex(State())
  private let isComplete: @Sendable (String) -> Bool
  private let complete: @Sendable (_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion])

  /// - Parameters:
  ///   - isComplete: whether a text makes a statement; else Enter adds a line.
  ///   - complete: what Tab offers for the word that ends at the cursor.
  init(
    isComplete: @escaping @Sendable (String) -> Bool = { _ in true },
    complete: @escaping @Sendable (_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion]) = { _, _ in (0, []) }
  ) {
    (self.isComplete, self.complete) = (isComplete, complete)
  }

  /// Whether a prompt stands there even while nothing is typed.
  var isShown: Bool {
    get { state.withLock { $0.isShown } }
    set { state.withLock { $0.isShown = newValue } }
  }

  /// What the line holds so far, if that is nothing but digits.
  var number: String? { state.withLock { $0.line.isNumber ? $0.line.text : nil } }

  var isEmpty: Bool { state.withLock { $0.line.isEmpty } }

  /// ^D on an empty line; what is typed behind it takes it back.
  func ends() { state.withLock { $0.isEnded = true } }

  /// Whether ^D was the last that was typed.
  func takeEnd() -> Bool {
    state.withLock { state in
      defer { state.isEnded = false }
      return state.isEnded && state.line.isEmpty
    }
  }

  func replaceLine(_ text: String) { state.withLock { $0.line = TypedLine(text) } }
  func clearLine() { state.withLock { $0.line = TypedLine() } }

  /// - Returns: the line, where the key has finished it.
  func take(_ key: Key) -> String? {
    let (text, cursor) = state.withLock { state in
      (state.choices, state.isEnded) = ([], false)
      return (state.line.text, state.line.cursor)
    }
    if key == .character("\t") {
      let (replaced, choices) = complete(text, cursor)
      state.withLock { $0.choices = $0.line.complete(choices, replacing: replaced) }
      return nil
    }
    guard key == .character("\r") || key == .character("\n") else {
      state.withLock { $0.line.take(key) }
      return nil
    }
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
      let begun = state.line.isEmpty ? [] : [state.line.text]
      state.line = TypedLine((state.entries + begun).joined(separator: "\n"))
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
    let (line, entries, choices, isShown) = state.withLock { ($0.line, $0.entries, $0.choices, $0.isShown) }
    if line.isEmpty, entries.isEmpty, !isShown { return nil }
    var waiting = entries.suffix(3).map { dim(Table.cut("  then: \(ControlGuard.line($0))", to: columns - 1)) }
    if entries.count > waiting.count { waiting.insert(dim("  \(entries.count - waiting.count) more wait"), at: 0) }
    let offered = rows - waiting.count > 1 && !choices.isEmpty ? [dim(Self.row(of: choices, columns: columns))] : []
    var typed = line.rows(prompt: prompt, continuation: "...> ", columns: columns, rows: max(1, rows - waiting.count - offered.count))
    typed.cursor.row += waiting.count
    typed.rows = waiting + typed.rows + offered
    return typed
  }

  /// As many as there is room for. The prompt has a menu; here the line may be the prompt's in a moment.
  private static func row(of choices: [Completion], columns: Int) -> String {
    Table.cut("  " + choices.map { ControlGuard.line($0.text) }.joined(separator: "  "), to: max(1, columns - 1))
  }
}
