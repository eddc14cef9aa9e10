#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether the system gives threads: the program is several, and one that cannot be started would leave it waiting for ever.
public enum ThreadProbe {
  /// - Parameter room: so many bytes of addresses are to be had beside them.
  public static func hasThreads(_ wanted: Int, and room: Int = 0) -> Bool {
    let (isReleased, done) = (Monitor(false), Monitor(0))
    var started = 0
    for _ in 0..<wanted {
      let isStarted = startThread {
        isReleased.wait { $0 }
        done.change { $0 += 1 }
      }
      if !isStarted { break }
      started += 1
    }
    let hasRoom = room == 0 || isFree(room)
    isReleased.change { $0 = true }
    let last = started
    done.wait { $0 == last }
    return started == wanted && hasRoom
  }

  private static func isFree(_ bytes: Int) -> Bool {
    guard let place = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0), place != MAP_FAILED else { return false }
    munmap(place, bytes)
    return true
  }
}
