import JSON

/// `.txt`: every line is a row.
struct TextLinesReader: RowReader {
  var faults = RowFaults()
  private var lines = LineCutter()

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    var faults = faults
    defer { self.faults = faults }
    try lines.feed(bytes) { (line, number) throws(FormatError) in try Self.read(line, number, &faults, into: &rows) }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    var faults = faults
    defer { self.faults = faults }
    try lines.finish { (line, number) throws(FormatError) in try Self.read(line, number, &faults, into: &rows) }
  }

  private static func read(
    _ line: UnsafeRawBufferPointer, _ number: Int, _ faults: inout RowFaults, into rows: inout [JSONValue]
  ) throws(FormatError) {
    do throws(FormatError) { rows.append(.string(try validText(withoutMark(line, number), line: number))) } catch { try faults.add(error) }
  }
}

/// `.jsonl`: a JSON document a line; empty lines are passed over. A document may also go over several lines, as it is printed for people.
struct JSONLinesReader: RowReader {
  var faults = RowFaults()
  private var lines = LineCutter()
  /// A document that its first line does not end.
  private var open: OpenDocument?

  private struct OpenDocument {
    var text: [UInt8]
    var nesting: JSONNesting
    /// Where its lines begin in `text`.
    var starts: [Int]
    var line: Int
    /// What is wrong with the first line, if nothing ever ends it.
    var problem: FormatError
  }

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    var lines = lines
    self.lines = LineCutter()
    defer { self.lines = lines }
    try lines.feed(bytes) { (line, number) throws(FormatError) in try take(line, number, into: &rows) }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    var lines = lines
    try lines.finish { (line, number) throws(FormatError) in try take(line, number, into: &rows) }
    if let open { try abandon(open, into: &rows) }
  }

  private mutating func take(_ line: UnsafeRawBufferPointer, _ number: Int, into rows: inout [JSONValue]) throws(FormatError) {
    if open != nil { return try goOn(line, into: &rows) }
    let line = withoutMark(line, number)
    if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return }
    do throws(FormatError) {
      _ = try validText(line, line: number)
      do throws(JSONError) { rows.append(try Self.document(line)) } catch {
        let problem = FormatError("this line is not JSON: \(error.message)", line: number, column: error.offset + 1)
        var nesting = JSONNesting()
        nesting.read(line)
        guard nesting.isOpen, error.offset == line.count else { throw problem }
        open = OpenDocument(text: Array(line) + [0x0A], nesting: nesting, starts: [0], line: number, problem: problem)
      }
    } catch { try faults.add(error) }
  }

  private mutating func goOn(_ line: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    guard var document = open else { return }
    open = nil
    document.starts.append(document.text.count)
    document.text += line
    document.text.append(0x0A)
    document.nesting.read(line)
    if document.text.count + 8 * document.starts.count > Largest.row { return try abandon(document, into: &rows) }
    if document.nesting.isOpen {
      open = document
      return
    }
    // A string never goes over a line: a quote was left open somewhere.
    guard !document.nesting.isBroken else { return try abandon(document, into: &rows) }
    do throws(FormatError) {
      try document.text.withBytes { (bytes) throws(FormatError) in
        _ = try validText(bytes, line: document.line)
        do throws(JSONError) { rows.append(try Self.document(bytes)) } catch {
          let place = document.starts.lastIndex { $0 <= error.offset } ?? 0
          throw FormatError(
            "this is not JSON: \(error.message)", line: document.line + place, column: error.offset - document.starts[place] + 1)
        }
      }
    } catch { try faults.add(error) }
  }

  /// Its first line was torn: that one is bad, and the others are read for themselves.
  private mutating func abandon(_ document: OpenDocument, into rows: inout [JSONValue]) throws(FormatError) {
    open = nil
    try faults.add(document.problem)
    for (index, start) in document.starts.enumerated().dropFirst() {
      let end = index + 1 < document.starts.count ? document.starts[index + 1] : document.text.count
      let line = Array(document.text[start..<max(start, end - 1)])
      do throws(FormatError) {
        try line.withBytes { (bytes) throws(FormatError) in
          if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return }
          do throws(JSONError) { rows.append(try Self.document(bytes)) } catch {
            throw FormatError("this line is not JSON: \(error.message)", line: document.line + index, column: error.offset + 1)
          }
        }
      } catch { try faults.add(error) }
    }
  }

  private static func document(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSONValue {
    var cursor = JSONCursor(bytes)
    let value = try JSONValue(&cursor)
    try cursor.end()
    return value
  }
}

/// How deep a text stands in brackets, followed byte by byte: enough to know where a JSON document ends.
struct JSONNesting {
  private(set) var depth = 0
  private(set) var isInString = false
  private var isEscaped = false

  /// A bracket is open, and no string.
  var isOpen: Bool { depth > 0 && !isInString }
  var isBroken: Bool { isInString || depth < 0 }

  @inline(__always)
  mutating func read(_ byte: UInt8) {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      }
      return
    }
    switch byte {
    case UInt8(ascii: "\""): isInString = true
    case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
    case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
    default: break
    }
  }

  mutating func read(_ bytes: UnsafeRawBufferPointer) { for byte in bytes { read(byte) } }
}

/// `.md`: one row, its text.
struct WholeTextReader: RowReader {
  var faults = RowFaults()
  private var bytes: [UInt8] = []

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    self.bytes.append(contentsOf: bytes)
    if self.bytes.count > Largest.row { throw FormatError("a text is longer than \(Largest.words)", line: 1, column: 1) }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    rows.append(.string(try bytes.withBytes { (bytes) throws(FormatError) in try validText(withoutMark(bytes, 1), line: 1) }))
  }
}
