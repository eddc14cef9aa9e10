import Threads

/// Rows from many tasks to the one that writes them out, in order, with a bound on how far the first may be ahead of the last:
/// that is what keeps a run from file to file in constant memory.
final class RowQueue: Sendable {
  fileprivate struct State {
    var finished: [Int: [Row]] = [:]
    var nextItem = 0
    var isOver = false
    var admitted = 0
    var reader: CheckedContinuation<[Row]?, Never>?
    var writer: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())
  private let room: Int

  /// - Parameter room: items that may be under way or waiting to be written.
  init(room: Int) {
    self.room = room
  }

  /// Waits until there is room for one item more. One producer only.
  func admit() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.admitted - state.nextItem < room {
          state.admitted += 1
          return true
        }
        state.writer = continuation
        return false
      }
      if isFree { continuation.resume() }
    }
  }

  /// All rows of the launch with this number.
  func put(_ rows: [Row], item: Int) {
    let (reader, ready) = state.withLock { state -> (CheckedContinuation<[Row]?, Never>?, [Row]?) in
      state.finished[item] = rows
      guard item == state.nextItem, let reader = state.reader else { return (nil, nil) }
      state.reader = nil
      return (reader, state.takeReady())
    }
    reader?.resume(returning: ready)
    if reader != nil { letWriterOn() }
  }

  func finish() {
    let (reader, ready) = state.withLock { state -> (CheckedContinuation<[Row]?, Never>?, [Row]?) in
      state.isOver = true
      guard let reader = state.reader else { return (nil, nil) }
      state.reader = nil
      return (reader, state.takeRest())
    }
    reader?.resume(returning: ready)
  }

  /// The next rows in order; nil at the end. One consumer only.
  func next() async -> [Row]? {
    let rows = await withCheckedContinuation { (continuation: CheckedContinuation<[Row]?, Never>) in
      let (isReady, rows) = state.withLock { state -> (Bool, [Row]?) in
        if state.finished[state.nextItem] != nil { return (true, state.takeReady()) }
        if state.isOver { return (true, state.takeRest()) }
        state.reader = continuation
        return (false, nil)
      }
      if isReady { continuation.resume(returning: rows) }
    }
    letWriterOn()
    return rows
  }

  private func letWriterOn() {
    let writer = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.writer != nil, state.admitted - state.nextItem < room else { return nil }
      state.admitted += 1
      defer { state.writer = nil }
      return state.writer
    }
    writer?.resume()
  }
}

extension RowQueue.State {
  fileprivate mutating func takeReady() -> [Row] {
    var ready: [Row] = []
    while let rows = finished.removeValue(forKey: nextItem) {
      ready += rows
      nextItem += 1
    }
    return ready
  }

  /// After the end, gaps are items that never ran.
  fileprivate mutating func takeRest() -> [Row]? {
    if finished.isEmpty { return nil }
    let rest = finished.sorted { $0.key < $1.key }.flatMap(\.value)
    finished = [:]
    return rest
  }
}
