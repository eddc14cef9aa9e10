import CCurl
import Testing
import Threads

@testable import Transport

/// How much the curl thread does before it looks at the network again.
@Suite struct LaunchTests {
  /// Takes a quarter of a slice to open what was added, and notes how much was added between two waits.
  private final class SlowDriver: MultiDriver {
    let wake: @Sendable () -> Void = {}
    let inbox: Inbox
    let wanted: Int
    var added = 0
    var sinceTurn = 0
    var perTurn: [Int] = []

    init(_ inbox: Inbox, stoppingAfter wanted: Int) {
      (self.inbox, self.wanted) = (inbox, wanted)
    }

    func add(_ easy: Easy) -> Int? {
      added += 1
      sinceTurn += 1
      return 0
    }

    func runDue() { spin() }

    func spin() {
      let end = monotonicNow() + CurlLoop.slice / 4
      while monotonicNow() < end {}
    }

    func turn(timeout: Int64?, woke: () -> Void) -> Bool {
      perTurn.append(sinceTurn)
      sinceTurn = 0
      if added == wanted { inbox.post(.stop) }
      return false
    }

    func remove(_ easy: Easy, shard: Int) {}
    func nextDone() -> (easy: Easy, code: CURLcode)? { nil }
    func kick(shard: Int) {}
    func didClose(fd: Int32) {}
    func close() {}
  }

  private final class Nobody: ResponseHandler {
    func received(head: ResponseHead) {}
    func received(body: UnsafeRawBufferPointer) -> BodyVerdict { .proceed }
    func turnEnded() {}
  }

  @Test func connectionsAreOpenedASliceAtATime() throws {
    try #require(cc_load() == nil)
    let transport = HTTPTransport()
    let inbox = Inbox()
    let request = HTTPRequest(HTTPAddress("http://127.0.0.1:1/"), method: .get, headers: HeaderList([]))
    let transfers = (0..<200).map { _ in Transfer(request, handler: Nobody(), transport: transport) }
    for transfer in transfers { inbox.post(.start(transfer)) }
    // Cancelled before its turn has come: it is over at once, and never begins.
    inbox.post(.cancel(transfers[150]))
    let driver = SlowDriver(inbox, stoppingAfter: 199)
    CurlLoop(inbox: inbox, driver: driver, settings: TransportSettings(), executor: transport).run()
    #expect(driver.added == 199)
    // Four quarters of a slice and the one that goes over it, eight each.
    #expect(driver.perTurn.allSatisfy { $0 <= 40 }, "\(driver.perTurn)")
    #expect(transfers.allSatisfy { $0.state == .done })
  }
}
