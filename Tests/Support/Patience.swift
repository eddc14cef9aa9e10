import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How long a test waits for what must come: far longer than it takes on a machine that is busy with other things too. A wait ends as soon
/// as the thing is seen, so that only a test that fails takes so long.
public enum Patience {
  public static let seconds = isSanitized ? 360 : 120
  public static var milliseconds: Int { seconds * 1000 }
  /// What a program that a test starts may live, whatever it waits for.
  public static let life = seconds * 5 / 2

  /// A sanitizer's programs take several times as long.
  public static let isSanitized = getenv("TSAN_OPTIONS") != nil || getenv("ASAN_OPTIONS") != nil

  /// Looks until something is there that nobody tells of: a file, a terminal's mode, a process's state. Blocks.
  ///
  /// - Returns: false where it never was.
  public static func until(_ isThere: () throws -> Bool) rethrows -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while try !isThere() {
      if ContinuousClock.now > end { return false }
      pauseThread(milliseconds: 3)
    }
    return true
  }
}
