import Testing

@testable import Interpreter

/// A row that failed keeps of what its statement could see what is named there: not each earlier result of a long session.
@Suite struct KeptScopeTests {
  private static let f = "def g(x) { return x + 1 }\ndef f(x) { if x == 2 { return number(\"none\") }; return g(x) }\n"

  private func row(_ bench: TestBench, _ name: String) -> ReplyRow? {
    guard case .list(let list)? = bench.session.rootContext.scope.lookup(name), case .reply(let row)? = list.values.first else {
      return nil
    }
    return row
  }

  @Test(arguments: [
    ("let r = map 1..3 \"{f(it)}\"", "let r = map 1..3 \"{f(it)}\""),
    ("let r = map 1..3 \"{f(it)}\" | add y 1", "let r = map 1..3 \"{f(it)}\" | add y 1"),
    ("def step() {\nlet q = map 1..3 \"{f(it)}\"\nreturn q\n}\nlet r = step()", "let r = step()"),
  ])
  func earlierRowsAreLetGoOf(_ first: String, _ second: String) async {
    let bench = TestBench()
    #expect(await bench.run(Self.f + "set stop-after off\n" + first) == nil)
    weak let old = row(bench, "r")
    #expect(old != nil)
    #expect(await bench.run(second) == nil)
    #expect(row(bench, "r") != nil)
    #expect(old == nil, "it is held still")
  }

  /// A function that a record holds under another name is found, and what it names with it.
  @Test func whatARecordHoldsStays() async {
    let bench = TestBench()
    let problem = await bench.run(
      """
      let base = "none"
      def f(x) { if x == 2 { return number(base) }; return x }
      let o = {g: f}
      def call(x) { let h = o.g; return h(x) }
      set stop-after off
      let r = map 1..3 "{call(it)}"
      let first = failed(r).error.message
      retry r
      print first == failed(r).error.message
      """)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    #expect(bench.output.lines.last == "true", "\(bench.output.lines)")
  }

  /// What is named stays, through functions that are named in functions, and as it was at the launch.
  @Test func whatIsNamedStays() async {
    let bench = TestBench()
    let problem = await bench.run(
      """
      let base = "one"
      let fails = true
      def inner(x) { return "{base} {x}" }
      def f(x) { if x == 2 { return number(gone(x)) }; return inner(x) }
      def gone(x) { return inner(x) }
      let other = "other"
      set stop-after off
      let r = map 1..3 "{f(it)} {other}"
      let base = "7"
      let other = "changed"
      let s = r | select index text
      retry r
      print failed(r).index r[2].prompt failed(r).error
      """)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    // Made again from what it was: `base` is still no number.
    #expect(bench.output.lines.first?.hasPrefix("[1] one 3 other ") == true, "\(bench.output.lines)")
    #expect(bench.output.lines.first?.contains("one 2") == true, "\(bench.output.lines)")
  }
}
