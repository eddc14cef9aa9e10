import CCurl

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What runs on the curl thread: the only owner of every libcurl handle. Not Sendable; made and used on that thread alone.
///
/// A turn: take commands (start, cancel, resume, run a task's job) → begin transfers, for 2 ms at most → collect what finished → wake
/// consumers once each → wait.
final class CurlLoop {
  private let inbox: Inbox
  private let driver: any MultiDriver
  private let settings: TransportSettings
  private let executor: HTTPTransport
  private let proxy = Proxy.fromEnvironment()
  private let share = cc_share_init()
  private var idleHandles: [PooledEasy] = []
  private var live: [Transfer] = []
  var dirty: [Transfer] = []
  private var hosts: [HostKey: HostState] = [:]
  /// Transfers whose host has just been resolved.
  private var released: [Transfer] = []
  /// Transfers that may begin, in order.
  private var ready = LaunchQueue()
  /// What was asked for, and how much of it is done.
  private var commands: [Command] = []
  private var nextCommand = 0
  private var gates = ProxyGates()
  /// Transfers for which there was no descriptor.
  private var crowded: [Transfer] = []
  private var nextSweep: Int64 = .max
  /// The last turn may have left bytes unread.
  private var hasBacklog = false
  private var stopping = false
  /// The clock, read once a turn: what arrives within one arrives now.
  private(set) var now = monotonicNow()

  /// 4,000 simultaneous starts would make 4,000 lookups on a thread each (4.2 GB): the first request to a name goes alone until
  /// its socket opens.
  private enum HostState {
    case resolving(waiting: [Transfer])
    case ready
  }

  init(inbox: Inbox, driver: any MultiDriver, settings: TransportSettings, executor: HTTPTransport) {
    self.inbox = inbox
    self.driver = driver
    self.settings = settings
    self.executor = executor
  }

  func run() {
    inbox.setWake(driver.wake)
    var looked = monotonicNow()
    while !stopping {
      takeCommands()
      releaseResolved()
      launchSome()
      collectFinished()
      endTurns()
      let late = monotonicNow() - nextSweep
      // What waits in sockets is read before deadlines are looked at, within reason.
      if late >= 0, !hasBacklog || late > 1_000_000_000 { sweep() }
      // Declared asleep only when there is nothing to do: a post before this is seen now, one after it wakes the driver.
      let mayWait = released.isEmpty && ready.isEmpty && nextCommand == commands.count && inbox.fallAsleep()
      let wait = mayWait ? timeToSweep : 0
      hasBacklog = driver.turn(timeout: wait) { now = monotonicNow() }
      inbox.awake()
      now = monotonicNow()
      if let wait { excuse(now - looked - wait) }
      looked = now
      collectFinished()
      endTurns()
    }
    for transfer in live { end(transfer, with: .cancelled) }
    for transfer in crowded where transfer.state == .waiting { finish(transfer, error: .cancelled) }
    while let transfer = ready.next() { if transfer.state == .waiting { finish(transfer, error: .cancelled) } }
    endTurns()
    idleHandles = []
    driver.close()
    if let share { cc_share_cleanup(share) }
    drainAfterStop()
  }

  /// Does what is asked for, for a slice of time: the jobs of a thousand rows that begin at once are 20 ms. What a job asks for in turn
  /// is taken at once too, not after a wait that would end at once.
  private func takeCommands() {
    let end = monotonicNow() + Self.slice
    repeat {
      for _ in 0..<8 {
        if nextCommand == commands.count {
          nextCommand = 0
          inbox.take(into: &commands)
          if commands.isEmpty { return }
        }
        let command = commands[nextCommand]
        nextCommand += 1
        perform(command)
      }
    } while !stopping && monotonicNow() < end
  }

  private var timeToSweep: Int64? {
    live.isEmpty || nextSweep == .max ? nil : max(0, nextSweep - monotonicNow())
  }

