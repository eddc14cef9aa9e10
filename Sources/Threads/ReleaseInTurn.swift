#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Lets go of what an object held, from its `deinit`: where that leads to another object of the kind, and so on, they go one after the
/// other and not one within the other, so that a long chain takes no stack.
///
/// - Parameter take: takes the content out of the object: nobody else may hold it, or it goes with whoever does.
public func releaseInTurn(_ take: () -> Any?) {
  if let waiting = pthread_getspecific(waitingKey) {
    Unmanaged<Waiting>.fromOpaque(waiting).takeUnretainedValue().held.append(Held(take()))
    return
  }
  let waiting = Waiting()
  waiting.held.append(Held(take()))
  pthread_setspecific(waitingKey, Unmanaged.passUnretained(waiting).toOpaque())
  while let next = waiting.held.popLast() { next.content = nil }
  pthread_setspecific(waitingKey, nil)
}

/// What is let go of on this thread when what goes now is gone.
private final class Waiting {
  var held: [Held] = []
}

/// Emptied by hand: when it goes itself does not matter then.
private final class Held {
  var content: Any?

  init(_ content: Any?) {
    self.content = content
  }
}

/// A thread's own `Waiting`, while it lets go of something.
private let waitingKey: pthread_key_t = {
  var key = pthread_key_t()
  pthread_key_create(&key, nil)
  return key
}()
