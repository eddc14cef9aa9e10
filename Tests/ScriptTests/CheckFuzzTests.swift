import Interpreter
import Language
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Scripts with pieces changed, put in and taken out: whatever is read is checked, and laid out once and for all. Nothing runs.
///
/// A small round each time; `scripts/fuzz language` takes more.
@Suite struct CheckFuzzTests {
  static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
  static let rounds = number("PROMPTSH_FUZZ_INPUTS") ?? (getenv("PROMPTSH_LONG") == nil ? 2000 : 1_000_000)

  private static let pieces = [
    "|", " | where ", " | map ", " | add x { ", " | select a ", " | sort -", " | group ", " | summarize mean(", "\"{", "{ ", "}", "(", ")",
    "[", "]", "let a = ",
    "it", "it.", "text", "latency", "a", " == ", "..", "--with [{", "--language [", "--model m", "load \"q.csv\"", "'{it}'", "# c\r", "\r",
    "\r\n", "\n", ";", "&", "for a in ",
    "def f(a) = ", "prompt p(a) = ", "?", "!", "{100 * n}", "\u{0}", "é", "\"\"\"\n", "%1", ",", "x#y", "set model a#b ",
  ]

  @Test func changedScripts() async throws {
    let scripts = try GoldenScripts.scripts.map { try #require(GoldenScripts.read(GoldenScripts.folder + "/" + $0)) }
    let seed = UInt64(Self.number("PROMPTSH_FUZZ_SEED") ?? 42)
    var random = Seeded(state: seed)
    let bench = TestBench(files: ["q.csv": "question,answer\n2 + 2?,4\n", "made.csv": "a,b\n1,2\n"])
    let vocabulary = bench.session.vocabulary
    var parsed = 0
    for round in 0..<Self.rounds {
      let script = scripts[random.below(scripts.count)].split(separator: "\n", omittingEmptySubsequences: false)
      let start = random.below(script.count)
      var text = Array(script[start..<min(script.count, start + 1 + random.below(6))].joined(separator: "\n"))
      for _ in 0..<random.below(4) {
        let place = random.below(text.count + 1)
        switch random.below(3) {
        case 0: text.insert(contentsOf: Self.pieces[random.below(Self.pieces.count)], at: place)
        case 1: text.removeSubrange(place..<min(text.count, place + 1 + random.below(4)))
        default: text.insert(contentsOf: text[..<place].suffix(random.below(20)), at: place)
        }
      }
      let source = Source(name: "t", text: String(text))
      let words: Comment = "seed \(seed), round \(round): \(String(text).debugDescription)"
      for diagnostic in bench.session.check(source) { _ = diagnostic.formatted() }
      guard let once = try? Formatter.format(source, vocabulary: vocabulary) else { continue }
      parsed += 1
      let laidOut = Source(name: "t", text: once)
      #expect((try? Formatter.format(laidOut, vocabulary: vocabulary)) == once, words)
      // It means the same: what is said of it is the same, wherever that stands.
      let (before, after) = (bench.session.check(source).map(\.message), bench.session.check(laidOut).map(\.message))
      #expect(before == after, words)
    }
    #expect(parsed > Self.rounds / 10, "\(parsed) of \(Self.rounds) were scripts")
  }

  private struct Seeded {
    var state: UInt64
    mutating func below(_ end: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 16) % UInt64(end))
    }
  }
}
