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

  /// Shrinks the widest columns until all fit; what still does not fit at 4 columns each is left out at the right.
  private func fitted(_ natural: [Int], into width: Int) -> [Int] {
    var widths = natural
    var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
    while excess > 0, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 4 {
      let second = widths.filter { $0 < widths[widest] }.max() ?? 4
      let equals = widths.filter { $0 == widths[widest] }.count
      let step = max(1, min(widths[widest] - max(second, 4), (excess + equals - 1) / equals))
      widths[widest] -= step
      excess -= step
    }
    while excess > 0, let last = widths.popLast() { excess -= last + 2 }
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
