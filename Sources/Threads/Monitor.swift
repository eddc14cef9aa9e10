#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A value that threads change and wait for: a POSIX mutex and condition around it. For threads that may block; tasks wait with `Wait`.
///
/// `@unchecked Sendable`: the mutex guards the value.
final class Monitor<Value>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var value: Value

  init(_ value: Value) {
    self.value = value
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  func look<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value)
  }

  /// Changes it; everybody who waits looks again.
  func change(_ body: (inout Value) -> Void) {
    pthread_mutex_lock(mutex)
    body(&value)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Waits until it is as wanted.
  ///
  /// - Parameters:
  ///   - milliseconds: how long at most; nil for ever.
  ///   - isWanted: asked after each change; may change it itself.
  /// - Returns: false where the time was over first.
  @discardableResult
  func wait(milliseconds: Int? = nil, until isWanted: (inout Value) -> Bool) -> Bool {
    let end = milliseconds.map(Self.deadline)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isWanted(&value) {
      guard var end else {
        pthread_cond_wait(condition, mutex)
        continue
      }
      // Looked at once more: the last change may have come with the end of the time.
      if pthread_cond_timedwait(condition, mutex, &end) != 0 { return isWanted(&value) }
    }
    return true
  }

  private static func deadline(_ milliseconds: Int) -> timespec {
    var end = timespec()
    clock_gettime(CLOCK_REALTIME, &end)
    let nanoseconds = end.tv_nsec + milliseconds % 1000 * 1_000_000
    end.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
    end.tv_nsec = nanoseconds % 1_000_000_000
    return end
  }
}
