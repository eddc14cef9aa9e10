import Testing

@testable import Patterns

/// Regular expressions: what they mean, that nothing runs away, that bad ones are told apart.
@Suite struct PatternTests {
  private func spans(_ pattern: String, _ text: String) throws -> [String] { try Pattern(pattern).matches(in: text).map(\.whole) }

  @Test(
    arguments: [
      ("a", "cab", true), ("^a", "cab", false), ("^$", "", true), ("a$", "a\n", false), ("a\\Z", "a\n", true),
      ("(?m)^b$", "a\r\nb\r\nc", true),
      ("a.b", "a\nb", false), ("(?s)a.b", "a\nb", true), ("^[^a-c]+$", "xyz", true), ("^[^a-c]+$", "xaz", false), ("[]a]", "]", true),
      ("[a-]", "-", true), ("[\\]\\-]", "]", true), ("(?i)straße", "STRAßE", true), ("(?i)[à-é]", "É", true), ("\\bcat\\b", "a cat.", true),
      ("\\bcat\\b", "concat", false), ("^\\w+$", "été_1", true), ("^\\d$", "٣", true), ("^\\p{Lu}\\p{Ll}+$", "Été", true),
      ("^\\P{L}$", "1", true),
      ("^\\p{Han}+$", "漢字", true), ("^[[:alpha:][:digit:]]+$", "ab1", true), ("^[^[:space:]]+$", "ab", true), ("x{2,3}", "x", false),
      ("^x{2,3}$", "xxx", true), ("^x{,2}$", "xxx", false), ("a{b", "a{b", true), ("\\x41\\u{42}\\u0043", "ABC", true),
      ("\\Qa.b\\E+", "a.bbb", true),
      ("(?x) a b # two\n c", "abc", true), ("(?i:a)b", "Ab", true), ("(?i:a)b", "AB", false), ("😀{2}", "😀😀", true), ("()*", "", true),
      ("(a*)*b", "aab", true), ("(?:a|b)*?c", "abac", true), ("", "x", true), ("\\*\\/", "*/", true),
    ])
  func finds(_ pattern: String, _ text: String, _ isThere: Bool) throws {
    #expect(try Pattern(pattern).isFound(in: text) == isThere)
    #expect(try (Pattern(pattern).firstMatch(in: text) != nil) == isThere)
  }

  @Test func theLeftmostOfWhatPerlWouldFindFirst() throws {
    #expect(try spans("a|ab", "abab") == ["a", "a"])
    #expect(try spans("ab|a", "abab") == ["ab", "ab"])
    #expect(try spans("a+?", "aaa") == ["a", "a", "a"])
    #expect(try spans("<.*>", "<a><b>") == ["<a><b>"])
    #expect(try spans("<.*?>", "<a><b>") == ["<a>", "<b>"])
    #expect(try spans("x*", "axxb") == ["", "xx", ""])
    #expect(try spans("\\b", "ab c") == ["", "", "", ""])
    #expect(try spans("é|", "éé") == ["é", "é"])
  }

  @Test func groups() throws {
    let pattern = try Pattern("(?<year>\\d{4})-(\\d\\d)(?:-(\\d\\d))?")
    #expect(pattern.groupNames == ["year", nil, nil])
    #expect(try pattern.firstMatch(in: "in 2026-11 it")?.groups == ["2026-11", "2026", "11", nil])
    #expect(try pattern.firstMatch(in: "in 2026-11 it")?.range == 3..<10)
    // The last time round is what a group holds.
    #expect(try Pattern("(?:(a)|(b))+").firstMatch(in: "ab")?.groups == ["ab", "a", "b"])
    #expect(try Pattern("x(\\d+)").replacing(in: "x1 y x22", with: "$1") == "$1 y $1")
  }

  /// What makes machines that track back take longer than the universe lasts: here a bound on the steps stands for time.
  @Test(arguments: ["(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x+x+)+y"])
  func nothingRunsAway(_ pattern: String) throws {
    let text = String(repeating: "a", count: 2000) + "!"
    #expect(try !Pattern(pattern).isFound(in: text))
    #expect(try !Pattern(pattern).isFound(in: String(repeating: "x", count: 2000)))
  }

  @Test func matchesThatEachLookAtTheWholeTextAreGivenUp() throws {
    #expect(throws: PatternStop.tooMuchWork) { try Pattern(".*x|.", spareWork: 1_000_000).matches(in: String(repeating: "a", count: 3000)) }
  }

  @Test func aCancelledTaskStopsLooking() async throws {
    let pattern = try Pattern(".*x|.")
    let text = String(repeating: "a", count: 300_000)
    let task = Task {
      // It begins when it is cancelled already.
      for await _ in AsyncStream<Never>.makeStream().stream {}
      return try pattern.matches(in: text).count
    }
    task.cancel()
    await #expect(throws: PatternStop.cancelled) { try await task.value }
  }

  @Test(arguments: [
    "(", ")", "a)", "[a", "[z-a]", "a**", "*a", "a{2,1}", "a{1001}", "(?<n>a)(?<n>b)", "(?<1>a)", "\\", "\\1", "\\k<a>", "(?=a)", "(?<=a)",
    "(?<!a)", "(?>a)", "a++", "\\y", "\\p{Nonsense}", "[[:nonsense:]]", "\\x{110000}", "\\u12", "(?q)", "a{2", "^*", "(?P<a", "[a&&b]",
    "\\p{L",
    "((a{1000}){1000}){1000}", "((((?:){1000}){1000}){1000}){1000}",
  ])
  func isRefusedWithAReason(_ pattern: String) {
    #expect(throws: PatternError.self) { try Pattern(pattern) }
  }

  @Test func refusalsSayWhatToDo() {
    #expect { try Pattern("x(?=a)") } throws: { "\($0)".contains("looking ahead is not supported") && "\($0)".contains("character 2") }
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "(", count: 100_000)) }
    #expect(throws: PatternError.self) { try Pattern(String(repeating: "[", count: 10_000)) }
  }
}
