#if os(Linux)
  import CCurl
  import Glibc

  /// `curl_multi_socket_action` over epoll, with a multi ("shard") for every 256 live transfers.
  ///
  /// Two things in libcurl grow with the number of connections: poll's list of descriptors and the search for a connection to
  /// reuse. This has neither: at 4,096 connections a request costs 35 µs instead of 68.
  final class EpollDriver: MultiDriver {
    static let shardCapacity = 256

    private let mostConnections: Int?
    private let epoll: Int32
    private let eventfd: Int32
    let wake: @Sendable () -> Void
    private var shards: [Shard] = []
    private var sockets: [Socket?] = []
    private var ready = [cc_ready](repeating: cc_ready(), count: 512)
    /// Who opened a socket that has yet to carry a request.
    private var openers: [Int32: Transfer] = [:]
    private var opening: [cc_ready] = []

    /// One multi, its timer and how many transfers it carries.
    private final class Shard {
      let multi: Multi
      let index: Int
      unowned let driver: EpollDriver
      var live = 0
      var deadline: Int64?
      /// Something happened: it may have finished transfers to read.
      var ran = false

      init?(index: Int, driver: EpollDriver) {
        guard let multi = cc_multi_init() else { return nil }
        self.multi = multi
        self.index = index
        self.driver = driver
        // More than it can carry: a dip in concurrency must not close warm connections.
        _ = cc_multi_set_long(multi, CURLMOPT_MAXCONNECTS, EpollDriver.shardCapacity + 64)
        if let most = driver.mostConnections { _ = cc_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, most) }
        _ = cc_multi_set_long(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX)
        _ = cc_multi_set_callbacks(
          multi,
          { easy, socket, what, context, _ in
            let shard = Unmanaged<Shard>.fromOpaque(context!).takeUnretainedValue()
            shard.driver.want(what == CURL_POLL_REMOVE ? 0 : what, of: socket, shard: shard.index, for: easy)
            return 0
          },
          { _, milliseconds, context in
            let shard = Unmanaged<Shard>.fromOpaque(context!).takeUnretainedValue()
            shard.deadline = milliseconds < 0 ? nil : monotonicNow() + Int64(milliseconds) * 1_000_000
            return 0
          }, Unmanaged.passUnretained(self).toOpaque())  // the shard outlives its multi: both end in `close`
      }
    }

    private struct Socket {
      var registered: Int32
      var wanted: Int32
      var shard: Int
      /// Still connecting or shaking hands: what happens on it costs up to a millisecond (TLS), and nobody reads of it.
      var isOpening: Bool
    }

    init?(mostConnections: Int? = nil) {
      self.mostConnections = mostConnections
      epoll = cc_epoll_create()
      let eventfd = cc_eventfd_create()
      self.eventfd = eventfd
      wake = {
        var one: UInt64 = 1
        _ = write(eventfd, &one, 8)
      }
      guard epoll >= 0, eventfd >= 0, cc_epoll_set(epoll, eventfd, CURL_POLL_IN, 0) == 0 else { return nil }
    }

    func add(_ easy: Easy) -> Int? {
      var shard = shards.first { $0.live < Self.shardCapacity }
      if shard == nil, let new = Shard(index: shards.count, driver: self) {
        shards.append(new)
        shard = new
      }
      guard let shard, cc_multi_add(shard.multi, easy) == CURLM_OK else { return nil }
      shard.live += 1
      return shard.index
    }

    func remove(_ easy: Easy, shard: Int) {
      _ = cc_multi_remove(shards[shard].multi, easy)
      shards[shard].live -= 1
    }

    /// Keep-alive takes a socket out and puts it back for every request; registering lazily saves two system calls each time.
    private func want(_ events: Int32, of fd: Int32, shard: Int, for easy: Easy?) {
      let index = Int(fd)
      while sockets.count <= index { sockets.append(nil) }
      var socket = sockets[index] ?? opened(fd, shard, easy)
      socket.wanted = events
      socket.shard = shard
      if events != 0, socket.registered != events {
        if cc_epoll_set(epoll, fd, events, socket.registered == 0 ? 0 : 1) == 0 { socket.registered = events }
      }
      sockets[index] = socket
    }

    private func opened(_ fd: Int32, _ shard: Int, _ easy: Easy?) -> Socket {
      if let context = easy.flatMap({ cc_easy_get_ptr($0, CURLINFO_PRIVATE) }) {
        openers[fd] = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      }
      return Socket(registered: 0, wanted: 0, shard: shard, isOpening: true)
    }

    /// The request is on its way, or nobody waits for it any more.
    private func settle(_ fd: Int32) {
      if let easy = openers[fd]?.easy, cc_easy_get_off(easy.handle, CURLINFO_PRETRANSFER_TIME_T) == 0 { return }
      openers[fd] = nil
      if Int(fd) < sockets.count { sockets[Int(fd)]?.isOpening = false }
    }

    func didClose(fd: Int32) {
      // The kernel forgets a closed descriptor by itself; the number may come back as another socket at once.
      guard fd >= 0, Int(fd) < sockets.count, let socket = sockets[Int(fd)] else { return }
      if socket.isOpening { openers[fd] = nil }
      sockets[Int(fd)] = nil
    }

    func turn(timeout: Int64?, woke: () -> Void) -> Bool {
      let now = monotonicNow()
      let due = shards.compactMap(\.deadline).min().map { max(0, $0 - now) }
      let wait = [timeout, due].compactMap { $0 }.min() ?? -1
      let count = ready.withUnsafeMutableBufferPointer { cc_epoll_wait(epoll, $0.baseAddress!, Int32($0.count), wait) }
      woke()
      for index in 0..<max(0, Int(count)) {
        let (fd, events) = (ready[index].fd, ready[index].events)
        if fd == eventfd {
          var value: UInt64 = 0
          _ = read(eventfd, &value, 8)
          continue
        }
        if Int(fd) < sockets.count, sockets[Int(fd)]?.isOpening == true {
          opening.append(ready[index])
        } else {
          act(on: fd, events)
        }
      }
      let openedAll = openSome()
      runDue()
      return Int(count) == ready.count || !openedAll
    }

    /// What arrives on a stream goes before the handshakes of a thousand others, which take the time that is theirs: what is left over
    /// is told of again by the next wait.
    ///
    /// - Returns: whether nothing was left over.
    private func openSome() -> Bool {
      var done = 0
      if !opening.isEmpty {
        let end = monotonicNow() + CurlLoop.slice
        for event in opening {
          act(on: event.fd, event.events)
          settle(event.fd)
          done += 1
          if monotonicNow() >= end { break }
        }
      }
      defer { opening.removeAll(keepingCapacity: true) }
      return done == opening.count
    }

    private func act(on fd: Int32, _ events: Int32) {
      guard Int(fd) < sockets.count, let socket = sockets[Int(fd)] else { return }
      if socket.wanted == 0 {
        _ = cc_epoll_set(epoll, fd, 0, 1)
        sockets[Int(fd)]?.registered = 0
        return
      }
      shards[socket.shard].ran = true
      _ = cc_multi_socket_action(shards[socket.shard].multi, fd, events)
    }

    func runDue() {
      let now = monotonicNow()
      for shard in shards {
        if let deadline = shard.deadline, deadline <= now { kick(shard: shard.index) }
      }
    }

    func kick(shard index: Int) {
      let shard = shards[index]
      shard.deadline = nil
      shard.ran = true
      _ = cc_multi_socket_action(shard.multi, CURL_SOCKET_TIMEOUT_VALUE, 0)
    }

    func nextDone() -> (easy: Easy, code: CURLcode)? {
      var code = CURLE_OK
      for shard in shards where shard.ran {
        if let easy = cc_multi_next_done(shard.multi, &code) { return (easy, code) }
        shard.ran = false
      }
      return nil
    }

    func close() {
      for shard in shards { _ = cc_multi_cleanup(shard.multi) }
      shards = []
      openers = [:]
      _ = Glibc.close(eventfd)
      _ = Glibc.close(epoll)
    }
  }

  /// `CURL_SOCKET_TIMEOUT` is a cast macro, which does not import.
  private let CURL_SOCKET_TIMEOUT_VALUE: curl_socket_t = -1
#endif
