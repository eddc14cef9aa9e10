import JSON

/// What is wrong with a file's content, and where. Lines and columns count from 1; columns are bytes.
public struct FormatError: Error, Sendable, Equatable {
  public var message: String
  public var line: Int
  public var column: Int

  public init(_ message: String, line: Int, column: Int) {
    self.message = message
    self.line = line
    self.column = column
  }
}

/// Reads rows from bytes that come in pieces, so that a file larger than memory can be gone through.
///
/// A row is an object for formats with fields and a string for those with lines.
public protocol RowReader: Sendable {
  /// Takes the next piece; appends the rows it completes.
  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError)
  /// There is no more.
  mutating func finish(into rows: inout [JSONValue]) throws(FormatError)
}

/// The formats that `load` and `save` know, by a file's extension.
public enum FileFormat: String, Sendable, CaseIterable {
  case jsonl, json, csv, tsv, txt, md

  /// By the last extension of a path (`.ndjson` and `.markdown` too); nil where it names none.
  public init?(path: String) {
    guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
    switch path[path.index(after: dot)...].lowercased() {
    case "ndjson": self = .jsonl
    case "markdown": self = .md
    case let name:
      guard let format = FileFormat(rawValue: name) else { return nil }
      self = format
    }
  }

  /// Whether its rows have columns, the same for all.
  public var isTable: Bool { self == .csv || self == .tsv }

  public func reader() -> any RowReader {
    switch self {
    case .jsonl: JSONLinesReader()
    case .json: JSONDocumentReader()
    case .csv: DelimitedReader(separator: UInt8(ascii: ","))
    case .tsv: DelimitedReader(separator: 0x09)
    case .txt: TextLinesReader()
    case .md: WholeTextReader()
    }
  }
}

/// Cuts bytes into lines, endings taken off. A line that is longer than `maximum` is refused: it would be held in memory whole.
struct LineCutter {
  static let maximum = 64 << 20
  private var partial: [UInt8] = []
  private(set) var line = 0

  mutating func feed(
    _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void
  ) throws(FormatError) {
    var start = 0
    for index in bytes.indices where bytes[index] == 0x0A {
      line += 1
      if partial.isEmpty {
        try take(Self.trimmed(UnsafeRawBufferPointer(rebasing: bytes[start..<index])), line)
      } else {
        partial.append(contentsOf: bytes[start..<index])
        try takePartial(take)
      }
      start = index + 1
    }
    partial.append(contentsOf: bytes[start...])
    if partial.count > Self.maximum { throw FormatError("a line is longer than \(Self.maximum >> 20) MiB", line: line + 1, column: 1) }
  }

  mutating func finish(_ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void) throws(FormatError) {
    if partial.isEmpty { return }
    line += 1
    try takePartial(take)
  }

  private mutating func takePartial(_ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void) throws(FormatError) {
    let whole = partial
    partial.removeAll(keepingCapacity: true)
    let line = line
    let result: Result<Void, FormatError> = whole.withUnsafeBytes { bytes in
      do throws(FormatError) {
        return .success(try take(Self.trimmed(bytes), line))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }

  private static func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    line.last == 0x0D ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
  }
}

/// Text of a row, checked.
func validText(_ bytes: UnsafeRawBufferPointer, line: Int) throws(FormatError) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else {
    // Where the first bad byte is.
    var low = 0
    var high = bytes.count
    while high - low > 1 {
      let middle = (low + high) / 2
      let isGood = String(validating: bytes[..<middle], as: UTF8.self) != nil || (middle < bytes.count && isContinuation(bytes[middle]))
      if isGood { low = middle } else { high = middle }
    }
    throw FormatError("this is not UTF-8 text", line: line, column: low + 1)
  }
  return text
}

private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

/// A byte order mark, which editors put before UTF-8 text.
func withoutMark(_ line: UnsafeRawBufferPointer, _ number: Int) -> UnsafeRawBufferPointer {
  number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) ? UnsafeRawBufferPointer(rebasing: line.dropFirst(3)) : line
}
