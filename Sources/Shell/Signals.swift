import Dispatch
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the program does when it is told to stop.
final class Signals: Sendable {
  private struct State {
    var onInterrupt: (@Sendable () -> Void)?
    var onTerminate: (@Sendable (Int32) -> Void)?
  }

  private let state = Mutex(State())

  /// Takes SIGINT, SIGTERM and SIGHUP over; a closed pipe becomes an error of the write.
  func install() {
    signal(SIGPIPE, SIG_IGN)
    let queue = DispatchQueue(label: "promptsh.signals")
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [weak self] in self?.received(number) }
      source.resume()
      // A source ends with its last reference; these last as long as the program.
      _ = Unmanaged.passRetained(source as AnyObject)
    }
  }

  func onInterrupt(_ body: (@Sendable () -> Void)?) { state.withLock { $0.onInterrupt = body } }
  func onTerminate(_ body: (@Sendable (Int32) -> Void)?) { state.withLock { $0.onTerminate = body } }

  private func received(_ number: Int32) {
    if number == SIGINT {
      state.withLock { $0.onInterrupt }?()
    } else {
      state.withLock { $0.onTerminate }?(number)
    }
  }
}

/// Opens as many descriptors as the system allows: every stream takes one, and the usual soft limit is 1,024 (macOS: 256).
func raiseDescriptorLimit() {
  var limit = rlimit()
  #if canImport(Glibc)
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #else
    let resource = RLIMIT_NOFILE
  #endif
  guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
  limit.rlim_cur = min(limit.rlim_max, 65_536)
  setrlimit(resource, &limit)
}
