import NIOCore
import NIOHTTP1
import NIOPosix
import Threads

/// The built-in model server: OpenAI's chat completions on a loopback port, with realistic timing and faults on request. Requests
/// reach it over the same wire as any other server.
public final class SimulatorServer: Sendable {
  public let port: Int
  public let log: SimulatorLog
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel

  private init(port: Int, log: SimulatorLog, group: MultiThreadedEventLoopGroup, channel: any Channel) {
    self.port = port
    self.log = log
    self.group = group
    self.channel = channel
  }

  public var baseURL: String { "http://127.0.0.1:\(port)/v1" }

  /// - Parameter port: 0 takes a free one.
  /// - Throws: what binding the port threw, e.g. that it is in use.
  public static func start(port: Int = 0, faults: Faults = .usual, allowance: Allowance? = nil) async throws -> SimulatorServer {
    if let problem = lack { throw problem }
    let book = allowance.map(AllowanceBook.init)
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let log = SimulatorLog()
    let models = SimulatedModel.all(faults: faults)
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
          try channel.pipeline.syncOperations.addHandler(SimulatorHandler(models: models, log: log, allowance: book))
        }
      }
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    do {
      let channel = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
      return SimulatorServer(port: channel.localAddress?.port ?? port, log: log, group: group, channel: channel)
    } catch {
      try? await group.shutdownGracefully()
      throw error
    }
  }

  /// SwiftNIO ends the program where it gets no thread or descriptor for its loop: whether they are there is looked at first.
  private static var lack: Lack? {
    guard ThreadProbe.hasThreads(2) else { return Lack(description: "the system gives it no threads (`ulimit -u`, `ulimit -v`)") }
    // Its loop, its socket, a connection and our side of it, and what a file or a name takes meanwhile.
    guard OpenFiles.free(atMost: 16) == 16 else {
      return Lack(description: "the system gives it no open files; raise `ulimit -n`, to 64 at least")
    }
    return nil
  }

  struct Lack: Error, CustomStringConvertible { var description: String }

  public func stop() async throws {
    try await channel.close()
    try await group.shutdownGracefully()
  }

  /// Returns when the server's socket closes.
  public func waitUntilClosed() async throws {
    try await channel.closeFuture.get()
  }
}

/// What the server saw: the other side's word in tests.
public final class SimulatorLog: Sendable {
  public struct Counts: Sendable, Equatable {
    public var requests = 0
    public var completed = 0
    public var refused = 0
    /// Streams that the client closed before their end.
    public var abandoned = 0
    public var live = 0
    public var mostLive = 0
  }

  private let guarded = Mutex((counts: Counts(), seen: [UInt64: Int]()))

  public var counts: Counts { guarded.withLock { $0.counts } }

  func began() {
    guarded.withLock {
      $0.counts.requests += 1
      $0.counts.live += 1
      $0.counts.mostLive = max($0.counts.mostLive, $0.counts.live)
    }
  }

  func ended(_ outcome: WritableKeyPath<Counts, Int>) {
    guarded.withLock {
      $0.counts.live -= 1
      $0.counts[keyPath: outcome] += 1
    }
  }

  /// How often this prompt has come before: a retry draws a new fault. Bounded; forgetting only repeats a draw.
  func occurrence(of prompt: UInt64) -> Int {
    guarded.withLock {
      if $0.seen.count > 200_000 { $0.seen.removeAll() }
      $0.seen[prompt, default: 0] += 1
      return $0.seen[prompt, default: 1] - 1
    }
  }
}
