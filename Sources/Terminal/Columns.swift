import TextWidth

/// Texts side by side, each wrapped in a column of its own.
public enum Columns {
  public static let narrowest = 24
  private static let gap = "  "

  /// The width of each of so many columns; nil where there is no room for them.
  public static func width(of count: Int, in width: Int) -> Int? {
    let each = (width - 1 - gap.count * (count - 1)) / max(1, count)
    return count > 1 && each >= narrowest ? each : nil
  }

  /// - Parameter height: only the last so many lines of each text; nil for all.
  public static func rows(_ columns: [(title: String, text: String)], width: Int, height: Int?) -> [String] {
    let wrapped = columns.map { column -> [String] in
      // What has scrolled out of sight need not be wrapped.
      let text = height.map { String(column.text.suffix(($0 + 1) * width)) } ?? column.text
      let lines = Wrap.text(ControlGuard.clean(text), width: width, hangs: false).map(withoutEnd)
      return height.map { Array(lines.suffix($0)) } ?? lines
    }
    let titles = columns.map { Table.cut(ControlGuard.line($0.title), to: width) }
    let count = wrapped.map(\.count).max() ?? 0
    let body = (0..<count).map { row in wrapped.map { $0.indices.contains(row) ? $0[row] : "" } }
    return ([titles, titles.map { String(repeating: "─", count: DisplayWidth.of($0)) }] + body).map { joined($0, width) }
  }

  /// What stands at a row's end unseen would move the column beside it.
  private static func withoutEnd(_ row: String) -> String { String(row.reversed().drop { $0 == " " }.reversed()) }

  private static func joined(_ cells: [String], _ width: Int) -> String {
    var row = ""
    for (index, cell) in cells.enumerated() {
      row += cell
      if index < cells.count - 1 { row += String(repeating: " ", count: max(0, width - DisplayWidth.of(cell))) + gap }
    }
    while row.last == " " { row.removeLast() }
    return row
  }
}
