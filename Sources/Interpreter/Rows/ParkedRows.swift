import Threads

/// Rows of one lane that wait to begin: their prompts are not made yet. One reader.
final class ParkedRows: Sendable {
  private struct State {
    var rows: [(Row, Int)] = []
    /// Of the next in `rows`.
    var position = 0
    /// Rows that came and have not begun.
    var count = 0
    var isOver = false
    var reader: CheckedContinuation<(Row, Int)?, Never>?

    mutating func pop() -> (Row, Int)? {
      guard position < rows.count else { return nil }
      let first = rows[position]
      position += 1
      // What was taken is let go of now and then.
      if position > 1024, position * 2 > rows.count {
        rows.removeFirst(position)
        position = 0
      }
      return first
    }
  }

  private let state = Mutex(State())

  func put(_ row: Row, _ place: Int) {
    let reader = state.withLock { state in
      state.count += 1
      let reader = state.reader.take()
      if reader == nil { state.rows.append((row, place)) }
      return reader
    }
    reader?.resume(returning: (row, place))
  }

  /// What was taken last has begun, or will not.
  func settled() { state.withLock { $0.count -= 1 } }

  var isEmpty: Bool { state.withLock { $0.count == 0 } }

  /// No more come.
  func end() {
    let reader = state.withLock { state in
      state.isOver = true
      return state.reader.take()
    }
    reader?.resume(returning: nil)
  }

  /// The next row and its place, in order; nil at the end.
  func next() async -> (row: Row, place: Int)? {
    await withCheckedContinuation { (continuation: CheckedContinuation<(Row, Int)?, Never>) in
      let answer = state.withLock { state -> (Row, Int)?? in
        if let first = state.pop() { return .some(first) }
        if state.isOver { return .some(nil) }
        state.reader = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }
}