  private func perform(_ command: Command) {
    switch command {
    case .start(let transfer): start(transfer)
    case .cancel(let transfer): cancel(transfer)
    case .resume(let transfer):
      guard transfer.state == .live, transfer.isPaused, let easy = transfer.easy else { return }
      transfer.isPaused = false
      transfer.lastActivity = monotonicNow()
      _ = cc_easy_pause(easy.handle, CURLPAUSE_CONT)
      if transfer.state == .live { driver.kick(shard: transfer.shard) }
    case .job(let job): job.runSynchronously(on: executor.asUnownedTaskExecutor())
    case .stop: stopping = true
    }
  }

  // MARK: starting

  private func start(_ transfer: Transfer) {
    guard transfer.state == .new else { return finish(transfer, error: .cancelled) }  // cancelled before it started
    transfer.started = now
    transfer.lastActivity = now
    guard let host = transfer.host else {
      return finish(transfer, error: .badURL("not an http or https address: \(transfer.request.address.url.prefix(200))"))
    }
    transfer.state = .waiting
    switch proxy.route(to: host) {
    case .impossible(let words): return finish(transfer, error: .badURL(words))
    case .via(let server):
      transfer.proxy = server
      switch gates.enter(transfer, server) {
      case .open: return ready.append(transfer)
      case .waits: return
      case .refused: return finish(transfer, error: .proxyRefused(server.refusal))
      }
    case .direct: break
    }
    if host.isAddress || host.isLoopback { return ready.append(transfer) }
    switch hosts[host] {
    case .ready: ready.append(transfer)
    case .resolving(var waiting):
      hosts[host] = .resolving(waiting: [])
      waiting.append(transfer)
      hosts[host] = .resolving(waiting: waiting)
    case nil:
      hosts[host] = .resolving(waiting: [])
      ready.append(transfer)
    }
  }

  /// A thousand connections opened in one go take 50 to 100 ms, in which no stream moves: they are opened a slice at a time.
  static let slice: Int64 = 2_000_000

  private func launchSome() {
    if ready.isEmpty { return }
    let end = monotonicNow() + Self.slice
    repeat {
      for _ in 0..<8 { if let transfer = ready.next() { launch(transfer) } }
      // libcurl connects when its timer says so, which is at once: what was added goes out now, and its time is counted.
      driver.runDue()
    } while !ready.isEmpty && monotonicNow() < end
  }

  private func launch(_ transfer: Transfer) {
    // It may have been cancelled meanwhile.
    guard transfer.state == .waiting else { return }
    let context = Unmanaged.passUnretained(driver as AnyObject).toOpaque()
    guard let easy = idleHandles.popLast() ?? PooledEasy(share: share, driver: context, settings: settings) else {
      return finish(transfer, error: .connection("libcurl could not make a handle"))
    }
    easy.prepare(for: transfer, fresh: transfer.didRetryStale)
    guard let shard = driver.add(easy.handle) else {
      return finish(transfer, error: .connection("libcurl did not take the request"))
    }
    transfer.easy = easy
    transfer.loop = self
    transfer.shard = shard
    transfer.state = .live
    // Its time counts from here: that in the queue is ours.
    transfer.lastActivity = monotonicNow()
    if !transfer.didRetryStale { transfer.excused = transfer.lastActivity - transfer.started }
    transfer.position = live.count
    live.append(transfer)
    let step = (transfer.request.deadlines.shortest?.nanoseconds ?? .max) / 4
    nextSweep = min(nextSweep, now + min(max(step, 5_000_000), 1_000_000_000))
  }

  /// A name is known once a socket for it opens; the requests that waited for it may go.
  func resolved(_ host: HostKey) {
    guard case .resolving(let waiting) = hosts[host] else { return }
    hosts[host] = .ready
    released.append(contentsOf: waiting)
  }

  private func releaseResolved() {
    // Not from within libcurl's callback: it must not be re-entered.
    let batch = released
    released = []
    for transfer in batch { ready.append(transfer) }
  }

  private func firstFailed(_ host: HostKey, _ error: TransportError) {
    guard case .resolving(let waiting) = hosts[host] else { return }
    hosts[host] = nil
    for transfer in waiting where transfer.state == .waiting {
      // Whoever was cancelled says nothing about the name; a failed lookup holds for all who waited for it.
      if error == .cancelled {
        transfer.state = .new
        inbox.post(.start(transfer))
      } else {
        finish(transfer, error: error)
      }
    }
  }

  // MARK: ending

