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
/// The table is filled before its entries are used, holds at most eight, and a handler that sees an entry half changed writes to a
/// pipe that is closed or not yet there, which does nothing.
private enum SignalNotices {
  static let isAskedToStop = Atomic(false)

  nonisolated(unsafe) private static let table: UnsafeMutablePointer<Int32> = {
    let table = UnsafeMutablePointer<Int32>.allocate(capacity: 8)
    table.initialize(repeating: -1, count: 8)
    return table
  }()

  static func tell(_ descriptor: Int32) {
    for index in 0..<8 where table[index] == -1 {
      table[index] = descriptor
      break
    }
    for number in [SIGWINCH, SIGCONT, SIGTSTP] {
      handleSignal(number) { number in
        let saved = errno
        if number == SIGTSTP { SignalNotices.isAskedToStop.store(true, ordering: .releasing) }
        var byte = UInt8(truncatingIfNeeded: number)
        for index in 0..<8 where SignalNotices.table[index] >= 0 { _ = write(SignalNotices.table[index], &byte, 1) }
        errno = saved
      }
    }
  }

  static func forget(_ descriptor: Int32) {
    for index in 0..<8 where table[index] == descriptor { table[index] = -1 }
  }
}
