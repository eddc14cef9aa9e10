import JSON

/// `.csv` and `.tsv` (RFC 4180): the first row names the columns, quotes may hold separators, line ends and doubled quotes. Rows end with
/// LF, CRLF or CR.
///
/// A column has one type, decided by the rows that `settle` finds (`ColumnType`); numbers keep their digits.
public struct DelimitedReader: RowReader {
  public var faults = RowFaults()
  /// The names in the first row; nil until it has been read.
  public private(set) var columns: [String]?

  struct Field {
    var text: [UInt8] = []
    var isQuoted = false
    var line = 1
    var column = 1
  }

  private let separator: UInt8
  private let textColumns: Set<String>
  private var types: [ColumnType] = []
  private var isSavedReply = false
  private var fields: [Field] = []
  /// What the row takes up in memory so far, but for the field that is being read.
  private var rowBytes = 0
  private var field = Field()
  private enum Place { case start, bare, quoted, afterQuote, skipping }
  private var place = Place.start
  private var line = 1
  private var column = 0
  private var rowLine = 1
  /// A line feed behind it belongs to it.
  private var isBehindReturn = false
  /// Rows that wait for the types of their columns.
  private var held: [(fields: [Field], line: Int)] = []
  private var heldBytes = 0
  private var isSettled = false
  private var markLeft = 3
  private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
  /// The types are decided by no more than this.
  private static let mostHeld = 256 << 10

  public init(separator: UInt8, textColumns: Set<String> = []) {
    self.separator = separator
    self.textColumns = textColumns
  }

  public mutating func feed(_ bytes: UnsafeRawBufferPointer, into rows: inout [JSONValue]) throws(FormatError) {
    for byte in bytes {
      if markLeft > 0 {
        if byte == Self.mark[3 - markLeft] {
          markLeft -= 1
          continue
        }
        try takeHalfMark(into: &rows)
      }
      if isBehindReturn {
        isBehindReturn = false
        if byte == 0x0A { continue }
      }
      column += 1
      try take(byte, into: &rows)
      if byte == 0x0A || byte == 0x0D, place != .quoted {
        isBehindReturn = byte == 0x0D
        (line, column) = (line + 1, 0)
        rowLine = line
      } else if byte == 0x0A {
        (line, column) = (line + 1, 0)
      }
      if rowBytes + field.text.count > Largest.row { throw FormatError("a row is longer than \(Largest.words)", line: rowLine, column: 1) }
    }
  }

  /// What began like a byte order mark and was none belongs to the first field: many characters begin with that byte.
  private mutating func takeHalfMark(into rows: inout [JSONValue]) throws(FormatError) {
    let taken = Self.mark[..<(3 - markLeft)]
    markLeft = 0
    for byte in taken {
      column += 1
      try take(byte, into: &rows)
    }
  }

  private mutating func take(_ byte: UInt8, into rows: inout [JSONValue]) throws(FormatError) {
    let isEnd = byte == 0x0A || byte == 0x0D
    switch place {
    case .quoted:
      if byte == UInt8(ascii: "\"") { place = .afterQuote } else { field.text.append(byte) }
    case .afterQuote where byte == UInt8(ascii: "\""):
      field.text.append(byte)
      place = .quoted
    case .skipping:
      if isEnd {
        fields.removeAll(keepingCapacity: true)
        rowBytes = 0
        place = .start
      }
    case .start where byte == UInt8(ascii: "\""):
      place = .quoted
      field = Field(isQuoted: true, line: line, column: column)
    case _ where byte == separator: endField()
    case _ where isEnd: try endRow(into: &rows)
    case .afterQuote:
      try faults.add(FormatError("after a closing quote a separator or the end of the row was expected", line: line, column: column))
      field = Field()
      place = .skipping
    case .start, .bare:
      if place == .start { (field.line, field.column) = (line, column) }
      place = .bare
      field.text.append(byte)
    }
  }

  public mutating func finish(into rows: inout [JSONValue]) throws(FormatError) {
    if (1...2).contains(markLeft) { try takeHalfMark(into: &rows) }
    if place == .quoted {
      try faults.add(FormatError("a quote that opens here is never closed", line: field.line, column: field.column))
    } else if place != .skipping, place != .start || !fields.isEmpty {
      try endRow(into: &rows)
    }
    try settle(into: &rows)
  }

  /// The line where a quote stands open at the end of what has been read; nil where none does.
  public var openQuoteLine: Int? { place == .quoted ? field.line : nil }

  /// The row at the end of what has been read that no line end ends: where it begins, and whether it has all its fields and is text.
  public var openRow: (line: Int, isWhole: Bool)? {
    guard let columns, place == .bare || place == .afterQuote || !fields.isEmpty else { return nil }
    return (rowLine, fields.count + 1 == columns.count && (try? Self.text(field)) != nil)
  }

  /// Goes on behind so many lines of whole rows, which whoever feeds it leaves out. To be called where a row may begin.
  public mutating func passOver(lines: Int) {
    line += lines
    rowLine = line
  }

  private mutating func endField() {
    if place == .start { (field.line, field.column) = (line, column) }
    fields.append(field)
    rowBytes += field.text.count + MemoryLayout<Field>.stride
    field = Field()
    place = .start
  }

