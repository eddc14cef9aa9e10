/// Moves between the lines and words of a text.
enum LineMove {
  /// Where the word before the cursor begins (-1), or the one after it ends (1); what a word is, as libedit has it.
  static func word(_ scalars: [Unicode.Scalar], _ cursor: Int, _ step: Int) -> Int {
    func isWord(_ index: Int) -> Bool {
      let scalar = scalars[index]
      return scalar.properties.isAlphabetic || scalar.properties.numericType != nil || "*?_-.[]~=".unicodeScalars.contains(scalar)
    }
    var index = cursor
    if step < 0 {
      while index > 0, !isWord(index - 1) { index -= 1 }
      while index > 0, isWord(index - 1) { index -= 1 }
    } else {
      while index < scalars.count, !isWord(index) { index += 1 }
      while index < scalars.count, isWord(index) { index += 1 }
    }
    return index
  }

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

  /// The start (-1) or end (1) of the cursor's line; from there, of the whole text.
  static func edge(_ text: String, _ cursor: Int, _ step: Int) -> Int {
    let scalars = Array(text.unicodeScalars)
    let cursor = min(cursor, scalars.count)
    if step < 0 {
      let start = scalars[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0
      return start == cursor ? 0 : start
    }
    let end = scalars[cursor...].firstIndex(of: "\n") ?? scalars.count
    return end == cursor ? scalars.count : end
  }
}
