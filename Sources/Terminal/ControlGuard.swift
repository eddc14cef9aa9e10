/// Keeps control characters of replies, files and errors away from a terminal. A line end and a tab pass; any other is shown as its
/// picture (ESC as ␛), so that nothing is hidden and nothing is obeyed.
public struct ControlGuard: Sendable {
  private var lastWasReturn = false

  public init() {}

  /// For text that comes in pieces: a CR LF that was cut in two is still one line end.
  public mutating func clean(_ text: String) -> String {
    if !lastWasReturn, text.utf8.allSatisfy({ ($0 >= 0x20 && $0 < 0x7F) || $0 == 0x0A || $0 == 0x09 }) { return text }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if lastWasReturn {
        lastWasReturn = false
        if scalar == "\n" {
          out.append("\n")
          continue
        }
        out.append("\u{240D}")
      }
      switch scalar.value {
      case 0x0A, 0x09: out.append(scalar)
      case 0x0D: lastWasReturn = true
      case 0..<0x20: out.append(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}")
      case 0x7F: out.append("\u{2421}")
      case 0x80...0x9F: out.append("\u{FFFD}")
      // Marks that turn the direction of what follows could make a line read as what it is not.
      case 0x202A...0x202E, 0x2066...0x2069: out.append("\u{FFFD}")
      default: out.append(scalar)
      }
    }
    return String(out)
  }

  public static func clean(_ text: String) -> String {
    var guarding = ControlGuard()
    let cleaned = guarding.clean(text)
    return guarding.lastWasReturn ? cleaned + "\u{240D}" : cleaned
  }

  /// On one line: line ends and tabs become spaces.
  public static func line(_ text: String) -> String {
    let cleaned = clean(text)
    if cleaned.utf8.allSatisfy({ $0 != 0x0A && $0 != 0x09 }) { return cleaned }
    return String(cleaned.map { $0.isNewline || $0 == "\t" ? " " : $0 })
  }
}
