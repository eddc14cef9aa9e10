import JSON

/// What is wrong with a file's content, and where. Lines and columns count from 1; columns are bytes.
public struct FormatError: Error, Sendable, Equatable {
  public var message: String
  public var line: Int
  public var column: Int
  /// What the reader can do about it.
  public var help: String?

  public init(_ message: String, line: Int, column: Int, help: String? = nil) {
    self.message = message
    self.line = line
    self.column = column
    self.help = help
  }
}

/// Reads rows from bytes that come in pieces, so that a file larger than memory can be gone through.
///
/// A row is an object for formats with fields and a string for those with lines.
public protocol RowReader: Sendable {
  /// Takes the next piece; appends the rows it completes.
  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError)
  /// Decides what waits to be decided from the rows so far (the types of a table's columns), and appends those rows.
  mutating func settle(into rows: inout [JSONValue]) throws(FormatError)
  /// There is no more.
  mutating func finish(into rows: inout [JSONValue]) throws(FormatError)
  /// What becomes of a bad row.
  var faults: RowFaults { get set }
}

extension RowReader {
  public mutating func settle(into rows: inout [JSONValue]) throws(FormatError) {}

  public mutating func feed(_ bytes: [UInt8], into rows: inout [JSONValue]) throws(FormatError) {
    try bytes.withBytes { (bytes) throws(FormatError) in try feed(bytes, into: &rows) }
  }
}

/// Rows that are not as they should be: the first ends the reading, or with `isLenient` they are counted and passed over.
public struct RowFaults: Sendable {
  public var isLenient = false
  public private(set) var count = 0
  /// The first few.
  public private(set) var first: [FormatError] = []

  public init() {}

  mutating func add(_ error: FormatError) throws(FormatError) {
    guard isLenient else { throw error }
    count += 1
    if first.count < 3 { first.append(error) }
  }
}

/// The formats that `load` and `save` know, by a file's extension.
public enum FileFormat: String, Sendable, CaseIterable {
  case jsonl, json, csv, tsv, txt, md

  /// By the last extension of a path (`.ndjson` and `.markdown` too); nil where it names none. What a run left that ended early
  /// (`x.csv.partial`, `x.csv.partial.2`) is as its name was to be.
  public init?(path: String) {
    var parts = path.split(separator: "/").last?.split(separator: ".", omittingEmptySubsequences: false) ?? []
    if let last = parts.last, parts.count > 2, Int(last) != nil, parts[parts.count - 2] == "partial" { parts.removeLast() }
    if parts.count > 2, parts.last == "partial" { parts.removeLast() }
    guard parts.count > 1, let name = parts.last?.lowercased() else { return nil }
    switch name {
    case "ndjson": self = .jsonl
    case "markdown": self = .md
    default:
      guard let format = FileFormat(rawValue: name) else { return nil }
      self = format
    }
  }

  /// Whether its rows have columns, the same for all.
  public var isTable: Bool { self == .csv || self == .tsv }

  public func reader(_ options: ReadingOptions = ReadingOptions()) -> any RowReader {
    var reader: any RowReader =
      switch self {
      case .jsonl: JSONLinesReader()
      case .json: JSONDocumentReader()
      case .csv: DelimitedReader(separator: options.separator ?? UInt8(ascii: ","), textColumns: options.textColumns)
      case .tsv: DelimitedReader(separator: options.separator ?? 0x09, textColumns: options.textColumns)
      case .txt: TextLinesReader()
      case .md: WholeTextReader()
      }
    reader.faults.isLenient = options.isLenient
    return reader
  }
}

/// How a file is to be read, where its format leaves that open.
public struct ReadingOptions: Sendable {
  /// Between the fields of a table.
  public var separator: UInt8?
  /// Columns that are text, whatever stands in them.
  public var textColumns: Set<String> = []
  public var isLenient = false

  public init() {}
}

/// Bytes of one row or document that are held in memory at most.
enum Largest {
  static let row = 64 << 20
  static var words: String { "\(row >> 20) MiB" }
}
