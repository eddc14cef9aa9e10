import Formats
import JSON
import Names

/// The row that a file ends with, to which rows are to be added. One that was cut off (a full disk, a power cut) would make what is
/// written behind it unreadable: that is told before anything is sent, and the file stays as it is.
enum LastRow {
  /// What is read from the end at first: a row mostly ends within it.
  private static let firstBytes = 1 << 16

  /// - Throws: what is wrong with it, and the line.
  static func check(_ path: String, _ format: FileFormat, _ files: any Files) throws(FileProblem) {
    switch format {
    case .jsonl, .txt, .md: try checkLine(path, format, files)
    // Of tables `TableOnFile` sees to it, which reads them whole; a document is not added to.
    case .csv, .tsv, .json: break
    }
  }

  static func problem(_ words: String, _ path: String, _ format: FileFormat) -> FileProblem {
    FileProblem("\(words), and what is added behind it could not be loaded", help: help(path, format))
  }

  static func help(_ path: String, _ format: FileFormat) -> String {
    // Where the name does not say it.
    let flag = FileFormat(path: path) == format ? "" : " --format \(format.rawValue)"
    return "`load \(path.typed)\(flag) --lenient | save \(path.typed)\(flag)` leaves it out"
  }

  /// Only the last line is looked at, however long the file is; all of it where that is no row for itself: a document may go over several.
  private static func checkLine(_ path: String, _ format: FileFormat, _ files: any Files) throws(FileProblem) {
    guard try files.open(path).isPlainFile, let line = lastLine(path, files) else { return }
    var reader = format.reader()
    var rows: [JSONValue] = []
    // One that is indented is a part of a document.
    let isIndented = line.first == 0x20 || line.first == 0x09
    if !isIndented, (try? reader.feed(line, into: &rows)) != nil, (try? reader.finish(into: &rows)) != nil { return }
    let file = try files.open(path)
    reader = format.reader()
    while true {
      let bytes = try file.read()
      rows.removeAll(keepingCapacity: true)
      do throws(FormatError) {
        guard bytes.isEmpty else {
          try reader.feed(bytes, into: &rows)
          continue
        }
        try reader.finish(into: &rows)
      } catch { throw problem("line \(error.line): \(error.message)", path, format) }
      return
    }
  }

  /// The last line that is not empty; nil where there is none.
  private static func lastLine(_ path: String, _ files: any Files) -> [UInt8]? {
    var most = firstBytes
    while true {
      let ending = files.ending(path, most)
      guard let last = ending.lastIndex(where: { !" \t\r\n".utf8.contains($0) }) else {
        if ending.count < most { return nil }
        most *= 4
        continue
      }
      if let start = ending[...last].lastIndex(of: 0x0A) { return Array(ending[(start + 1)...last]) }
      if ending.count < most { return Array(ending[...last]) }
      most *= 4
    }
  }
}
