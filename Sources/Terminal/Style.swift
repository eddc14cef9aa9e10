/// How a piece of the text looks. Colours are the terminal's own sixteen, so that they fit whatever theme it has.
public enum Style: Sendable, Equatable {
  case plain, prompt, command, keyword, text, hole, number, flag, comment, error, hint, chosen

  /// The parameters that turn it on (SGR); the other way round is always a reset.
  var parameter: String? {
    switch self {
    case .plain: nil
    case .prompt, .comment, .hint: "2"
    case .command: "1"
    case .keyword: "35"
    case .text: "32"
    case .hole: "33"
    case .number: "36"
    case .flag: "34"
    case .error: "31"
    case .chosen: "7"
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
