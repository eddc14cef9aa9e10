#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether the system gives threads: the program is several, and one that cannot be started would leave it waiting for ever.
public enum ThreadProbe {
  public static func hasThreads(_ wanted: Int) -> Bool {
    let (release, done) = (Gate(), Gate())
    var started = 0
    for _ in 0..<wanted {
      let isStarted = startThread {
        release.wait(for: 1)
        done.add()
      }
      if !isStarted { break }
      started += 1
    }
    release.add()
    done.wait(for: started)
    return started == wanted
  }

  /// Counts up, for several that wait.
  ///
  /// `@unchecked Sendable`: a POSIX mutex and condition guard `count`.
  private final class Gate: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var count = 0

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(condition, nil)
    }

    deinit {
      pthread_mutex_destroy(mutex)
      pthread_cond_destroy(condition)
      mutex.deallocate()
      condition.deallocate()
    }

    func add() {
      pthread_mutex_lock(mutex)
      count += 1
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }

    func wait(for number: Int) {
      pthread_mutex_lock(mutex)
      while count < number { pthread_cond_wait(condition, mutex) }
      pthread_mutex_unlock(mutex)
    }
  }
}
