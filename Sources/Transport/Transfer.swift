import CCurl
import Threads

/// One request on its way. Made by `HTTPTransport.transfer`, run once.
///
/// `@unchecked Sendable`: `request`, `transport` and `body` never change; everything below the mark belongs to the curl thread
/// alone, and `run` reads `result` only after that thread has resumed it.
public final class Transfer: @unchecked Sendable {
  let request: HTTPRequest
  /// The body where libcurl may point at it for as long as the transfer lives.
  let body: UnsafeMutableRawBufferPointer?
  private let transport: HTTPTransport
  let handover = Handover()

  // MARK: the curl thread's
  var handler: (any ResponseHandler)?
  var continuation: UnsafeContinuation<TransferResult, Never>?
  var state = State.new
  /// The loop that carries it, while it does.
  var loop: CurlLoop?
  var easy: PooledEasy?
  var proxy: ProxyServer?
  var shard = 0
  /// Where it stands in the loop's list of live transfers.
  var position = -1
  var head = HeadParser()
  var received = 0
  var started: Int64 = 0
  /// Time that counts against no deadline.
  var excused: Int64 = 0
  var lastActivity: Int64 = 0
  var isPaused = false
  var isDirty = false
  var didRetryStale = false
  /// The handler has all it wanted.
  var isComplete = false
  /// Since when a deadline is over, and what had been received then.
  var overdue: (at: Int64, received: Int)?
  /// Bytes that came after the answer was handed over.
  var spare = 0
  /// Why we ended it, where it was us.
  var ending: TransportError?

  var host: HostKey? { request.address.host }

  /// Nothing of what was asked for has come.
  var isWaiting: Bool { received == 0 || handler?.isWaiting ?? false }

  /// `lingering`: its answer has been handed over, and it may end by itself.
  enum State { case new, waiting, live, lingering, done }

  /// How long it may, in nanoseconds, and how many bytes may come meanwhile.
  static let lingering: Int64 = 250_000_000
  static let maximumSpare = 64 << 10

  init(_ request: HTTPRequest, handler: any ResponseHandler, transport: HTTPTransport) {
    self.request = request
    self.handler = handler
    self.transport = transport
    if case .post(let bytes) = request.method {
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 1)
      copy.copyBytes(from: bytes)
      body = UnsafeMutableRawBufferPointer(rebasing: copy[..<bytes.count])
    } else {
      body = nil
    }
  }

  deinit {
    body?.deallocate()
  }

  /// Carries the request out. Cancelling the task closes its stream (HTTP/1: the connection) at once and returns `.cancelled`.
  public func run() async -> TransferResult {
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        self.continuation = continuation
        transport.post(.start(self))
      }
    } onCancel: {
      transport.post(.cancel(self))
    }
    handover.take()
    return result
  }

  /// Lets a paused transfer read on. From any thread.
  public func resume() {
    transport.post(.resume(self))
  }
}

/// Collects header lines until the blank one; starts anew at each status line (1xx answers come before the real one).
struct HeadParser {
  private(set) var status = 0
  private var raw: [UInt8] = []
  private(set) var isDelivered = false
  private(set) var total = 0

  /// Takes one line; returns the head when it is complete and final.
  mutating func line(_ bytes: UnsafeRawBufferPointer) -> ResponseHead? {
    total += bytes.count
    if bytes.count > 5, bytes[4] == UInt8(ascii: "/"), bytes.starts(with: "HTTP/".utf8) {
      raw.removeAll(keepingCapacity: true)
      raw.reserveCapacity(512)
      isDelivered = false
      status = HeadParser.status(bytes)
      return nil
    }
    if isDelivered { return nil }  // trailers
    let isBlank = bytes.allSatisfy { $0 == 0x0D || $0 == 0x0A }
    guard isBlank else {
      raw.append(contentsOf: bytes)
      return nil
    }
    guard status >= 200 else { return nil }
    isDelivered = true
    return ResponseHead(status: status, raw: raw)
  }

  private static func status(_ line: UnsafeRawBufferPointer) -> Int {
    var value = 0
    for byte in line.drop(while: { $0 != 0x20 }).dropFirst().prefix(while: { (0x30...0x39).contains($0) }).prefix(3) {
      value = value * 10 + Int(byte - 0x30)
    }
    return value
  }
}
