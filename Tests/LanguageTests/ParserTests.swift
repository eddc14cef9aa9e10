import Language
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite struct ParserTests {
  static let vocabulary = Vocabulary(
    commands: ["ask", "map", "where", "sort", "take", "set", "print", "add", "stream", "together", "timeout", "!", "count"],
    wordCommands: ["set"],
    switches: ["raw"], functions: ["count", "len"])

  private func parse(_ text: String) -> Parser.Result { Parser.parse(Source(name: "t", text: text), vocabulary: Self.vocabulary) }

  @Test(arguments: [
    "let a = ask \"x {it.b} {f(1)[2].c}\" --temperature 0.2 --model a/b --stop [\"x\", y] &",
    "xs | where a > 1 and not b | sort -c | take 5",
    "if a { print 1 } else if b { print 2 } else { print 3 }", "for x in [1, 2] { print x }", "try { ask \"x\" } catch e { print e }",
    "def f(a, b = 2) { return a + b }", "def g(x) = ask \"hi {x}\"", "prompt p(a) = \"x {a}\"", "prompt q {\n system \"s\"\n user \"u\"\n}",
    "let r = {a: 1, \"b c\": [1..3]}", "set concurrency 10 for facts", "print \"a\\u{1F600}\\{x}\"", "'{\"raw\": {x}}'",
    "\"{{name}} {\\\"a\\\": 1}\"",
    "timeout 30s { ask \"x\" }", "together {\n let a = ask \"1\"\n let b = ask \"2\"\n}", "? free words \" here # too", "!ls | wc",
    "xs |\n take 2", "print (ask \"x\").text",
    "let count = 1\ncount", "# only a comment", "", "print 1 # after", "on end { print event }", "xs | add c { it contains \"x\" }",
    "a not in b", "print - | take 1", "print xs -", "print - --raw", "print a - b", "f(1,\n 2)",
  ])
  func takes(_ text: String) {
    #expect(parse(text).diagnostics.map { $0.formatted() } == [])
  }

  @Test(arguments: [
    ("let = 1", "the name of a variable was expected here, not `=`"), ("print )", "the end of the statement was expected here, not `)`"),
    ("let if = 1", "`if` is a word of the language"), ("x = 1", "the end of the statement was expected here, not `=`"),
    ("print 1x", "`x` is no unit of time; there is: ms, s, m, h"), ("}", "this `}` closes nothing"),
    ("print \u{1}", "a control character (byte 1) is not part of the language"), ("prompt p { }", "a prompt needs a turn"),
    ("def f(a, a) = 1", "there are two parameters `a`"), ("ask \"a {b c}\"", "`}` at the end of the hole was expected here, not `c`"),
    ("set temperature --x", "`--x` needs a value"), ("else { }", "`else` follows nothing it could belong to"),
    ("print " + String(repeating: "(", count: 500), "nested more than 64 deep"),
    ("print 9999999999999999999h", "this duration is too long"),
  ])
  func refuses(_ text: String, _ message: String) {
    #expect(parse(text).diagnostics.first?.message == message)
  }

  /// What the prompt answers with another line instead of an error.
  @Test(arguments: [
    "let a = [1,", "ask \"abc", "xs |", "def f(x) {", "1 +", "print \"\"\"\nabc", "ask \"a {b", "together { let a = 1", "f(1, ", "'x",
  ])
  func knowsThatMoreIsNeeded(_ text: String) {
    #expect(parse(text).isIncomplete)
  }

  @Test func reportsEveryStatement() {
    let diagnostics = parse("let = 1\nprint 1\nlet = 2\nif x {\n  let = 3\n}\nprint 2").diagnostics
    #expect(diagnostics.count == 3)
  }

  @Test func longTextLosesItsMargin() throws {
    let result = parse("print \"\"\"\n    one\n      two {x}\n\n    three\n    \"\"\"")
    guard case .pipeline(let pipeline) = result.program.block.statements[0].node, case .command(let command) = pipeline.stages[0],
      case .text(let pieces) = command.arguments[0].node
    else { throw Unexpected() }
    #expect(pieces.count == 3)
    if case .plain(let text) = pieces[0] { #expect(text == "one\n  two ") }
    if case .plain(let text) = pieces[2] { #expect(text == "\n\nthree") }
  }

  @Test func caretsStandUnderWhatIsMeant() {
    let result = parse("print \"日本\" ) x")
    #expect(
      result.diagnostics[0].formatted() == """
        error: the end of the statement was expected here, not `)`
         --> t:1:14
          1 | print "日本" ) x
            |              ^
            = statements are separated by a line end or `;`
        """)
  }

  /// No text crashes lexer or parser, and each ends: seeded nonsense made of the language's own pieces.
  @Test func nonsenseNeverCrashes() {
    let pieces = [
      "let ", "x", "=", "\"", "{", "}", "(", ")", "[", "]", "|", "&", ";", "\n", "ask ", "map ", "set ", "--flag ", "1", "..", "'", "\\",
      "\"\"\"", "#", "%1 ", "if ", "else ", "for ",
      "in ", "def ", "prompt ", ".", ",", ":", "é", "\u{0}", "not ", "-", "=", "{{", "}}", "?", "!", "🙂", "\t", "\r", "\r\n", "# c\r",
      "x#y", " \\\n",
    ]
    let seed = getenv("PROMPTSH_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 42
    let rounds = getenv("PROMPTSH_FUZZ_INPUTS").flatMap { Int(String(cString: $0)) } ?? (getenv("PROMPTSH_LONG") == nil ? 4000 : 1_000_000)
    var random = Seeded(state: seed)
    for _ in 0..<rounds {
      let text = (0..<Int(random.next() % 40)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }.joined()
      _ = parse(text).diagnostics.map { $0.formatted() }
      // What parses can be laid out, parses then too, and is laid out once and for all.
      if let once = try? Formatter.format(Source(name: "t", text: text), vocabulary: Self.vocabulary) {
        let twice = try? Formatter.format(Source(name: "t", text: once), vocabulary: Self.vocabulary)
        #expect(twice == once, "\(text.debugDescription) → \(once.debugDescription)")
      }
    }
  }

  @Test func layout() throws {
    let messy =
      "if a   {\nprint   1   # one\n\n\n\n  xs |\nwhere b\n}\nlet t = \"\"\"\n   a  b\n   \"\"\"\n?  free   words\nprompt p {\nuser \"x  y\"\n}\n"
    let neat =
      "if a {\n  print 1  # one\n\n  xs |\n    where b\n}\nlet t = \"\"\"\n   a  b\n   \"\"\"\n?  free   words\nprompt p {\n  user \"x  y\"\n}\n"
    #expect(try Formatter.format(Source(name: "t", text: messy), vocabulary: Self.vocabulary) == neat)
    #expect(throws: Diagnostic.self) { try Formatter.format(Source(name: "t", text: "let = "), vocabulary: Self.vocabulary) }
    // Nothing goes on from the end of the text.
    #expect(try Formatter.format(Source(name: "t", text: "set  x \\"), vocabulary: Self.vocabulary) == "set x \\")
  }

  @Test func longAndDeepTextsEnd() {
    _ = parse("print \"" + String(repeating: "a{", count: 200_000))
    _ = parse(String(repeating: "[", count: 100_000))
    _ = parse(String(repeating: "not ", count: 50_000) + "x")
    _ = parse(String(repeating: "-", count: 50_000) + "1")
    _ = parse("print " + String(repeating: "1 + ", count: 50_000) + "1")
    _ = parse("ask " + String(repeating: "\"{", count: 20_000))
    _ = parse(String(repeating: "if x { ", count: 20_000))
  }

  struct Unexpected: Error {}

  struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 16
    }
  }
}
