import TextWidth

/// A text with its prompts, laid out in rows of a width, and where the cursor stands in them.
struct Layout: Equatable {
  var rows: [String] = [""]
  var cursorRow = 0
  var cursorColumn = 0

  /// - Parameters:
  ///   - cursor: offset into `text`, in Unicode scalars, as libedit counts.
  ///   - continuation: stands before every line but the first.
  init(prompt: String, continuation: String, text: String, cursor: Int, width: Int) {
    var column = 0
    func put(_ character: Character) {
      let wide = DisplayWidth.of(character)
      // The last column stays free: a terminal that has filled it waits with the cursor in a place of its own.
      if column + wide > width - 1 {
        rows.append("")
        column = 0
      }
      rows[rows.count - 1].append(character)
      column += wide
    }
    for character in prompt { put(character) }
    var offset = 0
    for character in text {
      if offset <= cursor { (cursorRow, cursorColumn) = (rows.count - 1, column) }
      if character.isNewline {
        rows.append("")
        column = 0
        for character in continuation { put(character) }
      } else if character == "\t" {
        put(" ")
        put(" ")
      } else if DisplayWidth.of(character) == 0,
        character.unicodeScalars.first.map({ $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) ?? false
      {
        put("·")
      } else {
        put(character)
      }
      offset += character.unicodeScalars.count
      if offset <= cursor { (cursorRow, cursorColumn) = (rows.count - 1, column) }
    }
  }

  /// The rows that fit a screen, around the cursor.
  func window(height: Int) -> Layout {
    guard rows.count > height, height > 0 else { return self }
    let start = min(max(0, cursorRow - height + 1), rows.count - height)
    var copy = self
    copy.rows = Array(rows[start..<(start + height)])
    copy.cursorRow = cursorRow - start
    return copy
  }
}
