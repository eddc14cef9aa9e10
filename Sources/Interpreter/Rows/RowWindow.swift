import Threads

/// The reorder window of a run: rows from many tasks to the one that takes them in order, with a bound on how far a row may be begun
/// beyond the oldest that is not taken yet. That keeps a run from file to file in constant memory, and sends no row that an ordered
/// reading does not need.
final class RowWindow: Sendable {
  /// Finished rows that wait for an older one may hold this much text.
  private static let maximumBytes = 64 << 20
  /// Where one answer in a hundred is twenty times slower, a window of 32 times the width costs nothing (`docs/architecture.md`).
  private static let rowsPerPermit = 32

  fileprivate struct State {
    var finished: [Int: (rows: [Row], bytes: Int)] = [:]
    var nextPlace = 0
    /// Places given out, and those of them whose rows are through.
    var admitted = 0
    var ended = 0
    /// Rows that came through and that the consumer has not counted yet.
    var passed = 0
    var bytes = 0
    /// How many rows more the consumer can still use.
    var wanted = Int.max
    var room = 0
    var isOver = false
    var isClosed = false
    var reader: CheckedContinuation<[Row]?, Never>?
    var writer: CheckedContinuation<Int?, Never>?
  }

  private let state: Mutex<State>
  private let width: @Sendable () -> Int

  /// - Parameters:
  ///   - width: how many calls may be under way now: the window follows it.
  ///   - wanted: how many rows the consumer can use.
  init(width: @escaping @Sendable () -> Int, wanted: Int) {
    self.width = width
    var state = State()
    state.wanted = wanted
    self.state = Mutex(state)
  }

  // MARK: the producer's side

  /// Waits until a row more may begin. One producer only.
  ///
  /// - Returns: how many more can be of use, this one among them; nil where none is wanted any more.
  func admit() async -> Int? {
    let room = room
    return await withCheckedContinuation { continuation in
      let answer = state.withLock { state -> Int?? in
        state.room = room
        if state.isClosed { return .some(nil) }
        if let left = state.admit() { return left }
        state.writer = continuation
        return nil
      }
      if let answer { continuation.resume(returning: answer) }
    }
  }

  /// No row is made of a place that was given.
  func giveBack() {
    state.withLock { $0.admitted -= 1 }
    letWriterOn()
  }

  /// A place for a row that is not begun at all; false where none is wanted.
  func admitUnsent() -> Bool {
    state.withLock { state in
      guard !state.isClosed, state.passed + (state.admitted - state.ended) < state.wanted else { return false }
      state.admitted += 1
      return true
    }
  }

  /// How many rows more are wanted, all that is under way left out.
  var left: Int { state.withLock { $0.isClosed ? 0 : max(0, $0.wanted - $0.passed - ($0.admitted - $0.ended)) } }

  /// All rows of the place.
  func put(_ rows: [Row], place: Int) {
    let bytes = rows.reduce(0) { $0 + $1.value.heldBytes }
    let reader = state.withLock { state -> (CheckedContinuation<[Row]?, Never>, [Row])? in
      state.ended += 1
      state.passed += rows.count
      state.bytes += bytes
      state.finished[place] = (rows, bytes)
      guard place == state.nextPlace, let reader = state.reader else { return nil }
      state.reader = nil
      return (reader, state.takeReady())
    }
    if let (reader, ready) = reader { reader.resume(returning: ready) }
    letWriterOn()
  }

  /// No more rows come.
  func finish() {
    let reader = state.withLock { state -> (CheckedContinuation<[Row]?, Never>, [Row]?)? in
      state.isOver = true
      guard let reader = state.reader else { return nil }
      state.reader = nil
      return (reader, state.takeRest())
    }
    if let (reader, rest) = reader { reader.resume(returning: rest) }
  }

  // MARK: the consumer's side

  /// The next rows in order; nil at the end. One consumer only, which says with `consumed` when it has used them.
  func next() async -> [Row]? {
    let rows = await withCheckedContinuation { (continuation: CheckedContinuation<[Row]?, Never>) in
      let (isReady, rows) = state.withLock { state -> (Bool, [Row]?) in
        if state.finished[state.nextPlace] != nil { return (true, state.takeReady()) }
        if state.isOver { return (true, state.takeRest()) }
        state.reader = continuation
        return (false, nil)
      }
      if isReady { continuation.resume(returning: rows) }
    }
    letWriterOn()
    return rows
  }

  /// Rows that were given out are used; of those to come so many are wanted, for now.
  func consumed(_ count: Int, wanted: Int) {
    state.withLock { state in
      state.passed -= count
      state.wanted = wanted
    }
    letWriterOn()
  }

  /// Whether nobody wants any more.
  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Nobody will want more: what waits to begin is told.
  func close() {
    let writer = state.withLock { state in
      state.isClosed = true
      return state.writer.take()
    }
    writer?.resume(returning: nil)
  }

  // MARK: room

  private var room: Int { max(1024, Self.rowsPerPermit.multipliedReportingOverflow(by: max(1, min(width(), 1 << 20))).partialValue) }

  private func letWriterOn() {
    guard state.withLock({ $0.writer != nil }) else { return }
    // The width may have been raised meanwhile. Not asked under the lock: it stands behind one of its own.
    let room = room
    let (writer, left) = state.withLock { state -> (CheckedContinuation<Int?, Never>?, Int?) in
      state.room = room
      guard let writer = state.writer, let left = state.admit() else { return (nil, nil) }
      state.writer = nil
      return (writer, left)
    }
    writer?.resume(returning: left)
  }

  fileprivate static func isFull(_ bytes: Int) -> Bool { bytes >= maximumBytes }
}

extension RowWindow.State {
  /// Rows begin while all that are under way could pass and still leave one wanted, so that none is sent in vain.
  fileprivate mutating func admit() -> Int? {
    let left = wanted - passed - (admitted - ended)
    guard left > 0, admitted - nextPlace < room else { return nil }
    guard !RowWindow.isFull(bytes) || admitted == nextPlace else { return nil }
    admitted += 1
    return left
  }

  fileprivate mutating func takeReady() -> [Row] {
    var ready: [Row] = []
    while let (rows, held) = finished.removeValue(forKey: nextPlace) {
      ready += rows
      bytes -= held
      nextPlace += 1
    }
    return ready
  }

  /// After the end, gaps are rows that never ran.
  fileprivate mutating func takeRest() -> [Row]? {
    if finished.isEmpty { return nil }
    let rest = finished.sorted { $0.key < $1.key }.flatMap(\.value.rows)
    (finished, bytes) = ([:], 0)
    return rest
  }
}

extension Value {
  /// About the text that it keeps alive: what counts in memory.
  fileprivate var heldBytes: Int {
    switch self {
    case .text(let text): text.utf8.count
    case .reply(let row):
      row.reply.attempt.text.utf8.count + row.reply.attempt.reasoning.utf8.count
        + row.reply.messages.reduce(0) { $0 + $1.text.utf8.count }
    case .record(let record): record.fields.reduce(0) { $0 + $1.value.heldBytes }
    case .list(let values): values.reduce(0) { $0 + $1.heldBytes }
    default: 0
    }
  }
}
