/// Characters that take no place of their own, and so can hide in a text or change what it seems to say (Unicode's
/// Default_Ignorable_Code_Point, the marks of bidirectional text, and the line ends that are no LF).
enum Invisible {
  enum Role {
    /// Writing needs it here.
    case needed
    /// It joins two emoji, if one follows.
    case neededBeforePictograph
    case none
  }

  static func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F,
      0x3164, 0xFE00...0xFE0F, 0xFEFF, 0xFFA0, 0xFFF0...0xFFFB, 0x1BCA0...0x1BCA3, 0x1D173...0x1D17A, 0xE0000...0xE0FFF:
      true
    default: false
    }
  }

  /// Marks that make a whole line read as another, for a program's reader as well.
  static func turnsDirection(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  static func role(of scalar: Unicode.Scalar, after previous: Unicode.Scalar) -> Role {
    switch scalar.value {
    case 0x200C, 0x200D:
      if isOfJoiningScript(previous) { return .needed }
      let mayJoin = isPictograph(previous) || previous == "\u{FE0F}"
      return scalar.value == 0x200D && mayJoin ? .neededBeforePictograph : .none
    // One selector chooses a form of the character before it; more of them would only carry something.
    case 0xFE00...0xFE0F: return previous.value > 0x20 && !contains(previous) ? .needed : .none
    case 0xE0100...0xE01EF: return previous.properties.isIdeographic ? .needed : .none
    case 0x180B...0x180F: return (0x1820...0x18AA).contains(previous.value) ? .needed : .none
    default: return .none
    }
  }

  /// Emoji that ZWJ joins, and the skin tones behind them.
  static func isPictograph(_ scalar: Unicode.Scalar) -> Bool { scalar.value > 0xFF && scalar.properties.isEmoji }

  /// Letters and marks of the scripts in whose spelling joiners stand: Arabic, Syriac, N'Ko, Mandaic, those of India and their
  /// neighbours, Mongolian.
  private static func isOfJoiningScript(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x600...0x61B, 0x61D...0x8FF, 0x900...0xDFF, 0xF00...0x109F, 0x1780...0x17B3, 0x17B6...0x17FF, 0x1820...0x18AA,
      0x1A20...0x1AAF, 0x1B00...0x1BFF, 0xA800...0xA82F, 0xA840...0xA87F, 0xA980...0xA9DF, 0xAAE0...0xAAFF, 0xFB50...0xFDFF,
      0xFE70...0xFEFE, 0x11000...0x11FFF:
      true
    default: false
    }
  }
}
