import Testing

/// No prompt is sent that an ordered reading of the rows does not need.
@Suite struct ExactlyTests {
  typealias Line = (script: String, calls: Int, prints: String)

  static let lines: [Line] = [
    (#"let r = map 1..50 "say {it}" | take 3 ; print r.text"#, 3, #"["1", "2", "3"]"#),
    (#"map 1..50 "say {it}" | take 3 | save "out.jsonl" ; print len("")"#, 3, "0"),
    (#"let r = map 1..1000000000000000000 "say {it}" | skip 4 | take 2 ; print r.text"#, 6, #"["5", "6"]"#),
    (#"let r = 1..1000000000000000000 | take 2 ; print r"#, 0, "[1, 2]"),
    (#"let r = 1..1000000000000000000 | skip 3 | take 1 | map "say {it}" ; print r.text"#, 1, #"["4"]"#),
    // Failed rows count.
    (#"let r = map 1..50 "fail server" | take 3 ; print len(r) r.failed"#, 3, "3 [true, true, true]"),
    // Behind a filter it sends on: here every second row is dropped.
    (#"let r = map 1..50 "say {it}" | where number(text) % 2 == 0 | take 3 ; print r.text"#, 6, #"["2", "4", "6"]"#),
    (
      #"let r = ["fail server", "say a", "say b", "say c", "say d"] | map "{it}" | where not failed | take 2 ; print r.text"#, 3,
      #"["a", "b"]"#
    ),
    (#"let r = map 1..50 "say {it % 4}" | unique text | take 3 ; print r.text"#, 3, #"["1", "2", "3"]"#),
    (#"let r = map 1..50 "say {it % 2}" | unique text | take 2 ; print r.text"#, 2, #"["1", "0"]"#),
    (#"let r = [1, 1, 1, 2, 3] | map "say {it}" | unique text | take 2 ; print r.text"#, 4, #"["1", "2"]"#),
    (#"let r = map 1..50 "say {it}" --as lines | select value | take 2 ; print len(r)"#, 2, "2"),
    // A chain: the second stage asks the first for no more than it needs.
    (#"let r = map 1..50 "say {it}" | take 9 | map "say x{text}" | take 2 ; print r.text"#, 4, #"["x1", "x2"]"#),
    (#"let r = map 1..50 "say {it}" | map "say x{text}" | take 2 ; print r.text"#, 4, #"["x1", "x2"]"#),
    // What the second drops, the first sends on for.
    (
      #"let r = map 1..50 "say {it}" | take 40 | map "say {text}" | where number(text) % 3 == 0 | take 2 ; print r.text"#, 12,
      #"["3", "6"]"#
    ),
    (#"let r = 1..100 | skip 10 | map "say {it}" | where number(text) % 5 == 0 | take 2 ; print r.text"#, 10, #"["15", "20"]"#),
    (#"let r = map 1..4 "say {it}" --samples 3 | take 5 ; print r.sample"#, 5, "[0, 1, 2, 0, 1]"),
    (
      #"let r = map 1..50 "say {it}" --model ["sim/fast", "sim/story"] | take 5 ; print r.text r[3].model"#, 5,
      #"["1", "1", "2", "2", "3"] sim/story"#
    ),
    (#"let r = map 1..50 "say {it}" | take 0 ; print len(r)"#, 0, "0"),
    (#"let r = [[1, 2], [], [3, 4], [5]] | flatten | map "say {index}:{it}" | take 3 ; print r.text"#, 3, #"["0:1", "1:2", "2:3"]"#),
    (#"def f(x) = [x, x] ; let r = each 1..50 f | flatten | take 3 ; print r"#, 0, "[1, 1, 2]"),
    (#"let j = map 1..50 "say {it}" | take 3 & ; gather j ; print len(j)"#, 3, "3"),
  ]

  @Test(arguments: lines) func asManyAsAreNeeded(_ line: Line) async {
    for width in [1, 8, 64] {
      let bench = TestBench()
      let failed = await bench.run(
        "set stop-after off\nset retries 0\nset concurrency \(width)\n\(line.script.replacing(" ; ", with: "\n"))")
      #expect(failed == nil, "\(failed?.formatted() ?? "")")
      #expect(bench.model.calls == line.calls)
      #expect(bench.output.lines.last == line.prints)
      #expect(bench.session.world.engine.limiter.inUse == 0)
    }
  }

  /// A file that is read on is read no further than is wanted, and lines keep their order through all steps.
  @Test func stepsGoByTheOrder() async {
    let bench = TestBench(files: ["in.txt": (0..<3000).map { "\($0 / 3)" }.joined(separator: "\n")])
    let failed = await bench.run(
      "set concurrency 32\nload \"in.txt\" | map \"say {it}\" | unique text | skip 10 | map \"say x{text}\" | take 500 | save \"out.txt\"")
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    let texts = bench.files.text("out.txt")?.split(separator: "\n").map(String.init)
    #expect(texts?.count == 500)
    #expect(bench.model.calls < 3000 + 500)
  }
}
