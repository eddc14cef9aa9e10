/// How a piece of the text looks. Colours are the terminal's own sixteen, so that they fit whatever theme it has.
public enum Style: Sendable, Equatable {
  case plain, prompt, command, keyword, text, hole, number, flag, comment, error, hint, chosen

  /// What turns it on; the other way round is always a reset.
  var sequence: String? {
    switch self {
    case .plain: nil
    case .prompt: "\u{1B}[2m"
    case .command: "\u{1B}[1m"
    case .keyword: "\u{1B}[35m"
    case .text: "\u{1B}[32m"
    case .hole: "\u{1B}[33m"
    case .number: "\u{1B}[36m"
    case .flag: "\u{1B}[34m"
    case .comment, .hint: "\u{1B}[2m"
    case .error: "\u{1B}[31m"
    case .chosen: "\u{1B}[7m"
    }
  }
}

/// A run of characters in one style.
public struct StyledRun: Sendable, Equatable {
  /// In Unicode scalars of the text, as libedit counts.
  public var start: Int
  public var end: Int
  public var style: Style

  public init(_ start: Int, _ end: Int, _ style: Style) {
    (self.start, self.end, self.style) = (start, end, style)
  }
}
