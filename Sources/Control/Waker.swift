import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Wakes the control thread out of `poll`.
final class Waker: Sendable {
  let readEnd: Int32
  private let writeEnd: Int32
  private let isWoken = Atomic(false)

  init?() {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  deinit {
    systemClose(readEnd)
    systemClose(writeEnd)
  }

  func wake() {
    guard !isWoken.exchange(true, ordering: .acquiringAndReleasing) else { return }
    var byte: UInt8 = 0
    _ = write(writeEnd, &byte, 1)
  }

  /// Drains first, exchanges last: a wake between the two writes a byte that the next wait sees, and what those have posted who found it
  /// woken already is seen.
  func clear() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(readEnd, &bytes, bytes.count) > 0 {}
    _ = isWoken.exchange(false, ordering: .acquiringAndReleasing)
  }
}
