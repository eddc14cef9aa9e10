import Formats
import JSON
import Threads

/// Where the rows of a pipeline come from, one after the other. Asked by one task at a time.
protocol ItemSource: AnyObject, Sendable {
  /// Nil at the end.
  func next() async throws -> Value?
  /// How many there are, where that is known.
  var count: Int? { get }
  /// The items that are there already: what can be checked before anything is sent.
  var visible: [Value]? { get }
  /// So many more can be of use, the next among them: told before it is asked for.
  func want(_ count: Int)
  /// No more is asked for.
  func close() async
}

extension ItemSource {
  func want(_ count: Int) {}
  func close() async {}
}

final class ListSource: ItemSource {
  private let values: [Value]
  private let position = Mutex(0)

  init(_ values: [Value]) {
    self.values = values
  }

  func next() -> Value? {
    position.withLock { position in
      guard position < values.count else { return nil }
      defer { position += 1 }
      return values[position]
    }
  }

  var count: Int? { values.count }
  var visible: [Value]? { values }
}

/// A range, never spelled out: `0..9999999` takes no memory.
final class RangeSource: ItemSource {
  private let low: Int
  private let high: Int
  private let position: Mutex<Int>

  init(_ low: Int, _ high: Int) {
    (self.low, self.high) = (low, high)
    position = Mutex(low)
  }

  func next() -> Value? {
    position.withLock { position in
      guard position <= high else { return nil }
      defer { position += 1 }
      return .int(position)
    }
  }

  var count: Int? { high < low ? 0 : high - low + 1 }
  /// One item stands for all: they differ in nothing that could be checked.
  var visible: [Value]? { low <= high ? [.int(low)] : [] }
}

/// A file's rows, read as they are needed.
///
/// - Throws: what `located` makes of a problem with the file or its content.
final class FileSource: ItemSource {
  private struct State {
    var reader: any RowReader
    var rows: [JSONValue] = []
    var position = 0
    var isOver = false
    var fault: FormatError?
  }

  private let file: any FileReading
  private let state: Mutex<State>
  private let located: @Sendable (FileFault) -> any Error

  enum FileFault: Sendable {
    case file(FileProblem)
    case content(FormatError)
  }

  init(_ file: any FileReading, format: FileFormat, located: @escaping @Sendable (FileFault) -> any Error) {
    self.file = file
    state = Mutex(State(reader: format.reader()))
    self.located = located
  }

  /// Reads the first rows, so that what can be seen from them is checked before anything is sent. Not for a pipe, which may block.
  func begin() throws {
    try state.withLock { state in
      while state.rows.isEmpty, !state.isOver, state.fault == nil { try fill(&state) }
    }
  }

  func next() async throws -> Value? {
    while true {
      let step = try state.withLock { state throws -> Step in
        if state.position < state.rows.count {
          defer { state.position += 1 }
          return .row(Self.value(state.rows[state.position]))
        }
        if let fault = state.fault { throw located(.content(fault)) }
        return state.isOver ? .end : .wait
      }
      switch step {
      case .row(let value): return value
      case .end: return nil
      case .wait: break
      }
      do { try await file.ready() } catch let problem as FileProblem { throw located(.file(problem)) }
      try state.withLock { state in
        state.rows.removeAll(keepingCapacity: true)
        state.position = 0
        try fill(&state)
      }
    }
  }

  private enum Step {
    case row(Value)
    case end, wait
  }

  /// A row that `save` made of a reply is a reply again.
  private static func value(_ row: JSONValue) -> Value {
    if case .object(let members) = row, let reply = ReplyRow(saved: members) { return .reply(reply) }
    return Value(row)
  }

  private func fill(_ state: inout State) throws {
    let bytes: [UInt8]
    do throws(FileProblem) { bytes = try file.read() } catch { throw located(.file(error)) }
    do throws(FormatError) {
      guard !bytes.isEmpty else {
        state.isOver = true
        return try state.reader.finish(into: &state.rows)
      }
      let result: Result<Void, FormatError> = bytes.withUnsafeBytes { bytes in
        do throws(FormatError) { return .success(try state.reader.feed(bytes, into: &state.rows)) } catch { return .failure(error) }
      }
      try result.get()
    } catch {
      // The rows before the bad one are handed out first.
      state.fault = error
    }
  }

  var count: Int? { nil }
  /// The rows that have been read and not been taken; the others are not there yet.
  var visible: [Value]? { state.withLock { state in state.rows[state.position...].map(Self.value) } }
}
