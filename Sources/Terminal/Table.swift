import TextWidth

/// Rows under columns, drawn for a width: columns that need it are cut with `…`, the narrow ones keep what they have.
public struct Table: Sendable {
  public struct Column: Sendable {
    public var title: String
    public var isNumber: Bool

    public init(_ title: String, isNumber: Bool = false) {
      self.title = title
      self.isNumber = isNumber
    }
  }

  public var columns: [Column]
  public var rows: [[String]]
  /// Columns that it could have, for which it is not asked: named with those for which there is no room.
  public var omitted: [String] = []

  public init(columns: [Column], rows: [[String]]) {
    self.columns = columns
    self.rows = rows
  }

  /// - Parameter width: columns of the terminal; nil cuts nothing.
  ///
  /// Columns for which there is no room are named in a last line, with how to see them.
  public func lines(width: Int?, wider: String = "show --wide") -> [String] {
    let cells = rows.map { $0.map(ControlGuard.line) }
    let titles = columns.map { ControlGuard.line($0.title) }
    var widths = titles.map { DisplayWidth.of($0) }
    for row in cells {
      for (index, cell) in row.enumerated() where index < widths.count { widths[index] = max(widths[index], DisplayWidth.of(cell)) }
    }
    if let width { widths = fitted(widths, into: max(10, width)) }
    let lines = ([titles] + cells).map { line($0, widths) }
    let missing = titles.dropFirst(widths.count) + omitted.map(ControlGuard.line)
    guard let width, !missing.isEmpty else { return lines }
    let left = missing.joined(separator: ", ")
    return lines + Wrap.rows("… without \(left): `\(wider)` shows every column", width: max(10, width))
  }

  /// For a pipe: cells apart by tabs, nothing cut, so that `cut` and `awk` can take it up.
  public var tabSeparated: [String] {
    ([columns.map(\.title)] + rows).map { $0.map(ControlGuard.line).joined(separator: "\t") }
  }

  /// Shrinks the widest columns until all fit. What cannot be read any more when it is cut (a number, a word of a few letters) is not cut:
  /// columns are left out at the right instead, as long as two are left.
  private func fitted(_ natural: [Int], into width: Int) -> [Int] {
    let readable = zip(columns, natural).map { column, width in column.isNumber ? width : min(width, 8) }
    for count in stride(from: natural.count, to: 0, by: -1) {
      let least = readable.prefix(count).map { count > 2 ? $0 : min($0, 4) }
      if let widths = shrunk(Array(natural.prefix(count)), to: least, into: width) { return widths }
    }
    return []
  }

  /// Nil where even the least widths are too much.
  private func shrunk(_ natural: [Int], to least: [Int], into width: Int) -> [Int]? {
    var widths = natural
    var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
    while excess > 0 {
      let wide = widths.indices.filter { widths[$0] > least[$0] }
      guard let widest = wide.map({ widths[$0] }).max() else { return nil }
      let equals = wide.filter { widths[$0] == widest }
      // Down to the next widest, or to what one of them needs.
      let floor = max(wide.map { widths[$0] }.filter { $0 < widest }.max() ?? 0, equals.map { least[$0] }.max() ?? 0)
      let step = max(1, min(widest - floor, (excess + equals.count - 1) / equals.count))
      for index in equals {
        let cut = min(step, max(0, excess))
        widths[index] -= cut
        excess -= cut
      }
    }
    return widths
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var out = ""
    for (index, width) in widths.enumerated() {
      let cell = index < cells.count ? cells[index] : ""
      let text = Table.cut(cell, to: width)
      let padding = String(repeating: " ", count: max(0, width - DisplayWidth.of(text)))
      if index > 0 { out += "  " }
      if columns[index].isNumber { out += padding + text } else { out += index == widths.count - 1 ? text : text + padding }
    }
    return out
  }

  /// The last part of a text that fits a width.
  public static func end(of text: String, to width: Int) -> String {
    var used = 0
    var index = text.endIndex
    while index > text.startIndex {
      let before = text.index(before: index)
      used += DisplayWidth.of(text[before])
      if used > width { break }
      index = before
    }
    return String(text[index...])
  }

  public static func cut(_ text: String, to width: Int) -> String {
    if DisplayWidth.of(text) <= width { return text }
    return String(DisplayWidth.prefix(text[...], width: max(0, width - 1))) + "…"
  }
}
