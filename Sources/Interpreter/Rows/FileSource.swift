import Formats
import JSON
import Threads

/// A file's rows, read as they are needed.
///
/// - Throws: what `located` makes of a problem with the file or its content.
final class FileSource: ItemSource {
  private struct State {
    var reader: any RowReader
    var rows: [JSONValue] = []
    var position = 0
    var isOver = false
    var hasTold = false
    var fault: FormatError?
  }

  let format: FileFormat
  private let file: any FileReading
  private let inputs: InputWaits
  private let state: Mutex<State>
  private let located: @Sendable (FileFault) -> any Error
  private let passedOver: @Sendable (RowFaults) -> Void
  /// What is read before the types of a table's columns are decided, where it is there at once.
  private static let firstBytes = 256 << 10

  enum FileFault: Sendable {
    case file(FileProblem)
    case content(FormatError)
  }

  /// - Parameters:
  ///   - inputs: who tells it that nobody waits for what is still to come.
  ///   - located: what is thrown for a problem.
  ///   - passedOver: told at the end of the rows that were left out, where the reader is lenient.
  init(
    _ file: any FileReading, reader: any RowReader, format: FileFormat, inputs: InputWaits = InputWaits(),
    located: @escaping @Sendable (FileFault) -> any Error,
    passedOver: @escaping @Sendable (RowFaults) -> Void = { _ in }
  ) {
    self.file = file
    self.format = format
    state = Mutex(State(reader: reader))
    self.inputs = inputs
    self.located = located
    self.passedOver = passedOver
  }

  /// The name of the column, where a table has but one.
  var onlyColumn: String? {
    state.withLock { state in
      guard let columns = (state.reader as? DelimitedReader)?.columns, columns.count == 1 else { return nil }
      return columns[0]
    }
  }

  var isAtHand: Bool { file.isPlainFile }

  /// Reads the first rows, so that what can be seen from them is checked before anything is sent. Not for a pipe, which may block.
  func begin() throws {
    try state.withLock { state in
      var read = 0
      while read < Self.firstBytes, !state.isOver, state.fault == nil { read += try fill(&state, settles: false) }
      try settle(&state)
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
      case .end:
        tellOfPassedOver()
        return nil
      case .wait: break
      }
      do {
        if !file.isPlainFile {
          let isThere = try await inputs.wait { [file] in try await file.ready() }
          // The line that has come in part is none.
          if !isThere {
            state.withLock { $0.isOver = true }
            continue
          }
        }
      } catch let problem as FileProblem { throw located(.file(problem)) }
      try state.withLock { state in
        state.rows.removeAll(keepingCapacity: true)
        state.position = 0
        _ = try fill(&state, settles: true)
      }
    }
  }

  private enum Step {
    case row(Value)
    case end, wait
  }

  /// A row that `save` made of a reply is a reply again.
  static func value(_ row: JSONValue) -> Value { Value.loaded(row) }

  private func tellOfPassedOver() {
    let faults = state.withLock { state -> RowFaults? in
      guard !state.hasTold, state.reader.faults.count > 0 else { return nil }
      state.hasTold = true
      return state.reader.faults
    }
    if let faults { passedOver(faults) }
  }

  /// - Returns: how many bytes were read.
  private func fill(_ state: inout State, settles: Bool) throws -> Int {
    let bytes: [UInt8]
    do throws(FileProblem) { bytes = try file.read() } catch { throw located(.file(error)) }
    do throws(FormatError) {
      guard !bytes.isEmpty else {
        state.isOver = true
        try state.reader.finish(into: &state.rows)
        return 0
      }
      try state.reader.feed(bytes, into: &state.rows)
      if settles { try state.reader.settle(into: &state.rows) }
    } catch {
      // The rows before the bad one are handed out first.
      state.fault = error
    }
    return bytes.count
  }

  private func settle(_ state: inout State) throws {
    do throws(FormatError) { try state.reader.settle(into: &state.rows) } catch { state.fault = state.fault ?? error }
  }

  var count: Int? { nil }
  /// The rows that have been read and not been taken; the others are not there yet.
  var visible: [Value]? { state.withLock { state in state.rows[state.position...].map(Self.value) } }
}

/// The rows of several files, one after the other, each with the name of its file.
final class FilesSource: ItemSource {
  private let sources: [(name: String, source: FileSource)]
  private let position = Mutex(0)

  init(_ sources: [(name: String, source: FileSource)]) {
    self.sources = sources
  }

  func next() async throws -> Value? {
    while true {
      let index = position.withLock { $0 }
      guard index < sources.count else { return nil }
      if let value = try await sources[index].source.next() { return Self.named(value, sources[index].name) }
      position.withLock { $0 = index + 1 }
    }
  }

  /// What a field `file` of the rows is called besides the column.
  static let ownName = "input.file"

  private static func named(_ value: Value, _ name: String) -> Value {
    switch value {
    case .record(let record):
      // One that the data have keeps its value, under another name.
      let fields = record.fields.map { ($0.name == "file" ? ownName : $0.name, $0.value) }
      var named = Record(fields + [("file", .text(name))])
      named.failure = record.failure
      return .record(named)
    case .reply(let row): return .reply(row.adding(("file", .text(name))))
    default: return .record(Record([("line", value), ("file", .text(name))]))
    }
  }

  var count: Int? { nil }
  var visible: [Value]? { sources.flatMap { name, source in (source.visible ?? []).map { Self.named($0, name) } } }
}
