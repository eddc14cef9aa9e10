/// A table of a markdown file, as `RowWriter` writes it.
public enum MarkdownTable {
  /// Members of a row that hold what stands above its table, where it has an answer, and where it has none: such a row stands in any. No
  /// column has a name with a NUL.
  public static let settings = "\0settings"
  public static let settingsOfFailed = "\0settings of failed"
  /// What the line above begins with.
  static let settingsWord = "settings: "

  private typealias Line = Substring.UnicodeScalarView

  /// The columns of the table that a text ends with; empty where it ends with something else. Lines end with LF or CRLF, and with nothing
  /// else: what Unicode counts among line ends besides (U+0085, U+2028 …) may stand in a cell.
  ///
  /// A table under settings is a run's own: what is added has other ones.
  public static func columns(atTheEndOf text: String) -> [String] {
    let (header, above) = lastTable(text)
    // Older files have a line `model: NAME · …`.
    let isOfARun = [settingsWord, "model: "].contains { above.starts(with: $0.unicodeScalars) }
    return isOfARun ? [] : header.map(cells) ?? []
  }

  /// The header of the table that a text ends with, and the line that stands above it behind an empty one.
  private static func lastTable(_ text: String) -> (header: Line?, above: Line) {
    var lines: [Line] = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map {
      $0.last == "\r" ? $0.dropLast() : $0
    }
    if lines.last?.isEmpty == true { lines.removeLast() }
    let table = lines.suffix(lines.reversed().prefix { $0.first == "|" }.count)
    guard table.count > 1, let header = table.first, isRule(table[table.startIndex + 1]) else { return (nil, Line()) }
    let before = lines[..<table.startIndex]
    return (header, before.last?.isEmpty == true ? before.dropLast().last ?? Line() : Line())
  }

  /// Whether the last line is a row of a table that has less than its cells, and no line end.
  public static func isCutOff(atTheEndOf text: String) -> Bool {
    let columns = lastTable(text).header.map(cells) ?? []
    guard !columns.isEmpty, let last = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).last else {
      return false
    }
    return !last.isEmpty && cells(last).count < columns.count
  }

  private static func isRule(_ line: Line) -> Bool { line.contains("-") && line.allSatisfy { "|-: ".unicodeScalars.contains($0) } }

  /// A text as it stands in a cell: a bar would end it, and so would a line's end. Of backslashes before a bar each is doubled.
  static func cell(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    var backslashes = 0
    var isBehindReturn = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "|": out.append(contentsOf: String(repeating: "\\", count: backslashes + 1).unicodeScalars + "|".unicodeScalars)
      case "\n" where isBehindReturn: break
      case "\n", "\r": out.append(contentsOf: "<br>".unicodeScalars)
      default: out.append(scalar)
      }
      backslashes = scalar == "\\" ? backslashes + 1 : 0
      isBehindReturn = scalar == "\r"
    }
    return String(out)
  }

  /// The cells between bars; a bar behind a backslash is part of a cell, unless that is one of a pair.
  private static func cells(_ line: Line) -> [String] {
    var cells: [String] = []
    var cell = String.UnicodeScalarView()
    var backslashes = 0
    for scalar in line.dropFirst() {
      if scalar == "|" {
        // Of each pair one stands for itself.
        cell.removeLast(backslashes - backslashes / 2)
        if backslashes % 2 == 1 {
          cell.append("|")
        } else {
          cells.append(trimmed(cell))
          cell = String.UnicodeScalarView()
        }
      } else {
        cell.append(scalar)
      }
      backslashes = scalar == "\\" ? backslashes + 1 : 0
    }
    return cells
  }

  private static func trimmed(_ cell: String.UnicodeScalarView) -> String {
    let start = cell.drop { $0 == " " }
    return String(Substring(start[..<(start.lastIndex { $0 != " " }.map(start.index(after:)) ?? start.startIndex)]))
  }
}
