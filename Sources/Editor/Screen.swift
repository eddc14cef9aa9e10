import TextWidth

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What stands on the terminal below what scrolls: the block being edited. Every change is one write.
struct Screen {
  /// The rows that stand there, as they were written, and where the cursor is in them.
  private var drawn: (rows: Int, cursorRow: Int)?
  private var written: (rows: [String], cursorColumn: Int) = ([], 0)

  /// Columns and rows of the terminal now.
  static var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(1, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Draws a block in place of the one that stands there, with `above` printed over it.
  mutating func draw(_ layout: Layout, above: String = "") {
    var out = "\u{1B}[?2026h" + erasing()
    if !above.isEmpty {
      out += above.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
      if !above.hasSuffix("\n") { out += "\r\n" }
    }
    out += layout.rows.joined(separator: "\r\n")
    let up = layout.rows.count - 1 - layout.cursorRow
    if up > 0 { out += "\u{1B}[\(up)A" }
    out += "\r"
    if layout.cursorColumn > 0 { out += "\u{1B}[\(layout.cursorColumn)C" }
    out += "\u{1B}[?2026l"
    drawn = (layout.rows.count, layout.cursorRow)
    written = (layout.rows, layout.cursorColumn)
    Screen.write(out)
  }

  /// Leaves the block where it is and goes below it.
  mutating func finish(_ layout: Layout) {
    draw(layout)
    let down = layout.rows.count - 1 - layout.cursorRow
    Screen.write((down > 0 ? "\u{1B}[\(down)B" : "") + "\r\n")
    drawn = nil
  }

  mutating func clear() {
    Screen.write("\u{1B}[H\u{1B}[2J")
    drawn = nil
  }

  /// A window that grew narrower has wrapped each row that is too long for it: the block has more rows now. (Those that do not wrap
  /// cut instead; there the erasing reaches some rows of output too high, which is the lesser evil.)
  mutating func resized(to columns: Int) {
    guard let (_, cursorRow) = drawn, columns > 0 else { return }
    let heights = written.rows.map { DisplayWidth.height(ofStyled: $0, columns: columns) }
    drawn = (heights.reduce(0, +), heights.prefix(cursorRow).reduce(0, +) + written.cursorColumn / columns)
  }

  /// Somebody else has had the screen: nothing of ours stands there.
  mutating func forget() { drawn = nil }

  mutating func erase() {
    Screen.write(erasing())
    drawn = nil
  }

  /// Row by row: ESC[J from home would push the screen into tmux's scrollback, and from a lower row leave litter above.
  private func erasing() -> String {
    guard let drawn else { return "\r\u{1B}[2K" }
    var out = drawn.cursorRow > 0 ? "\u{1B}[\(drawn.cursorRow)A" : ""
    for row in 0..<drawn.rows { out += "\r\u{1B}[2K" + (row < drawn.rows - 1 ? "\u{1B}[1B" : "") }
    if drawn.rows > 1 { out += "\u{1B}[\(drawn.rows - 1)A" }
    return out + "\r"
  }

  static func write(_ text: String) {
    let bytes = Array(text.utf8)
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        #if canImport(Glibc)
          Glibc.write(1, buffer.baseAddress! + offset, buffer.count - offset)
        #else
          Darwin.write(1, buffer.baseAddress! + offset, buffer.count - offset)
        #endif
      }
      if count > 0 { offset += count } else if errno != EINTR && errno != EAGAIN { return }
    }
  }
}
