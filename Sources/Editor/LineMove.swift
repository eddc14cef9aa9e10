/// Moves between the lines of a text.
enum LineMove {
  /// Where the cursor goes one line up or down, in the same column as far as there is one; nil from the first line up and the last
  /// down. Offsets are in Unicode scalars.
  static func vertical(_ text: String, _ cursor: Int, _ step: Int) -> Int? {
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(\.count)
    var (line, start) = (0, 0)
    while line < lines.count - 1, cursor > start + lines[line] {
      start += lines[line] + 1
      line += 1
    }
    guard lines.indices.contains(line + step) else { return nil }
    let column = cursor - start
    let target = step < 0 ? start - lines[line - 1] - 1 : start + lines[line] + 1
    return target + min(column, lines[line + step])
  }
}
