import JSON

/// `.txt`: every line is a row.
struct TextLinesReader: RowReader {
  private var lines = LineCutter()

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    try lines.feed(bytes) { (line, number) throws(FormatError) in
      rows.append(.string(try validText(withoutMark(line, number), line: number)))
    }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    try lines.finish { (line, number) throws(FormatError) in rows.append(.string(try validText(withoutMark(line, number), line: number))) }
  }
}

/// `.jsonl`: a JSON document a line; empty lines are passed over.
struct JSONLinesReader: RowReader {
  private var lines = LineCutter()

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    try lines.feed(bytes) { (line, number) throws(FormatError) in try Self.read(line, number, into: &rows) }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    try lines.finish { (line, number) throws(FormatError) in try Self.read(line, number, into: &rows) }
  }

  private static func read(_ line: UnsafeRawBufferPointer, _ number: Int, into rows: inout [JSONValue]) throws(FormatError) {
    let line = withoutMark(line, number)
    if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return }
    _ = try validText(line, line: number)
    do throws(JSONError) {
      var cursor = JSONCursor(line)
      let value = try JSONValue(&cursor)
      try cursor.end()
      rows.append(value)
    } catch {
      throw FormatError("this line is not JSON: \(error.message)", line: number, column: error.offset + 1)
    }
  }
}

/// `.json`: one document; an array's elements are the rows. `.md` likewise is one row, its text.
struct JSONDocumentReader: RowReader {
  private var bytes: [UInt8] = []

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    self.bytes.append(contentsOf: bytes)
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    do throws(JSONError) {
      let document = try JSONValue(parsing: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...])
      if let elements = document.array { rows += elements } else { rows.append(document) }
    } catch {
      let before = bytes.prefix(error.offset)
      let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
      let column = error.offset - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0) + 1
      throw FormatError("this is not JSON: \(error.message)", line: line, column: column)
    }
  }
}

struct WholeTextReader: RowReader {
  private var bytes: [UInt8] = []

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    self.bytes.append(contentsOf: bytes)
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    let result: Result<String, FormatError> = bytes.withUnsafeBytes { bytes in
      do throws(FormatError) { return .success(try validText(withoutMark(bytes, 1), line: 1)) } catch { return .failure(error) }
    }
    rows.append(.string(try result.get()))
  }
}
