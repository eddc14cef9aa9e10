import JSON

/// Writes rows as a file's format; what it returns is always whole rows.
public struct RowWriter: Sendable {
  public let format: FileFormat
  private var columns: [String]?
  private var count = 0
  private let appends: Bool

  /// - Parameter appends: rows go to the end of a file that may have some: a header only where `columns` are not known yet.
  public init(_ format: FileFormat, appends: Bool = false) {
    self.format = format
    self.appends = appends
  }

  /// What a row cannot be written for.
  public struct Problem: Error { public var message: String }

  public mutating func row(_ row: JSONValue) throws(Problem) -> [UInt8] {
    var out: [UInt8] = []
    defer { count += 1 }
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
    case .md:
      if let text = row["text"] {
        let title = row["input"] ?? row["prompt"] ?? .int(count)
        out.append(contentsOf: "## \(Self.text(title).split(separator: "\n").joined(separator: " "))\n\n\(Self.text(text))\n\n".utf8)
      } else {
        out.append(contentsOf: (Self.text(row) + "\n").utf8)
      }
    }
    return out
  }

  public mutating func end() -> [UInt8] {
    guard format == .json else { return [] }
    return Array((count == 0 ? "[]\n" : "\n]\n").utf8)
  }

  private mutating func delimited(_ row: JSONValue, _ separator: Character, _ out: inout [UInt8]) throws(Problem) {
    let members: [(key: String, value: JSONValue)]
    if case .object(let object) = row { members = object } else { members = [("value", row)] }
    let columns = self.columns ?? members.map(\.key)
    if self.columns == nil {
      self.columns = columns
      if !appends { out.append(contentsOf: line(columns, separator).utf8) }
    }
    if let extra = members.first(where: { !columns.contains($0.key) }) {
      throw Problem(
        message: "row \(count) has a field `\(extra.key)` that the first row has not; `select` the same fields for all, or save as .jsonl")
    }
    let values = columns.map { name in members.first { $0.key == name }.map { Self.text($0.value) } ?? "" }
    out.append(contentsOf: line(values, separator).utf8)
  }

  private func line(_ values: [String], _ separator: Character) -> String {
    values.map { value in
      let needsQuotes = value.contains { $0 == separator || $0 == "\"" || $0.isNewline } || value.first == " " || value.last == " "
      return needsQuotes ? "\"" + value.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\"" : value
    }.joined(separator: String(separator)) + "\n"
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): text
    case .null: ""
    default: value.text
    }
  }
}
