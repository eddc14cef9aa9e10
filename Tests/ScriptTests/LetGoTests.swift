import Testing

@testable import Interpreter

/// What a statement, a function or a job held is let go of when it is over, whatever it held: rows hold what they were made in, and
/// functions where they were defined, so that each of these could hold itself.
@Suite struct LetGoTests {
  private struct Held { weak var row: ReplyRow? }

  static let scripts = [
    // A function within a function.
    "def f(x) { def g(y) { return [y, x] }\nreturn len(g(x)) }\nlet n = len(each q f)",
    "def f(x) { prompt p(y) = \"say {y} {x}\"\nreturn map [x] p }\nlet n = len(each q f)",
    // In a record, in a list, made by another.
    "def f(x) { def g(y) { return [y, x] }\nlet o = {g: g, gs: [g, g]}\nlet h = o.g\nreturn len(h(x)) }\nlet n = len(each q f)",
    "def f(x) { def make(n) { def plus(y) { return [y, n] }\nreturn plus }\nlet h = make(5)\nreturn len(h(x)) }\nlet n = len(each q f)",
    "def f(x) { let big = 1..5\nlet q = map [x] \"{number(\"none\")}\"\nreturn len(q) }\nlet n = len(each q f)",
    // Rows that failed are given out.
    "def f(x) { let q = map [x] \"{number(\"none\")}\"\nreturn q }\nlet n = len(each q f)",
    "def f(x) { let q = map [x] \"fail server {x}\"\nlet p = q | add y 1\nreturn p }\nlet n = len(each q f)",
    "def f(x) { def g(y) { return number(y) }\nlet q = map [\"none\"] \"{g(it)}\"\nreturn q }\nlet n = len(each q f)",
    "def f(x) { prompt p(y) = \"say {number(y)}\"\nlet q = map [\"none\"] p\nreturn q[0] }\nlet n = len(each q f)",
    // Not under `each`.
    "def f(x) { def g(y) { return number(y) }\nlet q = map [\"none\"] \"{g(it)}\"\nreturn q }\nfor x in q { let n = f(x) }\nlet x = 0\nlet n = 0",
    "def f(x) { let g = map [\"none\"] \"{number(it)}\" &\ngather g\nreturn g }\nfor x in q { let n = f(x) }\nlet x = 0\nlet n = 0",
    // In a column.
    "def f(x) { return map [x] \"{number(\"none\")}\" }\nlet n = len(q | add z { def g(y) { return f(y) }\ng(it) })",
    // It fails, or looks at a failure.
    "def f(x) { def g(y) { return y }\nlet n = number(\"none\")\nreturn g(n) }\nlet n = len(each q f)",
    "def f(x) { def g(y) { return y }\ntry { let n = number(\"none\") } catch e { let n = 0 }\nreturn 1 }\nlet n = len(each q f)",
  ]

  /// Each function was given a reply: that is gone when its variable has another value.
  @Test(arguments: scripts) func nothingOfAFunctionIsLeft(_ script: String) async {
    let bench = TestBench()
    let start = "set stop-after off\nset retries 0\nlet q = map 1..20 \"say {it}\"\n"
    #expect(await bench.run(start) == nil)
    let held = rows(bench, "q")
    #expect(held.count == 20)
    let problem = await bench.run(script)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    #expect(await bench.run("let q = 0") == nil)
    let left = held.count { $0.row != nil }
    #expect(left == 0, "\(left) of 20 are held still")
  }

  private func rows(_ bench: TestBench, _ name: String) -> [Held] {
    guard case .list(let list)? = bench.session.globals.lookup(name) else { return [] }
    return list.values.map { value in if case .reply(let row) = value { Held(row: row) } else { Held() } }
  }

  /// What a function that is given out needs stays, and rows are made again as they were.
  @Test func whatIsNeededStays() async {
    let bench = TestBench()
    let problem = await bench.run(
      """
      set stop-after off
      set retries 0
      def counter(n) { let base = n
        def plus(x) { return x + base }
        def twice(x) { return plus(plus(x)) }
        return {plus: plus, all: [twice, plus]} }
      let c = counter(5)
      let plus = c.plus
      let twice = c.all[0]
      print plus(1) twice(1)
      def f(x) { let word = "w{x}"
        def g(y) { return "once server {word}{y}" }
        let q = map [1, 2] "{g(it)}"
        return q }
      let r = each ["a", "b"] f
      print len(failed(r[0]))
      let s = flatten r
      retry s
      print s.text
      def h(x) { let word = "v{x}"
        def g(y) { return "once server {word}{y}" }
        prompt p(y) = "{g(y)}"
        let q = map [1] p
        return q[0] }
      let r = each ["a", "b"] h
      retry r
      print r.text
      on end { }
      def called(x) { let seen = []
        def note(t) { return "{t}!" }
        on end { log note(event.reply.text) }
        return x }
      let n = called(1)
      ask "say hello"
      """)
    #expect(problem == nil, "\(problem?.formatted() ?? "")")
    #expect(
      bench.output.lines.filter { $0 != "hello" } == ["6 11", "2", "[\"wa1\", \"wa2\", \"wb1\", \"wb2\"]", "[\"va1\", \"vb1\"]"],
      "\(bench.output.lines) \(bench.output.notes)")
    #expect(bench.output.notes.contains("hello!"), "\(bench.output.notes)")
  }

  /// A job that is over goes with its variable, rows that failed and all.
  @Test(arguments: ["map [\"none\"] \"{number(it)}\"", "map 1..3 \"fail server\" | add y 1", "each [1] f"])
  func aJobIsLetGoOf(_ line: String) async {
    let bench = TestBench()
    let script = "def f(x) { return number(\"none\") }\nset stop-after off\nset retries 0\n"
    #expect(await bench.run(script + "let j = \(line) &\ngather") == nil)
    weak let job = bench.session.jobs.first
    #expect(job != nil)
    // Jobs that are over leave the list when it grows long, and what they gave goes with their variable.
    #expect(await bench.run("let j = 1\nfor i in 1..102 { let k = each [1] f & }\ngather\nlet k = each [1] f &") == nil)
    #expect(job == nil, "it is held still")
  }
}
