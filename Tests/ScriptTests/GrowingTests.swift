import Interpreter
import Testing

/// What grows in a loop costs each step once. Where it cost each step all that came before, these would take minutes.
@Suite struct GrowingTests {
  private func seconds(_ script: String, _ expected: String) async -> Double {
    let bench = TestBench()
    let start = ContinuousClock.now
    let problem = await bench.run(script)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    #expect(bench.output.lines == [expected])
    return start.duration(to: .now) / .seconds(1)
  }

  /// A list that grows is known by what came to it.
  @Test func membershipInAGrowingList() async {
    let taken = await seconds(
      """
      let seen = []
      for i in 1..20000 { if i % 10000 not in seen { let seen = seen + [i % 10000] } }
      print len(seen)
      """, "10000")
    #expect(taken < 60)
  }

  /// Likewise through a field of its rows.
  @Test func membershipInTheFieldOfAGrowingList() async {
    let taken = await seconds(
      """
      let seen = []
      for i in 1..5000 { if i not in seen.id { let seen = seen + [{id: i}] } }
      print len(seen)
      """, "5000")
    #expect(taken < 60)
  }

  /// A list that is another one is another one: what was found in the first is not found in those made of it.
  @Test func whatIsMadeOfAListIsItsOwn() async {
    _ = await seconds(
      """
      let base = list(1..100)
      let ask_base = [1 in base, 101 in base, 1 in base]
      let a = base + [101]
      let b = base + [102]
      print [101 in a, 102 in a, 102 in a, 101 in b, 102 in b, 102 in b, 101 in base, ask_base[1]]
      """, "[true, false, false, false, true, true, false, false]")
  }
}

/// Letting go of a long chain takes no stack: rows that failed keep what their statement could see, rows that failed before among it.
@Suite struct ChainTests {
  @Test func failedRowsOfManyStatements() async {
    let bench = TestBench()
    let problem = await bench.run(
      """
      set retries 0
      for i in 1..12000 { let r = map [i] "fail bad-request" }
      let r = 0
      print "through"
      """)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    #expect(bench.output.lines == ["through"])
  }
}
