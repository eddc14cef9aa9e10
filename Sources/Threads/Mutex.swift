// The one place where the language's lock is chosen: every room takes `Mutex` and `Atomic` from here.

@_exported import struct Synchronization.Atomic
@_exported import struct Synchronization.AtomicLoadOrdering
@_exported import protocol Synchronization.AtomicRepresentable
@_exported import struct Synchronization.AtomicStoreOrdering
@_exported import struct Synchronization.AtomicUpdateOrdering

#if SANITIZE_THREAD
  #if canImport(Glibc)
    import Glibc
  #else
    import Darwin
  #endif

  /// The same lock on pthreads, for the thread sanitizer: it knows those, and takes everything that `Synchronization.Mutex` (futexes
  /// inside the standard library, which is not instrumented) guards for a race.
  ///
  /// `@unchecked Sendable`: the mutex guards the value.
  public struct Mutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let value = UnsafeMutablePointer<Value>.allocate(capacity: 1)

    public init(_ initial: consuming sending Value) {
      pthread_mutex_init(lock, nil)
      value.initialize(to: initial)
    }

    deinit {
      value.deinitialize(count: 1)
      value.deallocate()
      pthread_mutex_destroy(lock)
      lock.deallocate()
    }

    public borrowing func withLock<Result: ~Copyable, E: Error>(
      _ body: (inout sending Value) throws(E) -> sending Result
    ) throws(E) -> sending Result {
      pthread_mutex_lock(lock)
      defer { pthread_mutex_unlock(lock) }
      return try body(&value.pointee)
    }
  }
#else
  @_exported import struct Synchronization.Mutex
#endif
