import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A server on loopback that answers each connection with whatever bytes a test wants: the faults no honest server would make.
/// One thread a connection; it ends with the test.
public final class RawServer: Sendable {
  public struct Connection: Sendable {
    public let descriptor: Int32

    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }
    /// False where the client has gone.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
      var offset = 0
      while offset < bytes.count {
        let count = bytes.withUnsafeBytes { systemSend(descriptor, $0.baseAddress! + offset, $0.count - offset, Int32(MSG_NOSIGNAL)) }
        if count <= 0 { return false }
        offset += count
      }
      return true
    }

    /// One request's head and body; nil when the client has closed.
    public func request() -> String? {
      var bytes: [UInt8] = []
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        let text = String(decoding: bytes, as: UTF8.self)
        if let end = text.ranges(of: "\r\n\r\n").first {
          let length =
            text.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }.flatMap {
              Int($0.dropFirst(15).filter(\.isNumber))
            } ?? 0
          if text[end.upperBound...].utf8.count >= length { return text }
        }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count <= 0 { return nil }
        bytes += buffer[..<count]
      }
    }

    /// Returns when the client closes its end.
    public func waitForClose() {
      var buffer = [UInt8](repeating: 0, count: 4096)
      while recv(descriptor, &buffer, buffer.count, 0) > 0 {}
    }

    /// Whether the client closes its end within so many milliseconds.
    public func hasClosed(within milliseconds: Int32) -> Bool {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, milliseconds) > 0 else { return false }
      var byte: UInt8 = 0
      return recv(descriptor, &byte, 1, Int32(MSG_PEEK)) <= 0
    }

    /// Ends the connection for the client, also where a program that was started meanwhile has a copy of the descriptor. One that is to
    /// be reset ends when it is closed.
    fileprivate func finish() {
      var option = linger()
      var size = socklen_t(MemoryLayout<linger>.size)
      getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, &size)
      if option.l_onoff == 0 { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Closes with a reset instead of an orderly end.
    public func reset() {
      var option = linger(l_onoff: 1, l_linger: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }
  }

  public let port: Int
  /// Ends the thread that accepts.
  private let over: (read: Int32, write: Int32)
  private let isClosed = Bell()
  private let accepted: Tally
  public var connections: Int { accepted.count.withLock { $0 } }

  private final class Tally: Sendable { let count = Mutex(0) }

  /// - Parameters:
  ///   - port: 0 for any that is free; another for a server that comes back.
  ///   - answer: deals with one connection, whose number (from 1) it is told; the connection is closed when it returns.
  public init(port: Int = 0, _ answer: @escaping @Sendable (Connection, Int) -> Void) throws {
    let listener = Spawn.marked({ socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }) { [$0] }
    // Whoever connected may have gone again before it is accepted.
    _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    var isReused: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_port = in_port_t(port).bigEndian
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
        bind(listener, raw, size) == 0 && listen(listener, 128) == 0 && getsockname(listener, raw, &size) == 0
      }
    }
    guard bound else {
      close(listener)
      throw Failed()
    }
    self.port = Int(UInt16(bigEndian: address.sin_port))
    let (over, accepted) = (try Spawn.pipe(), Tally())
    (self.over, self.accepted) = (over, accepted)
    startThread { [isClosed] in
      while !waitForInput(listener, wake: over.read).isWoken {
        // Programs that other tests start must not hold it open.
        let descriptor = Spawn.marked({ accept(listener, nil, nil) }) { [$0] }
        guard descriptor >= 0 else { continue }
        _ = fcntl(descriptor, F_SETFL, 0)
        let number = accepted.count.withLock { count in
          count += 1
          return count
        }
        // Each piece goes when it is sent, as servers of streams have it: else a short one waits 40 ms for a word of the other side's.
        var isAtOnce: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isAtOnce, socklen_t(MemoryLayout<Int32>.size))
        startThread {
          let connection = Connection(descriptor: descriptor)
          answer(connection, number)
          connection.finish()
          close(descriptor)
        }
      }
      // Here alone: its number may be another's as soon as it is closed.
      close(listener)
      close(over.read)
      isClosed.ring()
    }
  }

  /// Nobody listens any more when this returns.
  deinit {
    close(over.write)
    isClosed.wait()
  }

  public struct Failed: Error {}

  public var url: String { "http://127.0.0.1:\(port)/v1" }
}

private func systemSend(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int, _ flags: Int32) -> Int {
  #if canImport(Glibc)
    Glibc.send(descriptor, bytes, count, flags)
  #else
    Darwin.send(descriptor, bytes, count, flags)
  #endif
}
