import TextWidth

/// A text with its prompts, laid out in rows of a width, and where the cursor stands in them.
struct Layout: Equatable {
  /// With the sequences of their styles in them; each row ends in plain style.
  var rows: [String] = [""]
  var cursorRow = 0
  var cursorColumn = 0

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
    for character in prompt { pen.put(character, promptStyle) }
    var offset = 0
    var run = runs[...]
    // An empty text has its cursor behind the prompt.
    (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column)
    for character in text {
      if offset <= cursor { (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column) }
      while let first = run.first, first.end <= offset { run = run.dropFirst() }
      let style = run.first.map { $0.start <= offset ? $0.style : .plain } ?? .plain
      if character.isNewline {
        pen.newRow()
        for character in continuation { pen.put(character, promptStyle) }
      } else if character == "\t" {
        pen.put(" ", style)
        pen.put(" ", style)
      } else if DisplayWidth.of(character) == 0,
        character.unicodeScalars.first.map({ $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) ?? false
      {
        pen.put("·", style)
      } else {
        pen.put(character, style)
      }
      offset += character.unicodeScalars.count
      if offset <= cursor { (cursorRow, cursorColumn) = (pen.rows.count - 1, pen.column) }
    }
    for character in hint {
      if pen.column + DisplayWidth.of(character) > width - 1 || character.isNewline { break }
      pen.put(character, .hint)
    }
    rows = pen.finished
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

  /// Writes characters into rows, a style at a time.
  private struct Pen {
    let width: Int
    var rows = [""]
    var column = 0
    private var style = Style.plain

    init(width: Int) { self.width = width }

    mutating func put(_ character: Character, _ style: Style) {
      let wide = DisplayWidth.of(character)
      // The last column stays free: a terminal that has filled it waits with the cursor in a place of its own.
      if column + wide > width - 1 { newRow() }
      if style != self.style {
        if self.style.sequence != nil { rows[rows.count - 1] += "\u{1B}[0m" }
        if let sequence = style.sequence { rows[rows.count - 1] += sequence }
        self.style = style
      }
      rows[rows.count - 1].append(character)
      column += wide
    }

    mutating func newRow() {
      if style.sequence != nil { rows[rows.count - 1] += "\u{1B}[0m" }
      style = .plain
      rows.append("")
      column = 0
    }

    var finished: [String] {
      var rows = rows
      if style.sequence != nil { rows[rows.count - 1] += "\u{1B}[0m" }
      return rows
    }
  }
}
