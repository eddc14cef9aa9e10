#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A value that threads change and wait for: a POSIX mutex and condition around it. For threads that may block; tasks wait with `Wait`.
///
/// `@unchecked Sendable`: the mutex guards the value.
public final class Monitor<Value>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var value: Value

  public init(_ value: Value) {
    self.value = value
    pthread_mutex_init(mutex, nil)
    #if canImport(Glibc)
      // Else times are of the clock on the wall, and one that is set back lengthens every wait.
      var attributes = pthread_condattr_t()
      pthread_condattr_init(&attributes)
      pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      pthread_cond_init(condition, &attributes)
      pthread_condattr_destroy(&attributes)
    #else
      pthread_cond_init(condition, nil)
    #endif
  }

  deinit {
    pthread_mutex_destroy(mutex)
    pthread_cond_destroy(condition)
    mutex.deallocate()
    condition.deallocate()
  }

  public func look<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value)
  }

  /// Changes it; everybody who waits looks again.
  public func change(_ body: (inout Value) -> Void) {
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
  public func wait(milliseconds: Int? = nil, until isWanted: (inout Value) -> Bool) -> Bool {
    let end = milliseconds.map { ContinuousClock.now + .milliseconds($0) }
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while !isWanted(&value) {
      guard let end else {
        pthread_cond_wait(condition, mutex)
        continue
      }
      // Looked at once more: the last change may have come with the end of the time.
      if !pause(ContinuousClock.now.duration(to: end)) { return isWanted(&value) }
    }
    return true
  }

  /// Waits for a change; false where there is no time left, or was none in it.
  private func pause(_ left: Duration) -> Bool {
    if left <= .zero { return false }
    let (seconds, attoseconds) = left.components
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    #if canImport(Glibc)
      var now = timespec()
      clock_gettime(CLOCK_MONOTONIC, &now)
      let nanoseconds = now.tv_nsec + time.tv_nsec
      time.tv_sec += now.tv_sec + nanoseconds / 1_000_000_000
      time.tv_nsec = nanoseconds % 1_000_000_000
      return pthread_cond_timedwait(condition, mutex, &time) == 0
    #else
      return pthread_cond_timedwait_relative_np(condition, mutex, &time) == 0
    #endif
  }
}
