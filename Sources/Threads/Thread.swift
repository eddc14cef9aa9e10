#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs `body` on a thread of its own, detached, for what blocks or owns something alone. Signals stay with the main thread.
public func startThread(_ body: @escaping @Sendable () -> Void) {
  final class Entry: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  let entry = Unmanaged.passRetained(Entry(body)).toOpaque()
  var (all, old) = (sigset_t(), sigset_t())
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &old)
  defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
  #if canImport(Glibc)
    var thread = pthread_t()
    let failed = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Entry>.fromOpaque(context!).takeRetainedValue().body()
        return nil
      }, entry)
    if failed == 0 { pthread_detach(thread) }
  #else
    var thread: pthread_t?
    let failed = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Entry>.fromOpaque(context).takeRetainedValue().body()
        return nil
      }, entry)
    if failed == 0, let thread { pthread_detach(thread) }
  #endif
  // Out of threads: it runs here, where its errors are at least told.
  if failed != 0 { Unmanaged<Entry>.fromOpaque(entry).takeRetainedValue().body() }
}

/// A one-shot wake-up between threads.
///
/// `@unchecked Sendable`: a POSIX mutex and condition guard `isRung`.
public final class Bell: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isRung = false

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

  public func ring() {
    pthread_mutex_lock(mutex)
    isRung = true
    pthread_cond_signal(condition)
    pthread_mutex_unlock(mutex)
  }

  public func wait() {
    pthread_mutex_lock(mutex)
    while !isRung { pthread_cond_wait(condition, mutex) }
    isRung = false
    pthread_mutex_unlock(mutex)
  }
}
