/// How many columns of a terminal a text takes: by our own table, since `wcwidth` differs between systems and locales.
public enum DisplayWidth {
  /// Columns of a whole text without line breaks.
  public static func of(_ text: some StringProtocol) -> Int {
    // Nearly all text is ASCII, whose width is its count.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return text.utf8.count }
    return text.reduce(0) { $0 + of($1) }
  }

  /// Columns of a row with sequences of colours (CSI … letter) in it.
  public static func ofStyled(_ row: String) -> Int {
    guard row.utf8.contains(0x1B) else { return of(row) }
    var plain = String.UnicodeScalarView()
    var isSequence = false
    for scalar in row.unicodeScalars {
      if isSequence {
        isSequence = !scalar.properties.isAlphabetic
      } else if scalar == "\u{1B}" {
        isSequence = true
      } else {
        plain.append(scalar)
      }
    }
    return of(String(plain))
  }

  /// Rows of a terminal that a row takes which was written when the terminal was wider.
  public static func height(ofStyled row: String, columns: Int) -> Int { max(1, (ofStyled(row) + columns - 1) / max(1, columns)) }

  /// Columns of one character as a reader sees it: 0, 1 or 2.
  public static func of(_ character: Character) -> Int {
    let scalars = character.unicodeScalars
    guard let first = scalars.first else { return 0 }
    if scalars.count > 1 {
      // A flag, a keycap, a family joined by ZWJ, or a sign asked to be shown as emoji.
      if scalars.contains(where: { $0 == "\u{FE0F}" || $0 == "\u{200D}" || (0x1F1E6...0x1F1FF).contains($0.value) }) { return 2 }
    }
    return of(first)
  }

  private static func of(_ scalar: Unicode.Scalar) -> Int {
    let value = scalar.value
    if value < 0x20 || (0x7F...0x9F).contains(value) { return 0 }
    if value < 0x300 { return value == 0xAD ? 0 : 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    return isWide(value) || scalar.properties.isEmojiPresentation ? 2 : 1
  }

  /// East Asian Wide and Fullwidth (UAX #11), by blocks.
  private static func isWide(_ value: UInt32) -> Bool {
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
      0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x17000...0x18AFF,
      0x1B000...0x1B2FF, 0x1F200...0x1F2FF, 0x20000...0x3FFFD:
      true
    default: false
    }
  }

  /// The longest beginning of `text` that takes at most `width` columns.
  public static func prefix(_ text: Substring, width: Int) -> Substring {
    var used = 0
    var index = text.startIndex
    while index < text.endIndex {
      used += of(text[index])
      if used > width { break }
      index = text.index(after: index)
    }
    return text[..<index]
  }
}
