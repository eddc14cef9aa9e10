/// Rows that stand below everything that is written, and are drawn anew in their place. Gives the bytes; the owner writes them, a
/// change in one write.
public struct Footer: Sendable {
  private var drawn: [String] = []

  public init() {}

  public var isShown: Bool { !drawn.isEmpty }

  /// Erases it: the cursor stands where its first row began.
  public mutating func erasing() -> String {
    defer { drawn = [] }
    guard !drawn.isEmpty else { return "" }
    // Row by row: ESC[J would push the screen into tmux's scrollback.
    return "\r\u{1B}[2K" + String(repeating: "\u{1B}[1A\u{1B}[2K", count: drawn.count - 1)
  }

  /// Draws rows, none wider than the terminal; empty where they stand there already.
  public mutating func drawing(_ rows: [String]) -> String {
    if rows == drawn { return "" }
    let out = "\u{1B}[?2026h" + erasing() + rows.joined(separator: "\r\n") + "\u{1B}[?2026l"
    drawn = rows
    return out
  }
}
