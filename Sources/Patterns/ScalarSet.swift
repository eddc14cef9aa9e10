/// A set of Unicode scalars: what one place of a pattern may match.
struct ScalarSet: Sendable, Equatable {
  enum Item: Sendable, Equatable {
    case range(UInt32, UInt32)
    case named(ScalarClass, isNegated: Bool)
    case union(ScalarSet)
  }

  private var items: [Item]
  private let isNegated: Bool
  private let foldsCase: Bool
  /// Worked out once for the first 128, which are most of any text.
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  init(_ items: [Item], isNegated: Bool = false, foldsCase: Bool = false) {
    (self.items, self.isNegated, self.foldsCase) = (items, isNegated, foldsCase)
    for value in UInt32(0)..<64 { if reckon(value) { low |= 1 << UInt64(value) } }
    for value in UInt32(64)..<128 { if reckon(value) { high |= 1 << UInt64(value - 64) } }
  }

  @inline(__always)
  func contains(_ value: UInt32) -> Bool {
    if value < 64 { return low & (1 << UInt64(value)) != 0 }
    if value < 128 { return high & (1 << UInt64(value - 64)) != 0 }
    return reckon(value)
  }

  private func reckon(_ value: UInt32) -> Bool {
    if isIn(value) { return !isNegated }
    guard foldsCase, let scalar = Unicode.Scalar(value) else { return isNegated }
    let others = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
    for text in others {
      let other = text.unicodeScalars
      if other.count == 1, let first = other.first, isIn(first.value) { return !isNegated }
    }
    return isNegated
  }

  private func isIn(_ value: UInt32) -> Bool {
    items.contains { item in
      switch item {
      case .range(let first, let last): value >= first && value <= last
      case .named(let name, let isNegated): name.contains(value) != isNegated
      case .union(let set): set.contains(value)
      }
    }
  }
}

/// The classes that have a name: `\d \w \s`, POSIX's `[:alpha:]`, Unicode's `\p{L}`.
enum ScalarClass: Sendable, Equatable {
  case digit, word, space
  case category(String)

  /// By Unicode's short names, by POSIX's, and the scripts that people look for.
  static func named(_ name: String) -> ScalarClass? {
    let plain = name.lowercased()
    switch plain {
    case "digit": return .digit
    case "word": return .word
    case "space": return .space
    default: return categories[plain] == nil ? nil : .category(plain)
    }
  }

  func contains(_ value: UInt32) -> Bool {
    guard let scalar = Unicode.Scalar(value) else { return false }
    switch self {
    case .digit: return scalar.properties.generalCategory == .decimalNumber
    case .space: return scalar.properties.isWhitespace
    case .word:
      if value < 128 { return (48...57).contains(value) || (65...90).contains(value) || (97...122).contains(value) || value == 95 }
      let properties = scalar.properties
      if properties.isAlphabetic || properties.isJoinControl { return true }
      switch properties.generalCategory {
      case .decimalNumber, .connectorPunctuation, .nonspacingMark, .spacingMark, .enclosingMark: return true
      default: return false
      }
    case .category(let name): return Self.categories[name]?(scalar) ?? false
    }
  }

  private typealias Test = @Sendable (Unicode.Scalar) -> Bool

  private static func of(_ categories: Unicode.GeneralCategory...) -> Test { { categories.contains($0.properties.generalCategory) } }

  private static func within(_ ranges: ClosedRange<UInt32>...) -> Test {
    { scalar in ranges.contains { $0.contains(scalar.value) } && scalar.properties.isAlphabetic }
  }

  private static let categories: [String: Test] = [
    "l": of(.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter),
    "letter": of(.uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter),
    "lu": of(.uppercaseLetter), "ll": of(.lowercaseLetter), "lt": of(.titlecaseLetter), "lm": of(.modifierLetter), "lo": of(.otherLetter),
    "m": of(.nonspacingMark, .spacingMark, .enclosingMark), "mn": of(.nonspacingMark), "mc": of(.spacingMark), "me": of(.enclosingMark),
    "n": of(.decimalNumber, .letterNumber, .otherNumber), "nd": of(.decimalNumber), "nl": of(.letterNumber), "no": of(.otherNumber),
    "p": of(
      .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation, .finalPunctuation,
      .otherPunctuation),
    "pc": of(.connectorPunctuation), "pd": of(.dashPunctuation), "ps": of(.openPunctuation), "pe": of(.closePunctuation),
    "pi": of(.initialPunctuation), "pf": of(.finalPunctuation), "po": of(.otherPunctuation),
    "s": of(.mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol), "sm": of(.mathSymbol), "sc": of(.currencySymbol),
    "sk": of(.modifierSymbol), "so": of(.otherSymbol),
    "z": of(.spaceSeparator, .lineSeparator, .paragraphSeparator), "zs": of(.spaceSeparator), "zl": of(.lineSeparator),
    "zp": of(.paragraphSeparator),
    "c": of(.control, .format, .surrogate, .privateUse, .unassigned), "cc": of(.control), "cf": of(.format), "co": of(.privateUse),
    "cn": of(.unassigned),
    "alpha": { $0.properties.isAlphabetic }, "alphabetic": { $0.properties.isAlphabetic },
    "alnum": { $0.properties.isAlphabetic || $0.properties.generalCategory == .decimalNumber },
    "upper": { $0.properties.isUppercase }, "uppercase": { $0.properties.isUppercase },
    "lower": { $0.properties.isLowercase }, "lowercase": { $0.properties.isLowercase },
    "punct": {
      (33...47).contains($0.value) || (58...64).contains($0.value) || (91...96).contains($0.value) || (123...126).contains($0.value)
        || $0.value > 127 && of(.connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .otherPunctuation)($0)
    },
    "cntrl": of(.control), "blank": { $0 == " " || $0 == "\t" },
    "print": { ![.control, .surrogate, .unassigned].contains($0.properties.generalCategory) },
    "graph": { ![.control, .surrogate, .unassigned].contains($0.properties.generalCategory) && !$0.properties.isWhitespace },
    "xdigit": { $0.isASCII && $0.properties.isASCIIHexDigit }, "ascii": { $0.isASCII }, "any": { _ in true },
    "emoji": { $0.properties.isEmojiPresentation || $0.properties.isEmoji && $0.value > 0xFF },
    "latin": within(0x41...0x5A, 0x61...0x7A, 0xAA...0xAA, 0xBA...0xBA, 0xC0...0x24F, 0x1E00...0x1EFF, 0x2C60...0x2C7F, 0xA720...0xA7FF),
    "greek": within(0x370...0x3FF, 0x1F00...0x1FFF), "cyrillic": within(0x400...0x52F, 0x1C80...0x1C8F, 0x2DE0...0x2DFF, 0xA640...0xA69F),
    "hebrew": within(0x590...0x5FF, 0xFB1D...0xFB4F),
    "arabic": within(0x600...0x6FF, 0x750...0x77F, 0x8A0...0x8FF, 0xFB50...0xFDFF, 0xFE70...0xFEFC),
    "devanagari": within(0x900...0x97F, 0xA8E0...0xA8FF), "thai": within(0xE00...0xE7F),
    "han": within(0x2E80...0x2FDF, 0x3005...0x3007, 0x3021...0x3029, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF),
    "hiragana": within(0x3041...0x309F), "katakana": within(0x30A0...0x30FF, 0x31F0...0x31FF, 0xFF66...0xFF9F),
    "hangul": within(0x1100...0x11FF, 0x3130...0x318F, 0xA960...0xA97F, 0xAC00...0xD7FB),
  ]
}
