import JSON

/// `.json`: one document; an array's elements are the rows, and are handed out as they are read.
struct JSONDocumentReader: RowReader {
  var faults = RowFaults()
  private enum Place {
    case start
    /// Within the array, in or before an element.
    case element
    /// A document that is no array.
    case single
    /// Behind the end of the array.
    case behind
  }

  private var place = Place.start
  private var nesting = JSONNesting()
  private var text: [UInt8] = []
  /// Where `text` begins, and where the reader stands.
  private var start = (line: 1, column: 1)
  private var here = (line: 1, column: 1)
  private var hasElements = false
  private var markLeft = 3
  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    for byte in bytes {
      if markLeft > 0 {
        if byte == Self.mark[3 - markLeft] {
          markLeft -= 1
          continue
        }
        markLeft = 0
      }
      try take(byte, into: &rows)
      if byte == 0x0A { here = (here.line + 1, 1) } else { here.column += 1 }
    }
    if text.count > Largest.row {
      throw FormatError(
        "\(place == .element ? "an element" : "a document") is longer than \(Largest.words)", line: start.line, column: start.column)
    }
  }

  private mutating func take(_ byte: UInt8, into rows: inout [JSONValue]) throws(FormatError) {
    let isSpace = byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    switch place {
    case .start:
      if isSpace { return }
      if byte == UInt8(ascii: "[") {
        place = .element
      } else {
        place = .single
        (start, text) = (here, [byte])
        // Nothing else begins a document: what is no JSON at all is told at once.
        guard "{\"-0123456789tfn".utf8.contains(byte) else { throw problem("a value was expected", here) }
      }
    case .single: text.append(byte)
    case .element:
      if nesting.depth == 0, !nesting.isInString, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") {
        let isEnd = byte == UInt8(ascii: "]")
        if text.isEmpty {
          if isEnd, !hasElements { place = .behind } else { throw problem("a value was expected", here) }
        } else {
          try element(into: &rows)
          hasElements = true
          if isEnd { place = .behind }
        }
        return
      }
      if text.isEmpty {
        if isSpace { return }
        start = here
      }
      nesting.read(byte)
      text.append(byte)
    case .behind:
      if !isSpace { throw problem("something follows the JSON value", here) }
    }
  }

  private mutating func element(into rows: inout [JSONValue]) throws(FormatError) {
    let (whole, start) = (text, start)
    text.removeAll(keepingCapacity: whole.count < 1 << 16)
    nesting = JSONNesting()
    do throws(FormatError) {
      rows.append(
        try whole.withBytes { (bytes) throws(FormatError) in
          do throws(JSONError) {
            var cursor = JSONCursor(bytes)
            let value = try JSONValue(&cursor)
            do throws(JSONError) { try cursor.end() } catch { throw JSONError("`,` or `]` was expected", at: error.offset) }
            return value
          } catch { throw Self.problem(error, in: bytes, from: start) }
        })
    } catch { try faults.add(error) }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    switch place {
    case .behind: return
    case .start: throw problem("unexpected end of JSON", here)
    case .element: throw problem("unexpected end of JSON", here)
    case .single:
      let (whole, start) = (text, start)
      rows.append(
        try whole.withBytes { (bytes) throws(FormatError) in
          do throws(JSONError) {
            var cursor = JSONCursor(bytes)
            let value = try JSONValue(&cursor)
            try cursor.end()
            return value
          } catch { throw Self.problem(error, in: bytes, from: start) }
        })
    }
  }

  private func problem(_ message: String, _ place: (line: Int, column: Int)) -> FormatError {
    FormatError("this is not JSON: \(message)", line: place.line, column: place.column)
  }

  private static func problem(_ error: JSONError, in bytes: UnsafeRawBufferPointer, from start: (line: Int, column: Int)) -> FormatError {
    let before = bytes.prefix(error.offset)
    let lines = before.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
    let column = error.offset - (before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0)
    return FormatError(
      "this is not JSON: \(error.message)", line: start.line + lines, column: lines == 0 ? start.column + column : column + 1)
  }
}
