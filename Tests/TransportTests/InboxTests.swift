import TestSupport
import Testing
import Threads

@testable import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The door to the curl thread: whatever is posted is taken, however it falls together with the thread's going to sleep.
@Suite struct InboxTests {
  @Test func noCommandIsLost() async {
    let rounds = 100_000
    let inbox = Inbox()
    let bell = Bell()
    inbox.setWake { bell.ring() }
    let taken = Atomic(0)
    await together {
      for number in 1...rounds {
        inbox.post(.stop)
        // Now and then the taker is let run dry, so that it sleeps.
        if number % 2 == 0 { while taken.load(ordering: .acquiring) < number { sched_yield() } }
      }
    } and: {
      var commands: [Command] = []
      while taken.load(ordering: .relaxed) < rounds {
        inbox.take(into: &commands)
        taken.add(commands.count, ordering: .releasing)
        if commands.isEmpty, inbox.fallAsleep() {
          bell.wait()
          inbox.awake()
        }
      }
    }
    #expect(taken.load(ordering: .relaxed) == rounds)
  }
}
