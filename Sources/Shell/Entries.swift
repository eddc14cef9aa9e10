import Editor

/// Where the prompt's entries come from.
enum Entries: Sendable {
  case editor(LineEditor)
  /// A terminal that cannot be edited on, or is not to be.
  case plain(PlainLines)
  case none(problem: String)

  static func open(_ history: History, _ delegate: EditorDelegate, _ console: Console) async -> Entries {
    switch await LineEditor.open(history: history, delegate: delegate) {
    case .editor(let editor): return .editor(editor)
    case .plain(let problem):
      if let problem { console.note("\(problem): lines are read as they come") }
      var delegate = delegate
      // What changes in it would not be drawn anew.
      delegate.prompt = { "psh> " }
      let lines = PlainLines(history: history, delegate: delegate) { text in
        do throws(OutputProblem) { try await console.prompt(text) } catch { return false }
        return true
      }
      return lines.map(Entries.plain) ?? .none(problem: "the system gives no pipe (`ulimit -n`)")
    }
  }

  func read(continuation: String, initial: String, cursor: Int?) async -> Edited {
    switch self {
    case .editor(let editor): await editor.read(continuation: continuation, initial: initial, cursor: cursor)
    case .plain(let lines): await lines.read(continuation: continuation, initial: initial)
    case .none: .gone
    }
  }

  /// - Parameter isKey: whether a key was pressed, and no process sent SIGINT.
  func interrupt(isKey: Bool) {
    switch self {
    case .editor(let editor): editor.interrupt()
    case .plain(let lines): lines.interrupt(isKey: isKey)
    case .none: break
    }
  }
}
