import TestSupport
import Testing
import Threads

/// How far a run into a file goes on beyond a row that is slow: 32 times the limit, which may be raised meanwhile.
@Suite struct WindowTests {
  @Test func aSlowRowHoldsUpNobodyWithinTheWindow() async throws {
    let folder = try Scratch()
    let others = Mutex(0)
    let enough = Opening()
    let inTime = Atomic(false)
    let server = try ChatServer { call in
      if call.prompt == "row 1" {
        // The limit is 64 by then: 2,048 rows, this one among them.
        inTime.store(enough.wait(), ordering: .relaxed)
      } else if call.prompt.hasPrefix("row") {
        let count = others.withLock { count in
          count += 1
          return count
        }
        if count == 2000 { enough.open() }
      }
      call.answer("<\(call.prompt)>")
      return true
    }
    let script = """
      set model openai/m
      set concurrency 8
      map 1..2200 "row {it}" | save "\(folder.path)/rows.jsonl" &
      ask "go"
      set concurrency 64
      gather
      print len(load "\(folder.path)/rows.jsonl")
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0 && result.output.hasSuffix("\n2200\n"), "\(result)")
    let isInTime = inTime.load(ordering: .relaxed)
    #expect(isInTime, "\(others.withLock { $0 }) rows beside the slow one")
  }
}