  private mutating func endRow(into rows: inout [JSONValue]) throws(FormatError) {
    if fields.isEmpty, place == .start { return }
    endField()
    let whole = fields
    fields = []
    rowBytes = 0
    fields.reserveCapacity(whole.count)
    guard let columns else { return try readHeader(whole) }
    guard whole.count == columns.count else {
      return try faults.add(
        FormatError("this row has \(whole.count) fields, the header has \(columns.count)", line: rowLine, column: 1))
    }
    if isSettled { return try put(whole, rowLine, into: &rows) }
    held.append((whole, rowLine))
    heldBytes += whole.reduce(0) { $0 + $1.text.count + 1 }
    if heldBytes > Self.mostHeld { try settle(into: &rows) }
  }

  private mutating func readHeader(_ fields: [Field]) throws(FormatError) {
    var names: [String] = []
    var seen: Set<String> = []
    for (index, field) in fields.enumerated() {
      let text = try Self.text(field)
      var name = text.isEmpty ? "column\(index + 1)" : text
      if !seen.insert(name).inserted {
        try faults.add(FormatError("there are two columns `\(name)`", line: rowLine, column: field.column))
        var number = 2
        while !seen.insert("\(name).\(number)").inserted { number += 1 }
        name += ".\(number)"
      }
      names.append(name)
    }
    if let unknown = textColumns.subtracting(seen).sorted().first {
      throw FormatError(
        "there is no column `\(unknown)`", line: rowLine, column: 1, help: "the columns are: \(names.prefix(20).joined(separator: ", "))")
    }
    columns = names
    // What `save` made of replies has cells that hold nothing.
    isSavedReply = ["prompt", "model", "text", "finish", "attempts"].allSatisfy(seen.contains)
  }

  public mutating func settle(into rows: inout [JSONValue]) throws(FormatError) {
    guard let columns, !isSettled, !held.isEmpty else { return }
    isSettled = true
    types = columns.map { textColumns.contains($0) ? .text : .undecided }
    for index in columns.indices where types[index] != .text {
      for row in held { types[index] = types[index].seeing(row.fields[index].text, isQuoted: row.fields[index].isQuoted) }
    }
    let waiting = held
    held = []
    for row in waiting { try put(row.fields, row.line, into: &rows) }
  }

  private mutating func put(_ fields: [Field], _ line: Int, into rows: inout [JSONValue]) throws(FormatError) {
    guard let columns else { return }
    var members: [(key: String, value: JSONValue)] = []
    members.reserveCapacity(columns.count)
    do throws(FormatError) {
      for index in columns.indices { members.append((columns[index], try value(fields[index], index))) }
      rows.append(.object(members))
    } catch { try faults.add(error) }
  }

  private mutating func value(_ field: Field, _ index: Int) throws(FormatError) -> JSONValue {
    if types[index] == .undecided, !field.text.isEmpty || field.isQuoted {
      types[index] = types[index].seeing(field.text, isQuoted: field.isQuoted)
    }
    if field.text.isEmpty, !field.isQuoted || types[index] == .number || types[index] == .bool {
      return types[index] == .number || types[index] == .bool || isSavedReply ? .null : .string("")
    }
    if types[index] == .text { return .string(try Self.text(field)) }
    let text = try Self.text(field)
    if let value = types[index].value(text) { return value }
    let name = columns?[index] ?? ""
    throw FormatError(
      "`\(name)` held \(types[index] == .number ? "numbers" : "true and false") so far, and this is \"\(text.prefix(40))\"",
      line: field.line, column: field.column, help: "`--text \(name)` reads the column as text")
  }

  private static func text(_ field: Field) throws(FormatError) -> String {
    guard let text = String(validating: field.text, as: UTF8.self) else {
      throw FormatError("this row is not UTF-8 text", line: field.line, column: 1)
    }
    return text
  }
}

/// What the cells of a column are. Text, unless every cell is a number or every cell `true` or `false`; a cell in quotes is text, and so
/// is a column in which a number would lose what it says: a zero before it, a plus sign, digits past 2^63.
enum ColumnType {
  case undecided, text, number, bool

  func seeing(_ cell: [UInt8], isQuoted: Bool) -> ColumnType {
    // An empty cell says nothing of its column, be it in quotes: that is how the only cell of a row is written that holds nothing.
    if cell.isEmpty { return self }
    if self == .text || isQuoted { return .text }
    let text = String(decoding: cell, as: UTF8.self)
    let type: ColumnType = text == "true" || text == "false" ? .bool : Self.number(text) != nil ? .number : .text
    return self == .undecided || self == type ? type : .text
  }

  func value(_ text: String) -> JSONValue? {
    switch self {
    case .number: Self.number(text)
    case .bool: text == "true" ? .bool(true) : text == "false" ? .bool(false) : nil
    case .text, .undecided: .string(text)
    }
  }

  /// As JSON spells numbers.
  private static func number(_ text: String) -> JSONValue? {
    let bytes = Array(text.utf8)
    let digits = bytes.first == UInt8(ascii: "-") ? bytes.dropFirst() : bytes[...]
    guard let first = digits.first, (0x30...0x39).contains(first), let last = digits.last, (0x30...0x39).contains(last) else { return nil }
    if first == 0x30, digits.count > 1, (0x30...0x39).contains(digits[digits.startIndex + 1]) { return nil }
    guard bytes.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }) else { return nil }
    guard let value = JSONValue(number: text[...]) else { return nil }
    if case .exact(let number) = value, number.isLarge { return nil }
    return value
  }
}
