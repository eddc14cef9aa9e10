import Threads

/// What is typed while work runs in the foreground and means nothing to that: it is for the prompt that comes next.
final class TypeAhead: Sendable {
  private let text = Mutex("")

  var isEmpty: Bool { text.withLock { $0.isEmpty } }

  func append(_ scalar: Unicode.Scalar) { text.withLock { $0.unicodeScalars.append(scalar) } }

  func append(_ more: String) { text.withLock { $0 += more } }

  func deleteLast() { text.withLock { if !$0.isEmpty { $0.removeLast() } } }

  func clear() { text.withLock { $0 = "" } }

  /// The first entry that was entered whole; nil where there is none. What is left then stands at the prompt.
  ///
  /// - Parameter isComplete: whether lines make a statement.
  func takeEntry(_ isComplete: (String) -> Bool) -> String? {
    text.withLock { text in
      var end = text.startIndex
      while let newline = text[end...].firstIndex(of: "\n") {
        let entry = String(text[..<newline])
        end = text.index(after: newline)
        guard isComplete(entry) else { continue }
        text = String(text[end...])
        return entry
      }
      return nil
    }
  }

  func takeRest() -> String {
    text.withLock { text in
      defer { text = "" }
      return text
    }
  }
}
