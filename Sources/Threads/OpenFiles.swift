#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How many files, pipes and sockets may still be opened.
public enum OpenFiles {
  /// The limit that holds now; nil for none.
  public static var limit: Int? { SystemLimit.openFiles.value.map { Int(clamping: $0) } }

  /// Those that are free, counted up to a number: a look at each descriptor, without opening one.
  public static func free(atMost most: Int) -> Int {
    guard let limit else { return most }
    var free = 0
    for descriptor in 0..<Int32(clamping: limit) {
      // The limit may be a million.
      if free >= most { break }
      if fcntl(descriptor, F_GETFD) < 0, errno == EBADF { free += 1 }
    }
    return free
  }
}
