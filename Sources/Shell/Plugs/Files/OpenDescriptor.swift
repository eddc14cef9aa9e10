#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Files that are open already, as standard output or by whoever started the program: to replace one would take what is written to it.
enum OpenDescriptor {
  /// The descriptor that a path names: `/dev/stdout`, `/dev/fd/3`.
  static func number(_ path: String) -> Int32? {
    switch path {
    case "/dev/stdout": return 1
    case "/dev/stderr": return 2
    default:
      for folder in ["/dev/fd/", "/proc/self/fd/"] where path.hasPrefix(folder) {
        return Int32(path.dropFirst(folder.count)).flatMap { $0 >= 0 ? $0 : nil }
      }
      return nil
    }
  }

  /// Why a file may not be replaced or added to; nil where nothing of ours is written there.
  static func problem(replacing status: stat) -> String? {
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    let file = FileIdentity(status)
    if FileIdentity(1) == file { return "standard output goes there; `save -` writes rows to it" }
    return FileIdentity(2) == file ? "standard error goes there" : nil
  }
}
