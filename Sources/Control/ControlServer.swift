import JSON
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lets the owner of a session steer it from another process, through a socket in the file system.
///
/// One thread of its own waits for connections and bytes; it never runs what is asked for, and nobody who runs prompts ever waits for it.
public final class ControlServer: Sendable {
  /// At once; more are turned away.
  static let mostPeers = 64
  /// How long those who have not read everything yet hold up the end.
  private static let parting: Duration = .milliseconds(100)

  public typealias Handler = @Sendable (ControlRequest, ControlPeer) -> Void

  public let path: String
  private let waker: WakePipe
  private let peers = Mutex<[ControlPeer]>([])
  /// Why nobody is let in any more, once that is so.
  private let farewell = Mutex<String?>(nil)
  private let ended = Bell()

  /// Listens from now on.
  ///
  /// - Parameters:
  ///   - path: of the socket.
  ///   - folder: where it lies, if that is one for such sockets: it is made, and must be the user's alone.
  ///   - handler: runs on the control thread for each request, so it must return at once.
  /// - Throws: where nobody can be let in safely; it says why.
  public init(path: String, in folder: ControlFolder? = nil, handler: @escaping Handler) throws(ControlProblem) {
    try folder?.prepare()
    self.path = path
    let descriptor = try ControlSocket.listen(at: self.path)
    guard let waker = WakePipe() else {
      systemClose(descriptor)
      unlink(SystemText.bytes(self.path))
      throw ControlProblem("no pipe could be made: \(String(cString: strerror(errno)))")
    }
    self.waker = waker
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    guard startThread({ [self] in serve(descriptor, handler) }) else {
      systemClose(descriptor)
      unlink(SystemText.bytes(self.path))
      throw ControlProblem("the system gives no thread (`ulimit -u`)")
    }
  }

  /// Takes the socket away; every connection is closed. Returns when the thread has left.
  ///
  /// - Parameter why: what those who are connected are told.
  public func close(_ why: String = "the session has ended") {
    let isFirst = farewell.withLock { farewell in
      defer { farewell = farewell ?? why }
      return farewell == nil
    }
    guard isFirst else { return }
    waker.wake()
    ended.wait()
  }

  /// Whether anybody wants to see frames.
  public var isWatched: Bool { peers.withLock { $0 }.contains { $0.outgoing.withLock(\.isWatching) } }

  /// Shows everybody who watches the state as it is now.
  public func show(_ document: JSONValue) {
    let watching = peers.withLock { $0 }
    if watching.isEmpty { return }
    let frame = ControlMessage.status(document).json.line
    for peer in watching { peer.show(frame) }
  }

  // MARK: the control thread

  private struct Connection {
    let descriptor: Int32
    let peer: ControlPeer
    var lines = LineAssembler()
    var hasLeft = false
  }

  private func serve(_ listener: Int32, _ handler: Handler) {
    var connections: [Connection] = []
    defer {
      unlink(SystemText.bytes(path))
      systemClose(listener)
      let why = farewell.withLock { $0 } ?? "the session lets nobody in any more"
      for connection in connections { connection.peer.close(after: .closed(why)) }
      part(&connections)
      ended.ring()
    }
    // No descriptor is left for another connection: it is looked for again in a moment.
    var isFull = false
    while farewell.withLock({ $0 }) == nil {
      var waiting = [
        pollfd(fd: waker.readEnd, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isFull ? -1 : listener, events: Int16(POLLIN), revents: 0),
      ]
      for connection in connections {
        let writes = connection.peer.outgoing.withLock { !$0.isEmpty }
        let events = Int16(POLLIN) | (writes ? Int16(POLLOUT) : 0)
        waiting.append(pollfd(fd: connection.descriptor, events: events, revents: 0))
      }
      guard poll(&waiting, nfds_t(waiting.count), isFull ? 200 : -1) >= 0 || errno == EINTR else { return }
      if waiting[0].revents != 0 { waker.clear() }
      for index in connections.indices {
        if waiting[index + 2].revents & ~Int16(POLLOUT) != 0 { read(&connections[index], handler) }
        write(&connections[index])
      }
      for connection in connections where connection.hasLeft { systemClose(connection.descriptor) }
      if connections.contains(where: \.hasLeft) {
        connections.removeAll(where: \.hasLeft)
        let remaining = connections.map(\.peer)
        peers.withLock { $0 = remaining }
      }
      isFull = waiting[1].revents != 0 && !accept(listener, &connections)
    }
  }

  /// Closes every connection once it has read its last message, and those that do not read after a moment.
  private func part(_ connections: inout [Connection]) {
    let start = ContinuousClock.now
    while true {
      for index in connections.indices { write(&connections[index]) }
      for connection in connections where connection.hasLeft { systemClose(connection.descriptor) }
      connections.removeAll(where: \.hasLeft)
      if connections.isEmpty || start.duration(to: .now) > Self.parting { break }
      var waiting = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLOUT), revents: 0) }
      _ = poll(&waiting, nfds_t(waiting.count), 20)
    }
    for connection in connections { systemClose(connection.descriptor) }
  }

  /// - Returns: false where the system has no descriptor for those who wait.
  private func accept(_ listener: Int32, _ connections: inout [Connection]) -> Bool {
    while case let descriptor = systemAccept(listener), descriptor >= 0 {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      let owner = ControlSocket.peer(of: descriptor)
      let isOwner = owner?.user == geteuid()
      guard isOwner, connections.count < ControlServer.mostPeers else {
        let why = isOwner ? "\(ControlServer.mostPeers) others are connected already" : "this session belongs to another user"
        // A word before it is closed, where it can be had without waiting.
        let line = ControlMessage.refused(why).json.line
        _ = systemSend(descriptor, line[...])
        systemClose(descriptor)
        continue
      }
      let peer = ControlPeer(process: owner?.process) { [waker] in waker.wake() }
      connections.append(Connection(descriptor: descriptor, peer: peer))
      peers.withLock { $0.append(peer) }
    }
    return errno != EMFILE && errno != ENFILE
  }

  private func read(_ connection: inout Connection, _ handler: Handler) {
    var buffer = [UInt8](repeating: 0, count: 16 * 1024)
    let count = systemReceive(connection.descriptor, &buffer)
    if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR { connection.hasLeft = true }
    guard count > 0, !connection.peer.outgoing.withLock(\.isClosing) else { return }
    guard let lines = connection.lines.feed(buffer[..<count]) else {
      return connection.peer.close(after: .refused("a line is longer than \(LineAssembler.maximumLine >> 10) KiB"))
    }
    for line in lines {
      guard let request = ControlRequest(parsing: line) else {
        return connection.peer.close(after: .refused("this is not a request that a session knows"))
      }
      if case .watch(let isOn) = request { connection.peer.outgoing.withLock { $0.isWatching = isOn } }
      handler(request, connection.peer)
    }
  }

  private func write(_ connection: inout Connection) {
    let descriptor = connection.descriptor
    let isDone = connection.peer.outgoing.withLock { outgoing -> Bool in
      if outgoing.isOverfull { return true }
      while !outgoing.isEmpty {
        let count = systemSend(descriptor, outgoing.bytes[outgoing.sent...])
        if count < 0 { return errno != EAGAIN && errno != EINTR }
        outgoing.sent += count
      }
      return outgoing.isClosing
    }
    if isDone { connection.hasLeft = true }
  }
}
