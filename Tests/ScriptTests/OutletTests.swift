import Testing
import Threads

@testable import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The hand-over between those who leave something to be written and the thread that writes it.
@Suite struct OutletTests {
  /// Whoever waits until it is written is told of it, however the two run: 100,000 times, from several tasks at once.
  @Test func nobodyWaitsForEver() async throws {
    let nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC)
    defer { close(nowhere) }
    let waiting = Handed()
    let outlet = Outlet(nowhere, named: "nowhere") { waiting.take() }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<4 {
        group.addTask {
          for _ in 0..<25_000 {
            waiting.add()
            await outlet.drained()
          }
        }
      }
    }
    #expect(waiting.added == 100_000 && waiting.taken == 100_000)
  }

  /// A reader who has stopped holds up a task only until that is cancelled.
  @Test func aCancelledTaskWaitsNoMore() async throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    // Programs that other tests start meanwhile must not keep it open.
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let left = Mutex([UInt8](repeating: 0, count: 1 << 20))
    let outlet = Outlet(ends[1], named: "a pipe") {
      left.withLock { bytes in
        defer { bytes = [] }
        return bytes
      }
    }
    let task = Task { await outlet.drained() }
    // Some of it has been written: the thread stands before the rest.
    var byte: UInt8 = 1
    #expect(read(ends[0], &byte, 1) == 1)
    task.cancel()
    await task.value
    close(ends[0])
  }

  private final class Handed: Sendable {
    private let state = Mutex((bytes: [UInt8](), added: 0, taken: 0))
    var added: Int { state.withLock { $0.added } }
    var taken: Int { state.withLock { $0.taken } }

    func add() {
      state.withLock { state in
        state.bytes.append(0)
        state.added += 1
      }
    }

    func take() -> [UInt8] {
      state.withLock { state in
        defer { state.bytes = [] }
        state.taken += state.bytes.count
        return state.bytes
      }
    }
  }
}
