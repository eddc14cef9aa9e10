import JSON

/// `.csv` and `.tsv` (RFC 4180): the first row names the columns, quotes may hold separators, line ends and doubled quotes.
///
/// A field that is spelled exactly as a number, `true` or `false` would be is read as one; everything else, `007` and `1.50`
/// among them, stays the text it is, so that nothing changes on the way from file to file.
struct DelimitedReader: RowReader {
  let separator: UInt8
  private var header: [String]?
  private var fields: [(text: [UInt8], isQuoted: Bool)] = []
  private var field: [UInt8] = []
  private var isQuoted = false
  private enum Place { case start, bare, quoted, afterQuote }
  private var place = Place.start
  private var line = 1
  private var column = 0
  private var rowLine = 1
  private var quoteAt = (line: 0, column: 0)
  private var markLeft = 3
  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

  init(separator: UInt8) {
    self.separator = separator
  }

  mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    for byte in bytes {
      if markLeft > 0 {
        if byte == Self.mark[3 - markLeft] {
          markLeft -= 1
          continue
        }
        markLeft = 0
      }
      column += 1
      switch place {
      case .quoted:
        if byte == UInt8(ascii: "\"") { place = .afterQuote } else { field.append(byte) }
      case .afterQuote where byte == UInt8(ascii: "\""):
        field.append(byte)
        place = .quoted
      case .start where byte == UInt8(ascii: "\""):
        (place, isQuoted) = (.quoted, true)
        quoteAt = (line, column)
      case _ where byte == separator: endField()
      case _ where byte == 0x0A: try endRow(into: &rows)
      case _ where byte == 0x0D: break
      case .afterQuote:
        throw FormatError("after a closing quote a separator or the end of the row was expected", line: line, column: column)
      case .start, .bare:
        place = .bare
        field.append(byte)
      }
      if byte == 0x0A { (line, column) = (line + 1, 0) }
      if field.count > LineCutter.maximum {
        throw FormatError("a field is longer than \(LineCutter.maximum >> 20) MiB", line: rowLine, column: 1)
      }
    }
  }

  mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    if place == .quoted { throw FormatError("a quote that opens here is never closed", line: quoteAt.line, column: quoteAt.column) }
    if place != .start || !fields.isEmpty { try endRow(into: &rows) }
  }

  private mutating func endField() {
    fields.append((field, isQuoted))
    field.removeAll(keepingCapacity: true)
    (place, isQuoted) = (.start, false)
  }

  private mutating func endRow(into rows: inout [JSONValue]) throws(FormatError) {
    let isBlank = fields.isEmpty && place == .start
    let line = rowLine
    rowLine = self.line + 1
    if isBlank { return }
    endField()
    defer { fields.removeAll(keepingCapacity: true) }
    guard let header else {
      header = try names(line)
      return
    }
    guard fields.count == header.count else {
      throw FormatError("this row has \(fields.count) fields, the header has \(header.count)", line: line, column: 1)
    }
    var members: [(key: String, value: JSONValue)] = []
    members.reserveCapacity(header.count)
    for (name, field) in zip(header, fields) {
      let text = try text(field.text, line)
      members.append((name, field.isQuoted ? .string(text) : Self.value(text)))
    }
    rows.append(.object(members))
  }

  private func names(_ line: Int) throws(FormatError) -> [String] {
    var names: [String] = []
    for (index, field) in fields.enumerated() {
      let text = try text(field.text, line)
      let name = text.isEmpty ? "column\(index + 1)" : text
      if names.contains(name) { throw FormatError("there are two columns `\(name)`", line: line, column: 1) }
      names.append(name)
    }
    return names
  }

  private func text(_ bytes: [UInt8], _ line: Int) throws(FormatError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw FormatError("this row is not UTF-8 text", line: line, column: 1)
    }
    return text
  }

  private static func value(_ text: String) -> JSONValue {
    if let whole = Int(text), String(whole) == text { return .int(whole) }
    if text == "true" { return .bool(true) }
    if text == "false" { return .bool(false) }
    if let number = Double(text), number.isFinite, String(number) == text { return .number(number) }
    return .string(text)
  }
}
