import Names
import Terminal
import Testing
import TextWidth

/// What may and what may not be seen of what comes from outside.
@Suite struct ControlGuardTests {
  /// Every character that takes no place of its own is shown as its escape where nothing needs it.
  @Test func whatCannotBeSeenIsShown() {
    let hidden: [ClosedRange<UInt32>] = [
      0xAD...0xAD, 0x61C...0x61C, 0x115F...0x1160, 0x180E...0x180E, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0x3164...0x3164,
      0xFEFF...0xFEFF, 0xFFA0...0xFFA0, 0xFFF9...0xFFFB, 0xE0001...0xE0001, 0xE0020...0xE007F, 0xE0100...0xE01EF,
    ]
    for value in hidden.joined() {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let escape = "\\u{\(String(value, radix: 16, uppercase: true))}"
      #expect(ControlGuard.clean("a\(scalar)b") == "a\(escape)b")
      #expect(ControlGuard.line("a\(scalar)") == "a\(escape)")
      // Also in pieces.
      var guarding = ControlGuard()
      #expect(guarding.clean("a") + guarding.clean("\(scalar)") + guarding.clean("b") + guarding.finish() == "a\(escape)b")
    }
  }

  @Test(arguments: [
    "👨‍👩‍👧", "🏳️‍🌈", "👩🏽‍🚀", "❤️‍🔥", "☁️", "می‌خواهم", "क्‍ष", "ന്‍", "ක්‍ර", "日本", "e\u{301}", "\u{5D0}\u{5D1}", "葛\u{E0100}",
    "ᠠ\u{180B}",
  ])
  func whatWritingNeedsIsKept(_ text: String) {
    #expect(ControlGuard.clean("a \(text) b") == "a \(text) b")
    // Cut anywhere, it is still one.
    let scalars = Array(text.unicodeScalars)
    for cut in scalars.indices {
      var guarding = ControlGuard()
      let first = String(String.UnicodeScalarView(scalars[..<cut]))
      let second = String(String.UnicodeScalarView(scalars[cut...]))
      #expect(guarding.clean(first) + guarding.clean(second) + guarding.finish() == text)
    }
  }

  /// Joiners and selectors where they join and select nothing carry something else.
  @Test(arguments: [
    ("a\u{200D}b", "a\\u{200D}b"), ("👩\u{200D}x", "👩\\u{200D}x"), ("👩\u{200D}", "👩\\u{200D}"),
    ("म\u{200D}\u{200D}", "म\u{200D}\\u{200D}"), ("☁\u{FE0F}\u{FE0F}", "☁\u{FE0F}\\u{FE0F}"), ("\u{FE0F}", "\\u{FE0F}"),
    ("🏴\u{E0067}\u{E007F}", "🏴\\u{E0067}\\u{E007F}"),
  ])
  func whatIsNotNeededIsShown(_ text: String, _ shown: String) {
    #expect(ControlGuard.clean(text) == shown)
  }

  /// Bytes of names that are not UTF-8, and line ends where one line is wanted.
  @Test func namesAreShown() {
    let name = SystemText.text(Array("caf".utf8) + [0xE9, 0x80, 0xFF])
    #expect(ControlGuard.clean("\(name).csv") == "caf\\xE9\\x80\\xFF.csv")
    #expect(SystemText.bytes(name) == (Array("caf".utf8) + [0xE9, 0x80, 0xFF, 0]).map(CChar.init(bitPattern:)))
    #expect(ControlGuard.line("a\nb\r\nc\td") == "a b c d")
    #expect(ControlGuard.clean("a\nb".oneLine) == "a\u{240A}b" && ControlGuard.clean("a\r\nb".oneLine) == "a\u{240D}\u{240A}b")
  }

  /// A program is given what there is, but for what a terminal behind it would obey.
  @Test func programsAreGivenTheText() {
    var guarding = ControlGuard(for: .program)
    #expect(guarding.clean("a\u{200B}\u{FEFF}\u{AD}\u{1B}[2J\u{202E}b") == "a\u{200B}\u{FEFF}\u{AD}␛[2J\\u{202E}b")
  }

  @Test func linesAreBrokenBetweenWords() {
    #expect(Wrap.rows("one two three", width: 9) == ["one two", "three"])
    #expect(Wrap.rows("  name    what it means to me", width: 24) == ["  name    what it means", "          to me"])
    #expect(Wrap.rows("  = advice that goes on", width: 16) == ["  = advice that", "    goes on"])
    #expect(Wrap.rows("abcdefghij", width: 4) == ["abcd", "efgh", "ij"])
    #expect(Wrap.rows("ab cdefghij", width: 4) == ["ab c", "defg", "hij"])
    #expect(Wrap.rows("日本語日本語", width: 5) == ["日本", "語日", "本語"])
    #expect(Wrap.rows("a\tb", width: 20) == ["a       b"])
    #expect(Wrap.rows("", width: 5) == [""])
    let text = String(repeating: "word and another, ", count: 30)
    for width in 1...60 {
      for row in Wrap.rows(text, width: width) { #expect(DisplayWidth.of(row.trimmingEnd) <= width) }
    }
  }
}

extension String {
  fileprivate var trimmingEnd: String { String(reversed().drop { $0 == " " }.reversed()) }
}
