import Chat
import Interpreter
import Scheduling
import Testing
import Threads

@testable import Shell

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
  @Test(arguments: [(1, 200), (64, 100_000)])
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
}
