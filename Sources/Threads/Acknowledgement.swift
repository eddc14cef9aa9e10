#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// One thread changes something that another looks at, and waits until that one has seen it.
///
/// The other reads `asked`, then looks, then acknowledges: a change made before `ask` is seen by then, however the two run. Nobody waits
/// for a thread that has left.
///
/// `@unchecked Sendable`: a POSIX mutex and condition guard the rest.
public final class Acknowledgement: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var lastAsked = 0
  private var lastSeen = 0
  private var hasLeft = false

  public init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  private func locked<T>(_ body: () -> T) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Says that there is something to see; what it is stands there already.
  public func ask() -> Int {
    locked {
      lastAsked += 1
      return lastAsked
    }
  }

  /// The latest that was asked, for the thread that looks: read before it does.
  public var asked: Int { locked { lastAsked } }

  /// Everything up to here has been seen.
  public func acknowledge(_ number: Int) {
    locked {
      guard number > lastSeen else { return }
      lastSeen = number
      pthread_cond_broadcast(condition)
    }
  }

  /// The thread that looks ends: nobody will see anything more.
  public func leave() {
    locked {
      hasLeft = true
      pthread_cond_broadcast(condition)
    }
  }

  /// The same, for so long at most. False where it has not been seen by then.
  public func wait(for number: Int, milliseconds: Int) -> Bool {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    until.tv_sec += milliseconds / 1000
    until.tv_nsec += milliseconds % 1000 * 1_000_000
    if until.tv_nsec >= 1_000_000_000 { (until.tv_sec, until.tv_nsec) = (until.tv_sec + 1, until.tv_nsec - 1_000_000_000) }
    return locked {
      while lastSeen < number, !hasLeft { if pthread_cond_timedwait(condition, mutex, &until) != 0 { break } }
      return lastSeen >= number || hasLeft
    }
  }

  /// Returns when it has been seen, or when there is nobody left to see it.
  public func wait(for number: Int) {
    locked { while lastSeen < number, !hasLeft { pthread_cond_wait(condition, mutex) } }
  }
}
