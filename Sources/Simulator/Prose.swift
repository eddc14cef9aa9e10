/// Words for simulated replies: the same for the same seed, on every machine.
struct Prose {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// In 0..<1.
  mutating func fraction() -> Double { Double(next() >> 11) / Double(1 << 53) }

  private mutating func pick(_ words: [String]) -> String { words[Int(next() % UInt64(words.count))] }

  /// About `count` tokens, each with the space before it, starting with a mark that this is no model's work.
  mutating func tokens(_ count: Int) -> [String] {
    var tokens = ["[simulated]"]
    var wordsInSentence = 0
    while tokens.count < count {
      let isStart = wordsInSentence == 0
      let word: String
      switch wordsInSentence % 6 {
      case 0: word = pick(Self.subjects)
      case 1: word = pick(Self.verbs)
      case 2: word = pick(Self.links)
      case 3: word = pick(Self.adjectives)
      case 4: word = pick(Self.nouns)
      default: word = pick(Self.joins)
      }
      tokens.append(" " + (isStart ? word.prefix(1).uppercased() + word.dropFirst() : word))
      wordsInSentence += 1
      if wordsInSentence == 11 || (wordsInSentence == 5 && next() % 3 == 0) {
        tokens.append(".")
        wordsInSentence = 0
      }
    }
    if tokens.last != "." { tokens.append(".") }
    return tokens
  }

  private static let subjects = [
    "the scientist", "a traveler", "the clock", "an old machine", "the city", "her notebook", "the tide", "a stranger",
  ]
  private static let verbs = ["remembered", "opened", "measured", "followed", "repaired", "forgot", "counted", "left behind"]
  private static let links = ["the", "a", "every", "one"]
  private static let adjectives = ["quiet", "bright", "weathered", "borrowed", "distant", "patient", "silver", "narrow"]
  private static let nouns = ["door", "hour", "letter", "garden", "signal", "river", "promise", "morning"]
  private static let joins = ["while", "because", "until", "before", "and"]
}

/// FNV-1a, so that replies do not change with Swift's per-process hashing.
func stableHash(_ parts: String...) -> UInt64 {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for part in parts {
    for byte in part.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ 0xFF) &* 0x100_0000_01B3
  }
  return hash
}
