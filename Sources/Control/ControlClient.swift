import JSON
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The other end: connects to a session, sends requests, reads what comes back. For a thread that may wait.
public final class ControlClient: Sendable {
  public let descriptor: Int32

  /// - Throws: where nobody listens at the path, or another user does.
  public init(path: String) throws(ControlProblem) {
    descriptor = try ControlSocket.connect(to: path)
    // A socket that somebody planted must not hear what its owner types.
    guard ControlSocket.peer(of: descriptor)?.user == geteuid() else {
      systemClose(descriptor)
      throw ControlProblem("\(path): another user listens there")
    }
  }

  deinit { systemClose(descriptor) }

  /// False where the session has gone.
  @discardableResult
  public func send(_ request: ControlRequest) -> Bool {
    var rest = request.json.line[...]
    while !rest.isEmpty {
      let count = systemSend(descriptor, rest)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Ends every wait in `read`.
  func hangUp() { shutdown(descriptor, Int32(SHUT_RDWR)) }

  /// Why `read` came to its end.
  public enum End: Sendable {
    /// `body` has what it wanted.
    case done
    /// Nothing came for as long as was to be waited.
    case silent
    /// The session has gone, or says what no session says.
    case gone
  }

  private struct Incoming {
    var assembler = LineAssembler(maximum: ControlPeer.mostPending * 2)
    /// Came with the message that ended the last `read`.
    var rest: [[UInt8]] = []
  }

  private let incoming = Mutex(Incoming())

  /// Calls `body` for each message until it answers false, or the session has gone. For one thread at a time.
  ///
  /// - Parameter seconds: how long to wait for the next one; nil for ever.
  public func read(within seconds: Int? = nil, _ body: (ControlMessage) -> Bool) -> End {
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      while let line = incoming.withLock({ $0.rest.isEmpty ? nil : $0.rest.removeFirst() }) {
        guard let message = ControlMessage(parsing: line) else { return .gone }
        if !body(message) { return .done }
      }
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, seconds.map { Int32($0) * 1000 } ?? -1)
      if ready < 0, errno == EINTR { continue }
      if ready == 0 { return .silent }
      guard ready > 0, case let count = systemReceive(descriptor, &buffer), count > 0 else { return .gone }
      let isWhole = incoming.withLock { incoming in
        guard let complete = incoming.assembler.feed(buffer[..<count]) else { return false }
        incoming.rest = complete
        return true
      }
      if !isWhole { return .gone }
    }
  }
}
