import Names

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is wrong with a control socket or its folder, in words.
public struct ControlProblem: Error, Sendable, CustomStringConvertible {
  public var description: String
  /// Somebody else could get in: this is told of, where a folder that merely cannot be made is not.
  public var isUnsafe: Bool

  init(_ description: String, isUnsafe: Bool = false) {
    (self.description, self.isUnsafe) = (description, isUnsafe)
  }
}

/// Where the sockets of a user's sessions are: `$XDG_RUNTIME_DIR/promptsh`, else `control` in the state folder, one
/// `PID.sock` each. Nobody else may enter it.
public struct ControlFolder: Sendable {
  public let path: String

  public init(path: String) {
    self.path = path
  }

  /// Where they may be, the first that can be used first.
  ///
  /// - Parameters:
  ///   - runtime: `XDG_RUNTIME_DIR`; empty or relative is not set, as the XDG base directory specification says.
  ///   - state: promptsh's own state folder; nil where there is none.
  public static func all(runtime: String?, state: String?) -> [ControlFolder] {
    let paths = [runtime.map { ($0, "/promptsh") }, state.map { ($0, "/control") }]
    return paths.compactMap { $0 }.filter { $0.0.hasPrefix("/") }.map { ControlFolder(path: $0.0 + $0.1) }
  }

  /// Where a session listens.
  public func socket(of process: Int32) -> String { "\(path)/\(process).sock" }

  /// Makes the folder where it is missing.
  ///
  /// - Throws: where it is a link, another user's, or open to others: a socket in there would be anybody's.
  func prepare() throws(ControlProblem) {
    if mkdir(SystemText.bytes(path), 0o700) != 0, errno != EEXIST {
      throw ControlProblem("\(path) cannot be made: \(String(cString: strerror(errno)))")
    }
    try ControlFolder.check(path)
  }

  /// - Throws: unless it is a folder of this user's that nobody else may enter.
  static func check(_ path: String) throws(ControlProblem) {
    var status = stat()
    guard lstat(SystemText.bytes(path), &status) == 0 else { throw ControlProblem("\(path): \(String(cString: strerror(errno)))") }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw ControlProblem("\(path) is not a folder (or a link to one): it is not used", isUnsafe: true)
    }
    guard status.st_uid == geteuid() else { throw ControlProblem("\(path) belongs to another user: it is not used", isUnsafe: true) }
    guard status.st_mode & 0o077 == 0 else {
      throw ControlProblem("\(path) is open to other users: it is not used (chmod 700 makes it private)", isUnsafe: true)
    }
  }

  /// The processes whose sockets lie here, in order. Sockets whose process is gone are taken away.
  public func processes() throws(ControlProblem) -> [Int32] {
    var status = stat()
    if lstat(SystemText.bytes(path), &status) != 0, errno == ENOENT { return [] }
    try ControlFolder.check(path)
    guard let directory = opendir(SystemText.bytes(path)) else { throw ControlProblem("\(path): \(String(cString: strerror(errno)))") }
    defer { closedir(directory) }
    var found: [Int32] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasSuffix(".sock"), let process = Int32(name.dropLast(5)), process > 0 else { continue }
      guard ControlSocket.isSocket(socket(of: process)) else { continue }
      if !ControlSocket.isDead(socket(of: process)) {
        found.append(process)
      } else if kill(process, 0) != 0, errno == ESRCH {
        // One that lives is just about to listen.
        unlink(SystemText.bytes(socket(of: process)))
      }
    }
    return found.sorted()
  }
}
