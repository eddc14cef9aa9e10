import Terminal
import TextWidth

/// A text with its prompts, laid out in rows of a width, and where the cursor stands in them.
struct Layout: Equatable {
  var rows: [StyledText] = [""]
  var cursorRow = 0
  var cursorColumn = 0

  var cursor: LiveBlock.Cursor { LiveBlock.Cursor(row: cursorRow, column: cursorColumn) }

  /// - Parameters:
  ///   - cursor: offset into `text`, in Unicode scalars, as libedit counts.
  ///   - continuation: stands before every line but the first.
  ///   - runs: styles, in order and apart; none for no colour.
  ///   - hint: stands dim behind the text, as far as its row goes.
  init(
    prompt: String, continuation: String, text: String, cursor: Int, width: Int, runs: [StyledRun] = [], hint: String = "",
    promptStyle: Style = .plain
  ) {
    var pen = Pen(width: width)
    for character in prompt {
      if character == "\n" { pen.newRow() } else { pen.put(character, promptStyle) }
    }
    var offset = 0
    var run = runs[...]
    // An empty text has its cursor behind the prompt.
    (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column)
    for character in text {
      if offset <= cursor { (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column) }
      while let first = run.first, first.end <= offset { run = run.dropFirst() }
      let style = run.first.map { $0.start <= offset ? $0.style : .plain } ?? .plain
      if character == "\n" || character == "\r\n" {
        pen.newRow()
        for character in continuation { pen.put(character, promptStyle) }
      } else {
        pen.put(character, style)
      }
      offset += character.unicodeScalars.count
      if offset <= cursor { (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column) }
    }
    for character in hint {
      let shown = Pen.shown(character)
      if pen.column + DisplayWidth.of(shown) > width - 1 || character == "\n" || character == "\r\n" { break }
      pen.put(character, .hint)
    }
    rows = pen.rows
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

  /// Writes characters into rows.
  private struct Pen {
    let width: Int
    var rows: [StyledText] = [""]
    var column = 0

    init(width: Int) { self.width = width }

    /// What stands for a character that cannot be seen, or that a terminal would obey; itself for any other.
    static func shown(_ character: Character) -> String {
      if let ascii = character.asciiValue, ascii >= 0x20, ascii < 0x7F { return String(character) }
      return character == "\t" ? "  " : ControlGuard.line(String(character))
    }

    mutating func put(_ character: Character, _ style: Style) {
      let shown = Self.shown(character)
      // One that is shown as several may be parted between rows; one that is shown as itself may not.
      if shown.count > 1 {
        for part in shown { place(part, style) }
      } else if let part = shown.first {
        place(part, style)
      }
    }

    private mutating func place(_ character: Character, _ style: Style) {
      let wide = DisplayWidth.of(character)
      // The last column stays free: a terminal that has filled it waits with the cursor in a place of its own.
      if column + wide > width - 1 { newRow() }
      rows[rows.count - 1].append(character, style)
      column += wide
    }

    mutating func newRow() {
      rows.append("")
      column = 0
    }
  }
}
