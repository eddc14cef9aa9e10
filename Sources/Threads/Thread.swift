#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs `body` on a thread of its own, detached, for what blocks or owns something alone. Signals stay with the main thread.
///
/// - Returns: false where the system gives no thread (`ulimit -u`, memory): the body did not run and never will.
@discardableResult
public func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
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
  if failed != 0 { Unmanaged<Entry>.fromOpaque(entry).release() }
  return failed == 0
}

/// The same, with what is done here and now where the system gives no thread: whoever is to be watched over is let go of at once rather
/// than never.
public func startThread(_ body: @escaping @Sendable () -> Void, orHere instead: () -> Void) {
  if !startThread(body) { instead() }
}

/// Lets the calling thread, one that `startThread` began, stand still for so many milliseconds.
public func pauseThread(milliseconds: Int32) { _ = poll(nil, 0, milliseconds) }

/// Runs what blocks on a thread of its own, so that none of those that tasks run on waits.
///
/// - Returns: nil where the system gives no thread: it did not run.
public func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result? {
  await withCheckedContinuation { continuation in
    startThread {
      continuation.resume(returning: body())
    } orHere: {
      continuation.resume(returning: nil)
    }
  }
}
