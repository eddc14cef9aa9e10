#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A limit that the system holds us to (`ulimit`).
public enum SystemLimit: Sendable {
  case openFiles, processes, memory

  /// As it holds now; nil for none.
  public var value: UInt64? {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < UInt64(Int64.max) else { return nil }
    return UInt64(limit.rlim_cur)
  }

  /// Raises it as far as the system allows, to so much at most.
  ///
  /// - Returns: whether it is another now.
  public func raise(to most: UInt64) -> Bool {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < min(limit.rlim_max, rlim_t(most)) else { return false }
    limit.rlim_cur = min(limit.rlim_max, rlim_t(most))
    return setrlimit(resource, &limit) == 0
  }

  #if canImport(Glibc)
    private var resource: __rlimit_resource_t {
      switch self {
      case .openFiles: __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
      case .processes: __rlimit_resource_t(__RLIMIT_NPROC.rawValue)
      case .memory: __rlimit_resource_t(RLIMIT_AS.rawValue)
      }
    }
  #else
    private var resource: Int32 {
      switch self {
      case .openFiles: RLIMIT_NOFILE
      case .processes: RLIMIT_NPROC
      case .memory: RLIMIT_AS
      }
    }
  #endif
}
