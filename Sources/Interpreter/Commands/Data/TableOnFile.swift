import Formats
import JSON

/// The table in a file that rows are to be added to.
enum TableOnFile {
  /// A markdown file that is longer is not looked through.
  private static let mostText = 64 << 20

  /// - Returns: its columns; empty where there is no table yet, so that rows bring a header of their own.
  /// - Throws: where the file cannot be read, or a row cannot be added behind what stands there.
  static func columns(_ path: String, _ format: FileFormat, _ files: any Files) throws(FileProblem) -> [String] {
    let file = try files.open(path)
    // Nothing stands in a pipe or a device, and reading it would take what is somebody else's.
    guard file.isPlainFile else { return [] }
    switch format {
    case .csv, .tsv: return try delimited(file, format, path)
    case .md:
      let text = String(decoding: try whole(file), as: UTF8.self)
      guard !MarkdownTable.isCutOff(atTheEndOf: text) else {
        let line = text.utf8.count { $0 == 0x0A } + 1
        throw FileProblem("line \(line): this row of a table is cut off", help: "complete the line or take it away")
      }
      return MarkdownTable.columns(atTheEndOf: text)
    case .jsonl, .json, .txt: return []
    }
  }

  private static func delimited(_ file: any FileReading, _ format: FileFormat, _ path: String) throws(FileProblem) -> [String] {
    var reader = DelimitedReader(separator: format == .tsv ? 0x09 : UInt8(ascii: ","))
    var openRow: (line: Int, isWhole: Bool)?
    while true {
      let bytes = try file.read()
      do throws(FormatError) {
        if bytes.isEmpty { openRow = reader.openRow }
        if bytes.isEmpty, reader.columns == nil {
          var rows: [JSONValue] = []
          try reader.finish(into: &rows)
        }
        try feed(bytes, to: &reader)
      } catch { throw FileProblem("line \(error.line): \(error.message)") }
      if bytes.isEmpty { break }
    }
    // What is added behind a quote that is still open would become a part of its cell.
    if let line = reader.openQuoteLine {
      throw FileProblem(
        "line \(line): a quote that opens here is never closed, and would take in what is added", help: LastRow.help(path, format))
    }
    if let row = openRow, !row.isWhole { throw LastRow.problem("line \(row.line): this row is cut off", path, format) }
    return reader.columns ?? []
  }

  /// Of a header every fault counts; what is wrong with a row below it is not ours to judge. Whole rows without a quote are passed over:
  /// they open none, and reading them takes many times as long.
  private static func feed(_ bytes: [UInt8], to reader: inout DelimitedReader) throws(FormatError) {
    var rows: [JSONValue] = []
    var rest = bytes[...]
    while reader.columns == nil, let end = rest.firstIndex(where: { $0 == 0x0A || $0 == 0x0D }) {
      try reader.feed(Array(rest[...end]), into: &rows)
      rest = rest[(end + 1)...]
    }
    if reader.columns != nil {
      reader.faults.isLenient = true
      let lineEnd: UInt8 = rest.contains(0x0A) ? 0x0A : 0x0D
      if reader.openQuoteLine == nil, !rest.contains(UInt8(ascii: "\"")), let first = rest.firstIndex(of: lineEnd),
        let last = rest.lastIndex(of: lineEnd)
      {
        try reader.feed(Array(rest[...first]), into: &rows)
        reader.passOver(lines: rest[(first + 1)..<(last + 1)].count { $0 == lineEnd })
        rest = rest[(last + 1)...]
      }
    }
    try reader.feed(Array(rest), into: &rows)
  }

  private static func whole(_ file: any FileReading) throws(FileProblem) -> [UInt8] {
    var bytes: [UInt8] = []
    while true {
      let more = try file.read()
      if more.isEmpty { return bytes }
      bytes += more
      if bytes.count > mostText { throw FileProblem("it is longer than \(mostText >> 20) MiB, too long to look for its table") }
    }
  }
}
