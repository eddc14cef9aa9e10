import TextWidth

/// Rows that stand below everything that is written, and are drawn anew in their place. Gives the bytes; the owner writes them, a
/// change in one write.
public struct Footer: Sendable {
  private var drawn: [String] = []

  public init() {}

  public var isShown: Bool { !drawn.isEmpty }

  /// Erases it: the cursor stands where its first row began.
  ///
  /// - Parameter columns: of the terminal now; one that grew narrower has wrapped what was too long for it.
  public mutating func erasing(columns: Int) -> String {
    defer { drawn = [] }
    guard !drawn.isEmpty else { return "" }
    let rows = drawn.reduce(0) { $0 + DisplayWidth.height(ofStyled: $1, columns: columns) }
    // Row by row: ESC[J would push the screen into tmux's scrollback.
    return "\r\u{1B}[2K" + String(repeating: "\u{1B}[1A\u{1B}[2K", count: rows - 1)
  }

  /// Draws rows, none wider than the terminal; empty where they stand there already.
  public mutating func drawing(_ rows: [String], columns: Int) -> String {
    if rows == drawn { return "" }
    let out = "\u{1B}[?2026h" + erasing(columns: columns) + rows.joined(separator: "\r\n") + "\u{1B}[?2026l"
    drawn = rows
    return out
  }
}
