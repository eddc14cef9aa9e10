import Interpreter
import Language
import Testing

@Suite struct ConcurrencyTests {
  @Test(arguments: [1, 2, 5, 64])
  func theWidthIsKept(_ width: Int) async {
    let bench = TestBench()
    let failed = await bench.run("set concurrency \(width)\nlet r = map 1..200 \"say {it}\"\nprint r[199].text len(r)")
    #expect(failed == nil)
    #expect(bench.model.mostLive <= width)
    #expect(bench.output.lines == ["200 200"])
  }

  /// A chain in `each`, with nested maps, cannot deadlock at width 1.
  @Test func chainsRunAtWidthOne() async {
    let bench = TestBench()
    let failed = await bench.run(
      """
      set concurrency 1
      def chain(x) {
        let a = ask "say {x}"
        let inner = map [1, 2] "say {it}{a}"
        together { let b = ask "say b" ; let c = ask "say c" }
        return ask "say {a}{b}{c}{inner[1].text}"
      }
      print (each 1..20 chain)[19].text
      """)
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    #expect(bench.output.lines == ["20bc220"])
    #expect(bench.model.mostLive == 1)
  }

  /// A permit is held by a call, never by a row: pipelines within rows end at any depth and any width.
  @Test(arguments: [1, 2, 8, 64])
  func pipelinesWithinRowsEnd(_ width: Int) async {
    let bench = TestBench()
    let failed = await bench.run(
      """
      set concurrency \(width)
      def pair(x) { return map 1..2 "say {x}.{it}" }
      def votes(x) { return map [x] "say {it}" --samples 3 }
      def pure(x) { return len(each 1..3 pair) }
      def deep(x) {
        if x == 40 { return ask "say bottom" }
        let inner = each [x + 1] deep
        return inner[0]
      }
      print len(each 1..100 pair) len(each 1..20 votes) (each 1..20 pure)[19] (each [0] deep)[0].text
      """)
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    #expect(bench.output.lines == ["100 20 3 bottom"])
    #expect(bench.model.mostLive <= width)
    #expect(bench.model.calls == 200 + 60 + 120 + 1)
    #expect(bench.output.notes.count { $0.contains("3 samples") } == 1)
    #expect(bench.session.world.engine.limiter.inUse == 0)
  }

  /// Rows whose prompt cannot be made send nothing and spend no rate: their kind says that it was the script's doing.
  @Test func whatCannotBeMadeCostsNoRate() async {
    let bench = TestBench()
    let failed = await bench.run(
      "set rpm 600\nset stop-after off\nlet r = 1..90 | map \"say {number('x') + it}\"\nprint len(r) r[0].error.kind\ndef f(x) = number('x') + x\nprint (each 1..90 f)[0].error.kind"
    )
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    #expect(bench.output.lines == ["90 script", "script"])
    #expect(bench.session.world.engine.time.now == .zero)
  }

  @Test func resultsStandInTheOrderOfTheItems() async {
    let bench = TestBench()
    _ = await bench.run(
      "set concurrency 64\nlet r = map 0..999 \"say {it}\"\nlet bad = r | where text != text(it.input)\nprint len(r) len(bad)")
    #expect(bench.output.lines == ["1000 0"])
  }

  @Test func rowsGoFromFileToFileInOrder() async {
    let lines = (0..<5000).map(String.init).joined(separator: "\n")
    let bench = TestBench(files: ["in.txt": lines])
    let failed = await bench.run(
      "set concurrency 50\nload \"in.txt\" | map \"say {it}\" | where index % 2 == 0 | map \"say x{it}\" | select text | save \"out.txt\"")
    #expect(failed == nil)
    #expect(bench.files.text("out.txt") == (0..<5000).filter { $0 % 2 == 0 }.map { "x\($0)\n" }.joined())
  }

  @Test func aFullDiskEndsTheRun() async {
    let bench = TestBench()
    let failed = await bench.run("1..100000 | map \"say {it}\" | save \"/full/out.txt\"")
    #expect(failed?.message == "/full/out.txt: No space left on device")
    // Prompts stop once the rows have nowhere to go: far from all of them were sent.
    #expect(bench.model.calls < 50_000)
  }

  /// A run that is stopped keeps what finished, and a row for every prompt it did not send: `retry` sends those.
  @Test func whatWasNotSentCanBeRetried() async {
    let bench = TestBench()
    let script = Task {
      await bench.run(
        "set concurrency 2\non end { log \"ended {event.reply.text}\" }\nlet r = map [\"say a\", \"hang\", \"hang\", \"hang\"] \"{it}\" &\ngather r\nr.failed\nr.prompt"
      )
    }
    // Two of the others hang, whichever come first, and the third waits behind them.
    for await note in bench.output.noteStream.stream where note == "ended a" { break }
    bench.session.jobs.first?.job.cancel()
    #expect(await script.value == nil)
    #expect(bench.output.lines.contains("[false, true, true, true]"))
    #expect(bench.output.lines.last == "[\"say a\", \"hang\", \"hang\", \"hang\"]")
  }

  @Test func nothingIsSentForALineWithATypo() async {
    for script in [
      "map 1..10 \"x {nope}\"", "map 1..10 \"x\" | whre a", "map 1..10 \"x\" --temprature 1", "map 1..10 \"x\" --model nowhere/x",
      "ask \"a\"\nprint undefined_name",
    ] {
      let bench = TestBench()
      #expect(await bench.run(script) != nil)
      #expect(bench.model.calls == 0, "\(script)")
    }
  }
}
