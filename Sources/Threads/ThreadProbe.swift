#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Whether the system gives threads: the program is several, and one that cannot be started would leave it waiting for ever.
public enum ThreadProbe {
  /// - Parameter room: so many bytes of addresses are to be had beside them and what they allocate; 0 where memory is not rationed.
  public static func hasThreads(_ wanted: Int, and room: Int = 0) -> Bool {
    let (isReleased, done) = (Monitor(false), Monitor((threads: 0, withMemory: 0)))
    var started = 0
    for _ in 0..<wanted {
      let isStarted = startThread {
        // An allocator keeps addresses ready for each thread that allocates: mimalloc 32 MiB.
        // (Not `malloc`: the compiler does without it where nobody looks at the block.)
        var block: UnsafeMutableRawPointer?
        let hasMemory = room == 0 || posix_memalign(&block, 64, 64) == 0
        isReleased.wait { $0 }
        free(block)
        done.change { done in
          done.threads += 1
          if hasMemory { done.withMemory += 1 }
        }
      }
      if !isStarted { break }
      started += 1
    }
    let hasRoom = room == 0 || isFree(room)
    isReleased.change { $0 = true }
    let last = started
    var haveMemory = false
    done.wait { done in
      haveMemory = done.withMemory == last
      return done.threads == last
    }
    return started == wanted && hasRoom && haveMemory
  }

  private static func isFree(_ bytes: Int) -> Bool {
    guard let place = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0), place != MAP_FAILED else { return false }
    munmap(place, bytes)
    return true
  }
}
