import TestSupport
import Testing
import Threads

@testable import Editor

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Every hand-over between two threads where one sleeps until the other has something for it, raced.
@Suite(.serialized) struct HandOverTests {
  static let rounds = 100_000

  /// What is posted and then woken for is seen, however the two run.
  @Test func noWakeUpIsLost() async throws {
    let wake = try #require(WakePipe())
    let posted = Atomic(0)
    let seen = Atomic(0)
    await together {
      for number in 1...Self.rounds {
        posted.store(number, ordering: .relaxed)
        wake.wake()
        // Every second one at once, so that wake-ups fall together with the reader's clearing; else when the one before is seen.
        if number % 2 == 0 { while seen.load(ordering: .acquiring) < number { sched_yield() } }
      }
    } and: {
      var last = 0
      while last < Self.rounds {
        var waiting = pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 20_000) == 1 else { return }
        _ = wake.clear()
        last = posted.load(ordering: .relaxed)
        seen.store(last, ordering: .releasing)
      }
    }
    #expect(seen.load(ordering: .relaxed) == Self.rounds)
  }

  /// A pipe that hears of signals is closed when no handler can still write to it: what gets its number then is sent none of their bytes.
  @Test func aPipeThatIsClosedHearsNothing() async {
    let isOver = Atomic(false)
    let strays = Atomic(0)
    await together {
      for _ in 0..<Self.rounds / 5 {
        WakePipe()?.receiveSignals()
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { continue }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        for _ in 0..<3 { sched_yield() }
        var byte: UInt8 = 0
        if read(ends[0], &byte, 1) > 0 { strays.add(1, ordering: .relaxed) }
        for end in ends { close(end) }
      }
      isOver.store(true, ordering: .releasing)
    } and: {
      while !isOver.load(ordering: .acquiring) { kill(getpid(), SIGWINCH) }
    }
    #expect(strays.load(ordering: .relaxed) == 0)
  }

  /// A bell that is rung while nobody waits is heard by whoever waits next.
  @Test func noRingIsLost() async {
    let (there, back) = (Bell(), Bell())
    let heard = Atomic(0)
    await together {
      for _ in 0..<Self.rounds {
        there.ring()
        back.wait()
      }
    } and: {
      for _ in 0..<Self.rounds {
        there.wait()
        heard.add(1, ordering: .relaxed)
        back.ring()
      }
    }
    #expect(heard.load(ordering: .relaxed) == Self.rounds)
  }

  /// Who asks returns only when a look came after it, and always returns.
  @Test func everyQuestionIsAcknowledged() async throws {
    let wake = try #require(WakePipe())
    let seen = Acknowledgement()
    let state = Atomic(0)
    let looked = Atomic(0)
    let missed = Atomic(0)
    let isOver = Atomic(false)
    await together {
      for number in 1...Self.rounds {
        state.store(number, ordering: .relaxed)
        let asked = seen.ask()
        wake.wake()
        seen.wait(for: asked)
        if looked.load(ordering: .relaxed) < number { missed.add(1, ordering: .relaxed) }
      }
      isOver.store(true, ordering: .relaxed)
      wake.wake()
    } and: {
      while !isOver.load(ordering: .relaxed) {
        let asked = seen.asked
        looked.store(state.load(ordering: .relaxed), ordering: .relaxed)
        seen.acknowledge(asked)
        var waiting = pollfd(fd: wake.readEnd, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, 20_000) == 1 else { return }
        _ = wake.clear()
      }
    }
    #expect(missed.load(ordering: .relaxed) == 0)
  }

  /// Nobody waits for a thread that has left, whether it left before the question or after.
  @Test func nobodyWaitsForWhoHasLeft() async {
    for _ in 0..<1000 {
      let seen = Acknowledgement()
      await together {
        let asked = seen.ask()
        seen.wait(for: asked)
      } and: {
        seen.leave()
      }
      seen.wait(for: seen.ask())
    }
  }
}
