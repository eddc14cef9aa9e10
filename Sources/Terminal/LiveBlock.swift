import TextWidth

/// Rows that stand below everything that is written to a terminal, and are drawn anew in their place. Gives what is to be written; the
/// owner writes it, a change in one write.
public struct LiveBlock: Sendable {
  /// Rows of the terminal that it takes, and which of them the cursor is in.
  private var drawn: (rows: Int, cursorRow: Int)?
  private var written: (rows: [StyledText], cursor: Cursor?) = ([], nil)

  public struct Cursor: Sendable, Equatable {
    public var row: Int
    public var column: Int

    public init(row: Int, column: Int) { (self.row, self.column) = (row, column) }
  }

  public init() {}

  public var isShown: Bool { drawn != nil }

  /// Draws rows in place of those that stand there, with `above` printed over them; nothing where they stand there already.
  ///
  /// - Parameters:
  ///   - rows: none wider than the terminal, and fewer than it has.
  ///   - cursor: where it stays; nil behind the last row.
  ///   - above: whole rows, which scroll.
  public mutating func draw(_ rows: [StyledText], cursor: Cursor? = nil, above: [StyledText] = []) -> Drawing {
    var out = Drawing()
    if above.isEmpty, rows.isEmpty, drawn == nil { return out }
    if above.isEmpty, drawn != nil, cursor == written.cursor {
      if rows == written.rows { return out }
      // The commonest change, a word more at the end of a stream, is written alone.
      if cursor == nil, let added = addition(to: rows) {
        out.text(added)
        written.rows = rows
        drawn = (rows.count, rows.count - 1)
        return out
      }
    }
    out.control(.beginUpdate)
    erase(&out)
    for row in above {
      out.row(row)
      out.control(.newRow)
    }
    for (index, row) in rows.enumerated() {
      if index > 0 { out.control(.newRow) }
      out.row(row)
    }
    if let cursor {
      out.control(.up(rows.count - 1 - cursor.row), .start, .right(cursor.column))
    }
    out.control(.endUpdate)
    drawn = rows.isEmpty ? nil : (rows.count, cursor?.row ?? rows.count - 1)
    written = (rows, cursor)
    return out
  }

  /// What the last row has more than before, where that is the only change and its width is plain to see.
  private func addition(to rows: [StyledText]) -> String? {
    guard rows.count == written.rows.count, rows.dropLast() == written.rows.dropLast(), let old = written.rows.last, let new = rows.last,
      old.pieces.count == 1, new.pieces.count == 1, old.pieces[0].style == .plain, new.pieces[0].style == .plain
    else { return nil }
    let (before, after) = (old.pieces[0].text.utf8, new.pieces[0].text.utf8)
    guard after.count > before.count, after.starts(with: before) else { return nil }
    let added = after.dropFirst(before.count)
    // A mark would change the character before it.
    return added.allSatisfy { $0 < 0x80 } ? String(decoding: added, as: UTF8.self) : nil
  }

  /// Leaves it standing, with the cursor in the row below.
  public mutating func leave() -> Drawing {
    var out = Drawing()
    guard let drawn else { return out }
    out.control(.down(drawn.rows - 1 - drawn.cursorRow), .newRow)
    forget()
    return out
  }

  /// Takes it away: the cursor stands where its first row began.
  public mutating func erase() -> Drawing {
    var out = Drawing()
    erase(&out)
    forget()
    return out
  }

  /// Somebody else has had the screen: nothing of ours stands there.
  public mutating func forget() {
    drawn = nil
    written = ([], nil)
  }

  /// A window that grew narrower has wrapped each row that is too long for it: the block has more rows now. (Those that do not wrap
  /// cut instead; there the erasing reaches some rows of output too high, which is the lesser evil.)
  public mutating func resized(to columns: Int) {
    guard let drawn, columns > 0 else { return }
    func height(_ row: StyledText) -> Int { max(1, (row.width + columns - 1) / columns) }
    let heights = written.rows.map(height)
    guard let cursor = written.cursor else {
      self.drawn = (heights.reduce(0, +), heights.reduce(0, +) - 1)
      return
    }
    let row = min(drawn.cursorRow, heights.count)
    self.drawn = (heights.reduce(0, +), heights.prefix(row).reduce(0, +) + cursor.column / columns)
  }

  /// Row by row: ESC[J from home would push the screen into tmux's scrollback, and from a lower row leave litter above.
  private func erase(_ out: inout Drawing) {
    guard let drawn else { return }
    out.control(.up(drawn.cursorRow))
    for row in 0..<drawn.rows {
      out.control(.start, .eraseRow)
      if row < drawn.rows - 1 { out.control(.down(1)) }
    }
    out.control(.up(drawn.rows - 1), .start)
  }
}