  private func cancel(_ transfer: Transfer) {
    switch transfer.state {
    case .new: transfer.state = .done  // `start` comes later in the queue and finds this
    case .waiting: finish(transfer, error: .cancelled)
    case .live: end(transfer, with: .cancelled)
    case .lingering, .done: break
    }
  }

  private func collectFinished() {
    while let (handle, code) = driver.nextDone() {
      guard let context = cc_easy_get_ptr(handle, CURLINFO_PRIVATE) else { continue }
      let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      if transfer.state == .lingering {
        take(transfer)
        forget(transfer)
        releaseCrowded()
        continue
      }
      guard transfer.state == .live, let easy = transfer.easy else { continue }
      if retriesStale(transfer, easy, code) { continue }
      let error = code == CURLE_OK ? nil : transfer.ending ?? TransportError(code, easy, transfer)
      if error == .noDescriptors, waitsForDescriptor(transfer) { continue }
      end(transfer, with: error)
    }
  }

  /// A server may close an idle connection just as a request goes out on it. If no byte of an answer came, the request goes once
  /// more, on a new connection, and nobody need know.
  private func retriesStale(_ transfer: Transfer, _ easy: PooledEasy, _ code: CURLcode) -> Bool {
    let isBroken = code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR
    guard isBroken, transfer.ending == nil, !transfer.didRetryStale, transfer.head.total == 0, easy.reusedConnection else {
      return false
    }
    transfer.didRetryStale = true
    take(transfer)
    transfer.state = .waiting
    ready.append(transfer)
    return true
  }

  /// There is no descriptor for it, but there will be when another ends: it waits for that. False where it is alone.
  private func waitsForDescriptor(_ transfer: Transfer) -> Bool {
    let others = live.count { $0 !== transfer && $0.received > 0 }
    guard others > 0, transfer.head.total == 0 else { return false }
    settings.onCrowded?(others)
    transfer.ending = nil
    take(transfer)
    transfer.state = .waiting
    crowded.append(transfer)
    return true
  }

  /// Takes a live transfer out of libcurl (which closes its stream if it is not over) and finishes it.
  private func end(_ transfer: Transfer, with error: TransportError?) {
    take(transfer)
    finish(transfer, error: error)
    releaseCrowded()
  }

  /// One less is there; its connection may be kept for another: two may try.
  private func releaseCrowded() {
    for next in crowded.prefix(2) { ready.append(next) }
    crowded.removeFirst(min(2, crowded.count))
  }

  private func take(_ transfer: Transfer) {
    guard let easy = transfer.easy else { return }
    driver.remove(easy.handle, shard: transfer.shard)
    transfer.easy = nil
    if PooledEasy.isReusable { idleHandles.append(easy) }
    let last = live.removeLast()
    if last !== transfer {
      last.position = transfer.position
      live[transfer.position] = last
    }
  }

  private func finish(_ transfer: Transfer, error: TransportError?) {
    forget(transfer)
    if let error, let host = transfer.host { firstFailed(host, error) }
    if let proxy = transfer.proxy { leaveGate(transfer, proxy, error) }
    deliver(transfer, error)
  }

  private func forget(_ transfer: Transfer) {
    transfer.state = .done
    transfer.loop = nil
  }

  /// The owner of an answer that is whole waits no longer. Its transfer has a moment to end by itself: a connection that is closed in the
  /// middle of an answer cannot be used again, and a server that leaves it open would hold the call to its deadline.
  private func complete(_ transfer: Transfer) {
    transfer.state = .lingering
    transfer.lastActivity = now
    nextSweep = min(nextSweep, now + Transfer.lingering)
    deliver(transfer, nil)
  }

  private func deliver(_ transfer: Transfer, _ error: TransportError?) {
    if transfer.isDirty { transfer.handler?.turnEnded() }
    transfer.isDirty = false
    transfer.handler = nil
    let duration = Duration.nanoseconds(monotonicNow() - transfer.started)
    transfer.handover.give()
    transfer.continuation?.resume(returning: TransferResult(error: error, duration: duration))
    transfer.continuation = nil
  }

