import Names

/// Keeps what comes from outside (replies, files, names, errors) from writing to a terminal, or from reading as what it is not. A line
/// end and a tab pass. Any other control character is shown as its picture (ESC as ␛); characters that cannot be seen, or that turn the
/// direction of what follows, as the escape that the language has for them (`\u{202E}`); a byte of a name that is not UTF-8 as `\xFF`.
/// Nothing is hidden, nothing is obeyed.
///
/// Joiners stay where writing needs them: ZWJ between two emoji, one ZWJ or ZWNJ behind a letter of a script that joins.
public struct ControlGuard: Sendable {
  /// Whom it is for.
  public enum Reader: Sendable {
    /// Somebody who looks: nothing may deceive.
    case person
    /// Another program, which is given what there is, but for what a terminal behind it would obey.
    case program
  }

  private let reader: Reader
  /// CR that may belong to a CR LF, or ZWJ that may join two emoji: what it is depends on what comes next.
  private var held: Unicode.Scalar?
  private var previous: Unicode.Scalar = " "

  public init(for reader: Reader = .person) { self.reader = reader }

  /// For text that comes in pieces: what was cut in two is still one.
  public mutating func clean(_ text: String) -> String {
    if held == nil, Self.isPlain(text) {
      if let last = text.unicodeScalars.last { previous = last }
      return text
    }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if let held { resolve(held, before: scalar, &out) }
      take(scalar, &out)
    }
    return String(out)
  }

  /// The end of a text that came in pieces.
  public mutating func finish() -> String {
    var out = String.UnicodeScalarView()
    if let held { resolve(held, before: " ", &out) }
    previous = " "
    return String(out)
  }

  public static func clean(_ text: String) -> String {
    if isPlain(text) { return text }
    var guarding = ControlGuard()
    let cleaned = guarding.clean(text)
    return cleaned + guarding.finish()
  }

  /// On one line: line ends and tabs become spaces.
  public static func line(_ text: String) -> String {
    let cleaned = clean(text)
    if cleaned.utf8.allSatisfy({ $0 != 0x0A && $0 != 0x09 }) { return cleaned }
    // What is left of CR stands before an LF: the two are one line end.
    let scalars = cleaned.unicodeScalars.filter { $0 != "\r" }.map { $0 == "\n" || $0 == "\t" ? " " : $0 }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Nearly all text is ASCII, and goes through untouched.
  private static func isPlain(_ text: String) -> Bool {
    text.utf8.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || $0 == 0x0A || $0 == 0x09 }
  }

  private mutating func resolve(_ scalar: Unicode.Scalar, before next: Unicode.Scalar, _ out: inout String.UnicodeScalarView) {
    held = nil
    if scalar == "\r" {
      // CR LF is one line end; the LF follows.
      if next != "\n" { put("\u{240D}", &out) }
    } else if Invisible.isPictograph(next) {
      put(scalar, &out)
    } else {
      escape(scalar, &out)
    }
  }

  private mutating func take(_ scalar: Unicode.Scalar, _ out: inout String.UnicodeScalarView) {
    switch scalar.value {
    case 0x20..<0x7F, 0x0A, 0x09: put(scalar, &out)
    case 0x0D: held = scalar
    case 0..<0x20: put(Unicode.Scalar(0x2400 + scalar.value) ?? "\u{FFFD}", &out)
    case 0x7F: put("\u{2421}", &out)
    case 0x80...0x9F: put("\u{FFFD}", &out)
    case 0xA0...0xAC, 0xAE..<0x34F: put(scalar, &out)
    default:
      if reader == .person, let shown = SystemText.shown(scalar) {
        out.append(contentsOf: shown.unicodeScalars)
        previous = " "
        return
      }
      guard Invisible.contains(scalar) else { return put(scalar, &out) }
      if reader == .program, !Invisible.turnsDirection(scalar) { return put(scalar, &out) }
      switch Invisible.role(of: scalar, after: previous) {
      case .needed: put(scalar, &out)
      case .neededBeforePictograph: held = scalar
      case .none: escape(scalar, &out)
      }
    }
  }

  private mutating func put(_ scalar: Unicode.Scalar, _ out: inout String.UnicodeScalarView) {
    out.append(scalar)
    previous = scalar
  }

  private mutating func escape(_ scalar: Unicode.Scalar, _ out: inout String.UnicodeScalarView) {
    out.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
    previous = " "
  }
}
