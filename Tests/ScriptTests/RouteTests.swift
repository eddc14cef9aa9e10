import Chat
import Scheduling
import Testing
import Threads

@testable import Interpreter
@testable import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Answers every second call from memory, and writes down what it hears.
private final class Memory: CallRoute, CallLedger {
  private let state = Mutex((asked: 0, sent: 0, ended: 0, endedFirst: 0))
  var sent: Int { state.withLock { $0.sent } }
  var ended: Int { state.withLock { $0.ended } }

  func answer(_ call: PreparedCall) -> Attempt? {
    let number = state.withLock { state in
      state.asked += 1
      return state.asked
    }
    guard number % 2 == 0 else { return nil }
    var attempt = Attempt()
    (attempt.text, attempt.finish) = ("kept", .stop)
    return attempt
  }

  func sending(_ call: PreparedCall, attempt: Int) { state.withLock { $0.sent += 1 } }
  func ended(_ call: PreparedCall, _ reply: Reply) { state.withLock { $0.ended += 1 } }
}

/// A route in front of the live one needs no change in the rows or the limits.
@Suite struct RouteTests {
  @Test(arguments: [(1, 200), (64, 10_000)])
  func everySecondCallIsAnsweredFromMemory(_ width: Int, _ count: Int) async {
    let memory = Memory()
    let bench = TestBench(routes: [memory], ledgers: [memory])
    let failed = await bench.run(
      """
      set concurrency \(width)
      set rpm off
      map 1..\(count) "say {it}" | where cached | count
      """)
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    #expect(bench.output.lines == ["\(count / 2)"])
    #expect(bench.model.calls == count / 2 && memory.sent == count / 2 && memory.ended == count)
    #expect(bench.session.world.engine.limiter.inUse == 0)
  }

  /// `take` counts what came from memory like all else.
  @Test func takeIsExactAllTheSame() async {
    let memory = Memory()
    let bench = TestBench(routes: [memory], ledgers: [memory])
    let failed = await bench.run("let r = map 1..1000 \"say {it}\" | take 10\nprint len(r)")
    #expect(failed == nil, "\(failed?.formatted() ?? "")")
    #expect(bench.output.lines == ["10"] && memory.ended == 10 && bench.model.calls == 5)
  }

  /// The session says which route is asked first, and may say so at any moment; a call's settings say whether a route is asked at all.
  @Test func theSessionSetsTheOrder() async {
    let (one, two) = (Always("one"), Always("two", most: 0.5))
    let bench = TestBench(routes: [one, two])
    let routes = bench.session.world.engine.routes
    _ = await bench.run("print (ask \"say x\" --temperature 0.2).text")
    routes.order = [two, one]
    _ = await bench.run("print (ask \"say x\" --temperature 0.2).text (ask \"say x\" --temperature 0.9).text")
    routes.order = [two]
    _ = await bench.run("print (ask \"say x\" --temperature 0.2).text (ask \"say x\" --temperature 0.9).text")
    routes.order = []
    _ = await bench.run("print (ask \"say x\").text")
    #expect(bench.output.lines == ["one", "two one", "two x", "x"])
    #expect(bench.model.calls == 2)
  }

  /// Rows that all come from memory, a great many: no deep stack, and no more memory than a window of them (`PROMPTSH_LONG=1`: 10⁶).
  @Test func aGreatManyInConstantMemory() async throws {
    let count = getenv("PROMPTSH_LONG") != nil ? 1_000_000 : 4000
    let bench = TestBench(routes: [Always("kept")])
    _ = await bench.run("map 1..2000 \"say {it}\" | count")
    let before = try #require(Self.residentBytes)
    let failed = await bench.run("map 1..\(count) \"say {it} \(String(repeating: "x", count: 1000))\" | count")
    #expect(failed == nil && bench.output.lines.last == "\(count)" && bench.model.calls == 0)
    // Each row holds a kilobyte and more; other tests run meanwhile.
    if getenv("PROMPTSH_LONG") != nil { #expect(try #require(Self.residentBytes) - before < 200 << 20) }
  }

  private static var residentBytes: Int? {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, 256, file) != nil else { return nil }
    let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(separator: " ")
    return words.count > 1 ? Int(words[1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) } : nil
  }
}

/// Has an answer for every call that is not warmer than so much.
private final class Always: CallRoute {
  private let text: String
  private let most: Double
  init(_ text: String, most: Double = 2) { (self.text, self.most) = (text, most) }
  func allows(_ settings: (any CallSettings)?) -> Bool {
    ((settings as? AnswerSettings)?.settings.sampling.temperature ?? 0) <= most
  }
  func answer(_ call: PreparedCall) -> Attempt? {
    var attempt = Attempt()
    (attempt.text, attempt.finish) = (text, .stop)
    return attempt
  }
}
