import Names

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The system calls around a stream socket of the file system.
enum ControlSocket {
  /// Listens at a path, readable and writable for its owner alone.
  ///
  /// - Throws: where somebody listens there, something else lies there, or the path is too long for a socket address.
  static func listen(at path: String) throws(ControlProblem) -> Int32 {
    let descriptor = try make()
    var outcome = bound(descriptor, path)
    if outcome == EADDRINUSE, isSocket(path), isDead(path) {
      // Left by a process that was killed.
      unlink(SystemText.bytes(path))
      outcome = bound(descriptor, path)
    }
    guard outcome == 0 else {
      close(descriptor)
      throw problem(path, outcome == EADDRINUSE && !isSocket(path) ? EEXIST : outcome)
    }
    guard chmod(SystemText.bytes(path), 0o600) == 0, Self.systemListen(descriptor) == 0 else {
      let failure = errno
      unlink(SystemText.bytes(path))
      close(descriptor)
      throw problem(path, failure)
    }
    return descriptor
  }

  static func connect(to path: String) throws(ControlProblem) -> Int32 {
    let descriptor = try make()
    let outcome = withAddress(path) { address, size in
      #if canImport(Glibc)
        Glibc.connect(descriptor, address, size) == 0 ? 0 : errno
      #else
        Darwin.connect(descriptor, address, size) == 0 ? 0 : errno
      #endif
    }
    guard outcome == 0 else {
      close(descriptor)
      throw problem(path, outcome)
    }
    return descriptor
  }

  /// Whether nobody listens at a socket's path any more.
  static func isDead(_ path: String) -> Bool {
    guard let descriptor = try? make() else { return false }
    defer { close(descriptor) }
    // A listener whose queue is full must not hold us up.
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    let outcome = withAddress(path) { address, size in
      #if canImport(Glibc)
        Glibc.connect(descriptor, address, size) == 0 ? 0 : errno
      #else
        Darwin.connect(descriptor, address, size) == 0 ? 0 : errno
      #endif
    }
    return outcome == ECONNREFUSED
  }

  /// The user and the process at the other end, as the kernel knows them; nil where it does not say.
  static func peer(of descriptor: Int32) -> (user: uid_t, process: pid_t?)? {
    #if canImport(Glibc)
      // `struct ucred` of unix(7): pid, uid, gid.
      var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
      var size = socklen_t(MemoryLayout.size(ofValue: credentials))
      guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 else { return nil }
      return (credentials.uid, credentials.pid)
    #else
      var (user, group) = (uid_t(), gid_t())
      guard getpeereid(descriptor, &user, &group) == 0 else { return nil }
      var process = pid_t()
      var size = socklen_t(MemoryLayout<pid_t>.size)
      let knowsProcess = getsockopt(descriptor, SOL_LOCAL, LOCAL_PEERPID, &process, &size) == 0
      return (user, knowsProcess ? process : nil)
    #endif
  }

  // MARK: pieces

  private static func make() throws(ControlProblem) -> Int32 {
    #if canImport(Glibc)
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    #else
      let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
    #endif
    guard descriptor >= 0 else { throw ControlProblem("no socket could be made: \(String(cString: strerror(errno)))") }
    #if !canImport(Glibc)
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      var on: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
    #endif
    return descriptor
  }

  private static func systemListen(_ descriptor: Int32) -> Int32 {
    #if canImport(Glibc)
      Glibc.listen(descriptor, 64)
    #else
      Darwin.listen(descriptor, 64)
    #endif
  }

  private static func bound(_ descriptor: Int32, _ path: String) -> Int32 {
    withAddress(path) { address, size in bind(descriptor, address, size) == 0 ? 0 : errno }
  }

  static func isSocket(_ path: String) -> Bool {
    var status = stat()
    return lstat(SystemText.bytes(path), &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  /// Calls `body` with the socket address of a path; `ENAMETOOLONG` where it does not fit into one.
  private static func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = SystemText.bytes(path)
    guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else { return ENAMETOOLONG }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes.map(UInt8.init(bitPattern:))) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  private static func problem(_ path: String, _ code: Int32) -> ControlProblem {
    switch code {
    case EEXIST: ControlProblem("\(path): something else lies there")
    case EADDRINUSE: ControlProblem("\(path): another session listens there")
    case ECONNREFUSED: ControlProblem("\(path): nobody listens there any more")
    case ENAMETOOLONG: ControlProblem("\(path): the path is too long for a socket (at most 100 bytes or so)")
    default: ControlProblem("\(path): \(String(cString: strerror(code)))")
    }
  }
}
