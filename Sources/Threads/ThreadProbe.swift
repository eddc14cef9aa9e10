/// Whether the system gives threads: the program is several, and one that cannot be started would leave it waiting for ever.
public enum ThreadProbe {
  public static func hasThreads(_ wanted: Int) -> Bool {
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
    isReleased.change { $0 = true }
    let last = started
    done.wait { $0 == last }
    return started == wanted
  }
}
