import Terminal
import TextWidth

/// The terminal as the console draws it: lines that scroll, under them the line of a stream that is still coming, and under that rows
/// that are drawn anew in their place. Gives what is to be written.
struct Stage {
  /// A terminal that cannot move its cursor: everything is written as it comes, and there are no rows below.
  let isPlain: Bool
  private var block = LiveBlock()
  /// What has come of a stream's last row.
  private var tail = ""
  private var rows: [StyledText] = []
  private var cursor: LiveBlock.Cursor?
  private var columns = 80

  init(isPlain: Bool) { self.isPlain = isPlain }

  var isMidLine: Bool { !tail.isEmpty }

  /// For how many columns what follows is laid out.
  mutating func fit(_ columns: Int) {
    if columns != self.columns { block.resized(to: columns) }
    self.columns = columns
  }

  /// Whole lines, above everything that is not whole yet.
  ///
  /// - Parameter wraps: long ones are broken between words; else the terminal breaks them.
  mutating func lines(_ text: String, wraps: Bool) -> Drawing {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if text.hasSuffix("\n") { lines.removeLast() }
    if wraps { lines = lines.flatMap { Wrap.rows($0, width: columns - 1) } }
    guard isPlain else { return draw(above: lines.map { StyledText($0) }) }
    var out = Drawing()
    if isMidLine { out.control(.newRow) }
    tail = ""
    for line in lines {
      out.row(StyledText(line))
      out.control(.newRow)
    }
    return out
  }

  /// The next piece of a stream.
  mutating func stream(_ text: String) -> Drawing {
    if isPlain {
      var out = Drawing()
      out.text(text)
      tail = (tail + text).split(separator: "\n", omittingEmptySubsequences: false).last.map(String.init) ?? ""
      return out
    }
    var lines = (tail + text).split(separator: "\n", omittingEmptySubsequences: false)
    let last = lines.removeLast()
    var above = lines.flatMap { Wrap.rows($0, width: columns - 1, hangs: false) }
    var open = Wrap.rows(last, width: columns - 1, hangs: false)
    tail = open.removeLast()
    above += open
    return draw(above: above.map { StyledText($0) })
  }

  /// Nothing more comes of the stream: its last line is whole.
  mutating func endStream() -> Drawing {
    guard isMidLine else { return Drawing() }
    let last = tail
    tail = ""
    guard isPlain else { return draw(above: [StyledText(last)]) }
    var out = Drawing()
    out.control(.newRow)
    return out
  }

  /// Rows below everything else, none wider than the terminal.
  mutating func show(_ rows: [StyledText], cursor: LiveBlock.Cursor? = nil) -> Drawing {
    if isPlain { return Drawing() }
    (self.rows, self.cursor) = (rows, cursor)
    return draw(above: [])
  }

  /// Leaves the terminal to somebody else: the stream's line ends, and nothing is drawn below.
  mutating func clear() -> Drawing {
    (rows, cursor) = ([], nil)
    if isMidLine { return endStream() }
    return draw(above: [])
  }

  /// Somebody else has the screen: what stood there of ours scrolls on with it.
  mutating func forget() {
    (rows, cursor) = ([], nil)
    block.forget()
  }

  private mutating func draw(above: [StyledText]) -> Drawing {
    guard isMidLine else { return block.draw(rows, cursor: cursor, above: above) }
    // Spaces at its end may reach beyond the row; they stand there for the word that follows.
    let open = StyledText(String(DisplayWidth.prefix(tail[...], width: columns - 1)))
    let cursor = cursor.map { LiveBlock.Cursor(row: $0.row + 1, column: $0.column) }
    return block.draw([open] + rows, cursor: cursor, above: above)
  }
}
