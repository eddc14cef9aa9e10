import TestSupport
import Testing
import Threads

/// Rows that were cancelled half-way stand in the result: with what had come of them, with the calls that they took, and so that
/// `retry` makes them again.
@Suite struct CancelledRowTests {
  /// Two calls are in the middle of their answers, in the second step of two rows.
  @Test(arguments: [
    "map 1..4 \"one {it}\" | map \"two {text}\"", "each 1..4 f", "map 1..4 \"one {it}\" | each g", "each 1..4 h", "map 1..4 \"{f(it)}!\"",
  ])
  func staysAndIsMadeAgain(_ line: String) async throws {
    let (ready, over) = (Opening(), Opening())
    let state = Mutex((seen: 0, isOver: false))
    let server = try ChatServer { call in
      switch call.prompt {
      case "seen":
        let isSecond = state.withLock { state in
          state.seen += 1
          return state.seen == 2
        }
        if isSecond { ready.open() }
      case "go": _ = ready.wait()
      case "after":
        state.withLock { $0.isOver = true }
        over.open()
      case _ where call.prompt.hasPrefix("two") && !state.withLock({ $0.isOver }):
        // Half of an answer, and no more.
        call.beginStream()
        call.piece("half")
        _ = over.wait()
        return false
      default: break
      }
      call.answer("<\(call.prompt)>")
      return true
    }
    // A row's tokens are read before the script goes on.
    let script = """
      set model openai/m
      set retries 0
      set concurrency 2
      def f(x) { let a = ask "one {x}"
        return ask "two {a}" }
      def g(x) { return ask "two {x}" }
      def h(x) { let a = map [x] "one {it}" | map "two {text}"
        return a[0] }
      on token { if event.text == "half" { ask "seen" } }
      let j = \(line) &
      set concurrency 2 for j
      set concurrency 8
      ask "go"
      off token
      cancel j
      let r = gather j
      ask "after"
      for x in r { print x.error.kind x.partial x.calls }
      retry r
      print r[3].text len(failed(r))
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    let lines = result.output.split(separator: "\n").map(String.init)
    let rows = lines.filter { $0.hasPrefix("cancelled") || $0.hasPrefix("not-sent") }
    // A prompt that a function makes has no answer of its own yet.
    let half = line.contains("!") ? "cancelled nothing 2" : "cancelled half 2"
    #expect(rows.count == 4 && rows.count { $0 == half } >= 2, "\(result)")
    let text = line.contains("!") ? "<<two <one 4>>!>" : "<two <one 4>>"
    #expect(lines.last == "\(text) 0" && result.status == 0, "\(result)")
    let summary = result.errors.split(separator: "\n").first { $0.contains(" j: ") }.map(String.init) ?? ""
    #expect(
      Self.number(in: summary, before: ["rows failed", "row failed"]) + Self.number(in: summary, before: ["rows not", "row not"]) == 4,
      "\(summary)")
  }

  private static func number(in text: String, before words: [String]) -> Int {
    for word in words {
      if let range = text.ranges(of: " \(word)").first { return Int(text[..<range.lowerBound].split(separator: " ").last ?? "") ?? 0 }
    }
    return 0
  }
}