  /// The one that tried a proxy's password is over: what holds for those that waited for it?
  private func leaveGate(_ transfer: Transfer, _ proxy: ProxyServer, _ error: TransportError?) {
    let isRefused = if case .proxyRefused = error { true } else { false }
    let waiting = gates.leave(transfer, proxy, isRefused: isRefused)
    for other in waiting where other.state == .waiting {
      switch error {
      // Whoever was cancelled says nothing about the proxy: the next tries it.
      case .cancelled?, .stopped?:
        other.state = .new
        inbox.post(.start(other))
      case .connection(let words)?: finish(other, error: .connection(words))
      case .proxyRefused?: finish(other, error: error)
      default: released.append(other)
      }
    }
  }

  func passedProxy(_ transfer: Transfer) {
    guard let proxy = transfer.proxy else { return }
    released.append(contentsOf: gates.passed(transfer, proxy))
  }

  private func endTurns() {
    for transfer in dirty where transfer.isDirty {
      transfer.isDirty = false
      transfer.handler?.turnEnded()
      if transfer.isComplete, transfer.state == .live { complete(transfer) }
    }
    dirty.removeAll(keepingCapacity: true)
  }

  /// Time in which this thread did not run (SIGSTOP, the sleep of a laptop, a machine that stood still) is nobody's silence: what the
  /// server sent meanwhile waits to be read, and what it was not asked for could not come.
  private func excuse(_ stood: Int64) {
    guard stood > 1_000_000_000 else { return }
    for transfer in live {
      transfer.excused += stood
      transfer.lastActivity += stood
    }
  }

  /// Ends what has run out of time. One pass over all that is live costs less than a timer for each.
  ///
  /// Nothing is ended at first sight: after a SIGSTOP, or the sleep of a laptop, every deadline is over and the bytes that meet it wait
  /// in the sockets. What is overdue is looked at again once they have been read.
  private func sweep() {
    let now = monotonicNow()
    var step: Int64 = 1_000_000_000
    for transfer in live.reversed() {
      if transfer.state == .lingering {
        let left = transfer.lastActivity + Transfer.lingering - now
        guard left <= 0 else {
          step = min(step, left)
          continue
        }
        take(transfer)
        forget(transfer)
        releaseCrowded()
        continue
      }
      if let shortest = transfer.request.deadlines.shortest { step = min(step, max(shortest.nanoseconds / 4, 5_000_000)) }
      guard let error = overdue(transfer, now) else {
        transfer.overdue = nil
        continue
      }
      if let first = transfer.overdue {
        // More may be on its way as long as something is read, within reason.
        if first.received == transfer.received || now - first.at > 1_000_000_000 {
          end(transfer, with: error)
          continue
        }
        transfer.overdue?.received = transfer.received
      } else {
        transfer.overdue = (now, transfer.received)
      }
      step = min(step, 5_000_000)
    }
    nextSweep = live.isEmpty ? .max : now + step
  }

  private func overdue(_ transfer: Transfer, _ now: Int64) -> TransportError? {
    let deadlines = transfer.request.deadlines
    if let total = deadlines.total, now - transfer.started - transfer.excused > total.nanoseconds { return .timedOut(.total, after: total) }
    if transfer.isPaused { return nil }
    let silence = now - transfer.lastActivity
    if transfer.isWaiting {
      guard let first = deadlines.firstToken else { return nil }
      if silence > first.nanoseconds { return .timedOut(.firstToken, after: first) }
      let longest = first * Deadlines.patience
      if deadlines.total == nil, now - transfer.started - transfer.excused > longest.nanoseconds {
        return .timedOut(.firstToken, after: longest)
      }
    } else if let idle = deadlines.idle, silence > idle.nanoseconds {
      return .timedOut(.idle, after: idle)
    }
    return nil
  }

  /// Whoever posts after the end gets an answer too.
  private func drainAfterStop() {
    repeat {
      for command in commands[nextCommand...] {
        switch command {
        case .start(let transfer): finish(transfer, error: .cancelled)
        case .job(let job): job.runSynchronously(on: executor.asUnownedTaskExecutor())
        case .cancel, .resume, .stop: break
        }
      }
      nextCommand = 0
      inbox.take(into: &commands)
    } while !commands.isEmpty
  }
}
