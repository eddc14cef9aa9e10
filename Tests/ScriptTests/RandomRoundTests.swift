import Chat
import Interpreter
import Language
import Scheduling
import Testing
import Threads

@testable import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Random scripts with everything on at once (hedging, budgets, brakes, callbacks, sweeps, chains, nested rows), and something that
/// happens in the middle: the line is cancelled, its job is ended, stopped, paused, widened. Whatever it is: it ends, in order, with
/// nothing kept. `PROMPTSH_LONG=1` plays 10⁵ of them.
@Suite struct RandomRoundTests {
  static let rounds = getenv("PROMPTSH_LONG") != nil ? 100_000 : 30

  @Test func everythingEndsInOrderWithNothingKept() async {
    var (whole, cut) = (0, 0)
    for seed in 0..<Self.rounds {
      let round = RandomRound(seed)
      let problem = await round.play()
      #expect(problem == nil, "round \(seed): \(problem ?? "")\n\(round.script)")
      if round.happening == .nothing { whole += 1 } else { cut += 1 }
    }
    #expect(whole > Self.rounds / 10 && cut > Self.rounds / 3)
  }
}

private enum Happening: CaseIterable {
  case nothing, lineCancelled, jobCancelled, jobStopped, paused, widened, narrowed
}

/// Does something at the n-th call that goes out.
private final class Tripwire: CallLedger {
  private let state: Mutex<(left: Int, action: (@Sendable () -> Void)?)>
  private let ends = Atomic(0)
  var ended: Int { ends.load(ordering: .relaxed) }

  init(after calls: Int) { state = Mutex((calls, nil)) }

  func set(_ action: @escaping @Sendable () -> Void) { state.withLock { $0.action = action } }

  func sending(_ call: PreparedCall, attempt: Int) {
    let action = state.withLock { state -> (@Sendable () -> Void)? in
      state.left -= 1
      return state.left == 0 ? state.action : nil
    }
    action?()
  }

  func ended(_ call: PreparedCall, _ reply: Reply) { _ = ends.add(1, ordering: .relaxed) }
}

private struct RandomRound {
  let script: String
  let happening: Happening
  /// Rows that the result has, where nothing happens and no brake is set; and how their items read.
  private let rows: Int?
  private let width: Int
  private let after: Int

  init(_ seed: Int) {
    var random = Seeded(seed)
    let width = 1 + random.below(10)
    var lines = ["set concurrency \(width)", "set retries \(random.below(3))", "let ends = 0"]
    var isBraked = false
    if random.below(3) == 0 { lines.append("set hedge p50") }
    if random.below(6) == 0 {
      lines.append("set stop-after \(2 + random.below(4))")
      isBraked = true
    } else {
      lines.append("set stop-after off")
    }
    if random.below(6) == 0 {
      lines.append("set max-tokens 20\nset budget tokens \(200 + random.below(2000))")
      isBraked = true
    }
    if random.below(3) == 0 { lines.append("on end { let ends = ends + 1 }") }
    if random.below(4) == 0 { lines.append("on token { let last = event.text }") }
    if random.below(4) == 0 { lines.append("set tails 2") }
    lines.append("def two(x) { let a = ask \"say {x}\"\n  return map 1..2 \"say {x}.{it}\" }")
    lines.append("def deep(x) { if x >= 3 { return ask \"say {x}\" }\n  let inner = each [x + 1, x + 2] deep\n  return inner[0] }")
    let count = 1 + random.below(30)
    let kinds = ["say", "fail server", "once server", "refuse", "say", "say", "once rate-limited", "empty"]
    let items = (0..<count).map { index in "\"\(kinds[random.below(kinds.count)]) \(index)\"" }.joined(separator: ", ")
    let variants = 1 + random.below(3)
    let (line, rows): (String, Int) =
      switch random.below(8) {
      case 0: ("map 0..\(count - 1) \"say {it}\"", count)
      case 1: ("map [\(items)] \"{it}\"", count)
      case 2: ("map 0..\(count - 1) \"say {it}\" --samples \(variants)", count * variants)
      case 3: ("map [\(items)] \"{it}\" --model [\"sim/fast\", \"sim/story\"]", count * 2)
      case 4: ("each 0..\(count - 1) two", count)
      case 5: ("each 0..\(min(count, 6) - 1) deep", min(count, 6))
      case 6: ("map 0..\(count - 1) \"say {it}\" | map \"say x{text}\" | take \(variants)", min(count, variants))
      default: ("map 0..\(count - 1) \"say {it}\" | add more { ask \"say {text}!\" }", count)
      }
    let isBackground = random.below(2) == 0
    lines.append("let r = \(line)\(isBackground ? " &\ngather r" : "")")
    lines.append("print \"rows\" len(r)")
    script = lines.joined(separator: "\n")
    happening = Happening.allCases[random.below(Happening.allCases.count)]
    self.width = width
    self.rows = isBraked ? nil : rows
    after = 1 + random.below(20)
  }

  /// Returns what is wrong.
  func play() async -> String? {
    let wire = Tripwire(after: after)
    let bench = TestBench(ledgers: [wire])
    let running = Mutex<Task<Diagnostic?, Never>?>(nil)
    wire.set { [happening, width] in
      let session = bench.session
      let job = session.reachableJobs.last?.job
      switch happening {
      case .nothing: break
      case .lineCancelled: running.withLock { $0 }?.cancel()
      case .jobCancelled: job?.cancel()
      case .jobStopped: job?.stopLaunching()
      case .paused:
        guard let job else { return }
        session.setPaused(true, job, by: .terminal)
        Task { session.setPaused(false, job, by: .terminal) }
      case .widened: session.adjustConcurrency(by: 50)
      case .narrowed: session.adjustConcurrency(by: -width)
      }
    }
    let task = Task { [script] in await bench.run(script) }
    running.withLock { $0 = task }
    // A round that does not end would hold the test up for ever, and not say which it is.
    let late = Task {
      try await Task.sleep(for: .seconds(300))
      bench.session.cancelAll()
      task.cancel()
      Issue.record("it does not end:\n\(script)")
    }
    let failed = await task.value
    late.cancel()
    bench.session.cancelAll()
    await bench.session.jobsEnded()
    let limiter = bench.session.world.engine.limiter
    if limiter.inUse != 0 { return "\(limiter.inUse) permits are kept" }
    if happening != .widened, bench.model.mostLive > width { return "\(bench.model.mostLive) calls at once of \(width)" }
    if happening == .nothing || happening == .paused || happening == .widened || happening == .narrowed {
      if let failed { return failed.formatted() }
      if let rows, bench.output.lines.last != "rows \(rows)" { return "\(bench.output.lines) and not \(rows) rows" }
    }
    return nil
  }
}

private struct Seeded {
  private var state: UInt64
  init(_ seed: Int) { state = UInt64(seed) &+ 1 }
  mutating func below(_ count: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int((state >> 24) % UInt64(count))
  }
}
