import JSON

/// Writes rows as a file's format; what it returns is always whole rows.
public struct RowWriter: Sendable {
  public let format: FileFormat
  private var columns: [String]?
  private var places: [String: Int] = [:]
  private var count = 0
  /// What stands above the table that is being written.
  private var settings = ""
  /// The rows go to the end of a file that has some.
  private let continues: Bool
  /// Something else stands before the rows.
  private let isBehindText: Bool

  /// - Parameter isBehindText: whether the file holds something else already, from which a markdown table stands apart.
  public init(_ format: FileFormat, isBehindText: Bool = false) {
    self.format = format
    self.isBehindText = isBehindText
    continues = false
  }

  /// - Parameter continuing: the columns of the table that rows are added to.
  public init(_ format: FileFormat, continuing columns: [String]) {
    self.format = format
    continues = true
    isBehindText = true
    setColumns(columns)
  }

  /// What a row cannot be written for.
  public struct Problem: Error { public var message: String }

  public mutating func row(_ row: JSONValue) throws(Problem) -> [UInt8] {
    var out: [UInt8] = []
    switch format {
    case .jsonl:
      row.write(to: &out)
      out.append(0x0A)
    case .json:
      out.append(contentsOf: (count == 0 ? "[\n" : ",\n").utf8)
      row.write(to: &out)
    case .csv: try delimited(row, ",", &out)
    case .tsv: try delimited(row, "\t", &out)
    case .txt:
      out.append(contentsOf: Self.text(row["text"] ?? row).utf8)
      out.append(0x0A)
    case .md: try markdown(row, &out)
    }
    count += 1
    return out
  }

  /// What has to stand behind the rows so far for the file to be whole.
  public var tail: [UInt8] { format == .json && count > 0 ? Array("\n]\n".utf8) : [] }

  /// What a table of cells begins with, once its columns are known.
  public var head: [UInt8] {
    guard let columns, let separator else { return [] }
    return Array((columns.map { $0.isEmpty ? "\"\"" : Self.quoted($0, separator) }.joined(separator: String(separator)) + "\n").utf8)
  }

  private var separator: Unicode.Scalar? { format == .csv ? "," : format == .tsv ? "\t" : nil }

  /// What the file holds without a row.
  public var empty: [UInt8] { format == .json ? Array("[]\n".utf8) : [] }

  public mutating func end() -> [UInt8] { count == 0 ? empty : tail }

  // MARK: tables

  private mutating func setColumns(_ names: [String]) {
    columns = names
    places = Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
  }

  /// The cells of a row in the order of the columns, which the first row decides.
  private mutating func cells(_ row: JSONValue, _ header: ([String]) -> Void) throws(Problem) -> [JSONValue] {
    let members: [(key: String, value: JSONValue)]
    if case .object(let object) = row { members = object } else { members = [("value", row)] }
    if columns == nil {
      // Of members with one name the last counts, as everywhere.
      var seen: Set<String> = []
      let names = members.map(\.key).filter { seen.insert($0).inserted }
      setColumns(names)
      header(names)
    }
    var cells = [JSONValue](repeating: .null, count: columns?.count ?? 0)
    for member in members {
      guard let place = places[member.key] else {
        throw Problem(
          message: continues
            ? "row \(count) has a field `\(member.key)` that the file has no column for; its columns are "
              + (columns ?? []).prefix(20).map { "`\($0)`" }.joined(separator: " ")
            : "row \(count) has a field `\(member.key)` that the first row has not; `select` the same fields for all, or save as .jsonl")
      }
      cells[place] = member.value
    }
    return cells
  }

  private mutating func delimited(_ row: JSONValue, _ separator: Unicode.Scalar, _ out: inout [UInt8]) throws(Problem) {
    var isFirst = false
    let cells = try cells(row) { _ in isFirst = true }
    if isFirst { out += head }
    let line = cells.map { cell in
      switch cell {
      // A text that would be read as something else stands in quotes.
      case .string(let text): Self.readsOtherwise(text) ? "\"\(text)\"" : Self.quoted(text, separator)
      case .null: ""
      default: Self.quoted(cell.text, separator)
      }
    }
    // A row of one empty cell would be an empty line, which is no row.
    if line == [""] { return out.append(contentsOf: "\"\"\n".utf8) }
    out.append(contentsOf: (line.joined(separator: String(separator)) + "\n").utf8)
  }

  private static func readsOtherwise(_ text: String) -> Bool {
    if text.isEmpty { return true }
    guard let first = text.utf8.first,
      (0x30...0x39).contains(first) || first == UInt8(ascii: "-") || first == UInt8(ascii: "t") || first == UInt8(ascii: "f")
    else { return false }
    return ColumnType.undecided.seeing(Array(text.utf8), isQuoted: false) != .text
  }

  /// By scalars: a combining accent behind a comma makes one `Character` of both, and the reader of the file sees a comma all the same.
  private static func quoted(_ value: String, _ separator: Unicode.Scalar) -> String {
    let scalars = value.unicodeScalars
    let needsQuotes =
      scalars.contains { $0 == separator || $0 == "\"" || Character($0).isNewline } || scalars.first == " " || scalars.last == " "
      // A byte order mark would be taken for the file's own.
      || scalars.first == "\u{FEFF}"
    return needsQuotes ? "\"" + doublingQuotes(value) + "\"" : value
  }

  private static func doublingQuotes(_ value: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in value.unicodeScalars {
      if scalar == "\"" { out.append(scalar) }
      out.append(scalar)
    }
    return String(out)
  }

  // MARK: markdown

  /// Records and replies are a table, with the settings of its replies above it; a text stands as it is. Rows come one by one: those
  /// that were sent with other settings begin a table of their own.
  private mutating func markdown(_ row: JSONValue, _ out: inout [UInt8]) throws(Problem) {
    guard case .object(let all) = row else {
      out.append(contentsOf: (Self.text(row) + "\n").utf8)
      return
    }
    let members = all.filter { $0.key != MarkdownTable.settings && $0.key != MarkdownTable.settingsOfFailed }
    let isFirst = columns == nil
    let given = row[MarkdownTable.settings] ?? (isFirst ? row[MarkdownTable.settingsOfFailed] : nil)
    let line = given.map(Self.line)
    let begins = isFirst || line.map { $0 != settings } ?? false
    let cells = try cells(.object(members)) { _ in }
    var head = ""
    if begins {
      settings = line ?? ""
      // Behind text or another table a table begins with a line that is empty.
      let isBehind = isBehindText || !isFirst
      if isBehind { head += "\n" }
      // What stands above another table may hold other settings.
      if !settings.isEmpty || isBehind && line != nil {
        head += MarkdownTable.settingsWord + (settings.isEmpty ? "the usual" : settings) + "\n\n"
      }
      let names = columns ?? []
      let rules = cells.map { cell in
        if case .int = cell { return "--:" }
        return "---"
      }
      head += "| " + names.map(MarkdownTable.cell).joined(separator: " | ") + " |\n| " + rules.joined(separator: " | ") + " |\n"
    }
    out.append(contentsOf: (head + "| " + cells.map(Self.cell).joined(separator: " | ") + " |\n").utf8)
  }

  private static func line(_ settings: JSONValue) -> String {
    guard case .object(let given) = settings else { return "" }
    return given.map { "\($0.key): \(cell($0.value))" }.joined(separator: " · ")
  }

  private static func cell(_ value: JSONValue) -> String { MarkdownTable.cell(text(value)) }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): text
    case .null: ""
    default: value.text
    }
  }
}
