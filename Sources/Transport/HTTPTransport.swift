import CCurl
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What holds for all transfers of one transport.
public struct TransportSettings: Sendable {
  /// A file of certificates to trust instead of the system's, and a folder of them (`c_rehash`).
  public var caBundle: String?
  public var caFolder: String?
  /// Which variables of the environment name these, for errors.
  public var caSource: String?
  /// Told, on the curl thread, how many streams were there when there was no descriptor for one more. That one waits until another
  /// ends.
  public var onCrowded: (@Sendable (Int) -> Void)?
  /// Connections that fit into the files we may open: one that nobody uses is closed before there are more. Nil for no limit.
  public var mostConnections: Int?
  /// Waits with `curl_multi_poll` even where epoll is there: for tests, as an oracle.
  public var usesPoll = false

  public init() {}

  /// As curl reads them: CURL_CA_BUNDLE, or else SSL_CERT_FILE and SSL_CERT_DIR.
  public mutating func readCertificates(_ variable: (String) -> String?) {
    func value(_ name: String) -> String? { variable(name).flatMap { $0.isEmpty ? nil : $0 } }
    if let bundle = value("CURL_CA_BUNDLE") {
      (caBundle, caSource) = (bundle, "CURL_CA_BUNDLE=\(bundle)")
      return
    }
    (caBundle, caFolder) = (value("SSL_CERT_FILE"), value("SSL_CERT_DIR"))
    let named = [caBundle.map { "SSL_CERT_FILE=\($0)" }, caFolder.map { "SSL_CERT_DIR=\($0)" }].compactMap { $0 }
    caSource = named.isEmpty ? nil : named.joined(separator: ", ")
  }
}

/// HTTP over libcurl: one thread that owns every handle.
///
/// It is also a `TaskExecutor`: tasks that prefer it run on that thread between two turns of its loop, which saves the wake-up of
/// another thread for every reply (20–30 % of the CPU of a small request). Only glue may run there; whatever takes more than
/// some microseconds belongs on the global pool.
public final class HTTPTransport: TaskExecutor, Sendable {
  private let inbox = Inbox()
  private let settings: TransportSettings
  private let isStarted = Atomic(false)

  public init(settings: TransportSettings = TransportSettings()) {
    self.settings = settings
  }

  /// - Parameter handler: used on the curl thread only, from now on.
  public func transfer(_ request: HTTPRequest, handler: any ResponseHandler) -> Transfer {
    Transfer(request, handler: handler, transport: self)
  }

  /// Ends every transfer as cancelled, and the thread, which until then keeps the transport alive. For tests; a shell keeps its
  /// transport to the end.
  public func shutdown() {
    startIfNeeded()
    inbox.post(.stop)
  }

  public func enqueue(_ job: consuming ExecutorJob) {
    startIfNeeded()
    inbox.post(.job(UnownedJob(job)))
  }

  func post(_ command: sending Command) {
    startIfNeeded()
    inbox.post(command)
  }

  private func startIfNeeded() {
    guard !isStarted.load(ordering: .relaxed), !isStarted.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let (inbox, settings) = (inbox, settings)
    let isThere = startThread { [self] in
      if let problem = cc_load() { return Self.refuse(inbox, String(cString: problem), executor: self) }
      CurlLoop.listeners
      guard let driver = Self.makeDriver(settings) else {
        return Self.refuse(inbox, "libcurl could not make a multi handle; are there open files left (`ulimit -n`)?", executor: self)
      }
      CurlLoop(inbox: inbox, driver: driver, settings: settings, executor: self).run()
    }
    if isThere { return }
    // Whoever asks is answered by tasks instead: each takes what there is and is over, for their threads are few.
    let answer: @Sendable () -> Void = { [self] in
      Task { Self.refuseOnce(inbox, "the system gives no thread for the network (`ulimit -u`, `ulimit -v`)", executor: self) }
    }
    inbox.setWake(answer)
    answer()
  }

  private static func makeDriver(_ settings: TransportSettings) -> (any MultiDriver)? {
    #if os(Linux)
      if !settings.usesPoll, let driver = EpollDriver(mostConnections: settings.mostConnections) { return driver }
    #endif
    return PollDriver(mostConnections: settings.mostConnections)
  }

  /// Without libcurl every request still gets its answer: that it is missing.
  private static func refuse(_ inbox: Inbox, _ problem: String, executor: HTTPTransport) {
    let bell = Bell()
    inbox.setWake { bell.ring() }
    while refuseOnce(inbox, problem, executor: executor) {
      bell.wait()
      inbox.awake()
    }
  }

  /// Answers whatever has been asked. False where nothing more will be.
  @discardableResult
  private static func refuseOnce(_ inbox: Inbox, _ problem: String, executor: HTTPTransport) -> Bool {
    var commands: [Command] = []
    repeat {
      inbox.take(into: &commands)
      for command in commands {
        switch command {
        case .start(let transfer):
          transfer.continuation?.resume(returning: TransferResult(error: .unavailable(problem), duration: .zero))
        case .job(let job): job.runSynchronously(on: executor.asUnownedTaskExecutor())
        case .stop: return false
        case .cancel, .resume: break
        }
      }
    } while !commands.isEmpty || !inbox.fallAsleep()
    return true
  }
}
