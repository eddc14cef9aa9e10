#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Wakes a thread that waits for descriptors (`poll`, `select`): others write a byte, signals write theirs.
public final class WakePipe: Sendable {
  public let readEnd: Int32
  private let writeEnd: Int32
  private let isWoken = Atomic(false)

  /// Nil where the system gives no pipe.
  public init?() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    SignalNotices.forget(writeEnd)
    close(readEnd)
    close(writeEnd)
  }

  /// Wakes once, however many call before it is seen. What it is about must have been posted before.
  public func wake() {
    guard !isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 0
    _ = write(writeEnd, &byte, 1)
  }

  /// Takes the wake-up back; the signals that came too. The caller looks for what was posted afterwards, not before.
  @discardableResult
  public func clear() -> Set<Int32> {
    // Last of all: a wake-up whose byte is drained here must leave the next one free to write. An exchange, not a store: it sees
    // what those have posted who found the pipe woken already.
    defer { _ = isWoken.exchange(false, ordering: .acquiringAndReleasing) }
    var signals: Set<Int32> = []
    var bytes = [UInt8](repeating: 0, count: 64)
    while case let count = read(readEnd, &bytes, bytes.count), count > 0 {
      for byte in bytes[..<count] where byte != 0 { signals.insert(Int32(byte)) }
    }
    return signals
  }

  /// From now on the signals of the terminal (a new size, continued, asked to stop) come through here.
  public func receiveSignals() { SignalNotices.tell(writeEnd) }

  /// Whether a request to stop (SIGTSTP) has come that nobody has taken: several threads may hear of it, and one obeys.
  public static func takeStopRequest() -> Bool { SignalNotices.isAskedToStop.exchange(false, ordering: .acquiringAndReleasing) }
}

/// The pipes that signals are told to. A handler may do little: it writes the signal's number to each.
///
/// Handlers take no lock; whoever changes the table holds one. A pipe is closed only when no handler can still write to it, for its number
/// may be a file's by then. A handler counts itself in and then reads the table; `forget` takes the entry out and then looks at the
/// count. All four are sequentially consistent, so that there is one order of them that everybody sees: either the handler comes first,
/// is counted, and is waited for, or the entry is gone before it is read. (Weaker ones would let each side's read pass its own write, and
/// both miss the other.) No handler is waited for by the thread that it interrupts: on that thread it ends first.
///
/// The program has two pipes (the editor's, and that of keys while something runs).
private enum SignalNotices {
  static let isAskedToStop = Atomic(false)
  private static let changing = Mutex(())
  private static let handlers = Atomic(0)

  /// Descriptors; -1 where there is none. Never changed itself, only its entries are.
  nonisolated(unsafe) private static let table: UnsafeMutablePointer<Atomic<Int32>> = {
    let table = UnsafeMutablePointer<Atomic<Int32>>.allocate(capacity: places)
    for index in 0..<places { (table + index).initialize(to: Atomic(-1)) }
    return table
  }()
  private static let places = 8

  static func tell(_ descriptor: Int32) {
    changing.withLock { _ in
      for index in 0..<places where table[index].load(ordering: .relaxed) == -1 {
        table[index].store(descriptor, ordering: .sequentiallyConsistent)
        break
      }
    }
    // Made here, not within a handler.
    _ = (handlers.load(ordering: .relaxed), isAskedToStop.load(ordering: .relaxed))
    for number in [SIGWINCH, SIGCONT, SIGTSTP] {
      handleSignal(number) { number in
        let saved = errno
        SignalNotices.handlers.add(1, ordering: .sequentiallyConsistent)
        if number == SIGTSTP { SignalNotices.isAskedToStop.store(true, ordering: .releasing) }
        var byte = UInt8(truncatingIfNeeded: number)
        for index in 0..<SignalNotices.places {
          let descriptor = SignalNotices.table[index].load(ordering: .sequentiallyConsistent)
          if descriptor >= 0 { _ = write(descriptor, &byte, 1) }
        }
        SignalNotices.handlers.subtract(1, ordering: .sequentiallyConsistent)
        errno = saved
      }
    }
  }

  static func forget(_ descriptor: Int32) {
    let wasThere = changing.withLock { _ in
      guard let index = (0..<places).first(where: { table[$0].load(ordering: .relaxed) == descriptor }) else { return false }
      table[index].store(-1, ordering: .sequentiallyConsistent)
      return true
    }
    while wasThere, handlers.load(ordering: .sequentiallyConsistent) > 0 { sched_yield() }
  }
}
