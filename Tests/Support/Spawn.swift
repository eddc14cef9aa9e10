import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where the tests start programs: all of them, and the pipes to them, in one place.
///
/// Between a descriptor and its close-on-exec mark no program may be started: it would keep the descriptor, and whoever waits for its end
/// would wait for that program too.
public enum Spawn {
  public struct Problem: Error, CustomStringConvertible {
    public var description: String
    public init(description: String) { self.description = description }
  }

  private static let starting = Mutex(())

  /// Makes descriptors that no program gets that is started meanwhile.
  public static func marked<Result: Sendable>(_ make: () -> Result, _ descriptors: (Result) -> [Int32]) -> Result {
    starting.withLock { _ in
      let made = make()
      for descriptor in descriptors(made) where descriptor >= 0 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      return made
    }
  }

  public static func pipe() throws -> (read: Int32, write: Int32) {
    let ends = marked({
      var ends: [Int32] = [-1, -1]
      return systemPipe(&ends) == 0 ? ends : []
    }) { $0 }
    guard ends.count == 2 else { throw Problem(description: "no pipe: \(String(cString: strerror(errno)))") }
    return (ends[0], ends[1])
  }

  /// What a program has for a descriptor.
  public enum Source: Sendable {
    case descriptor(Int32)
    case file(String, Int32 = O_RDWR)
  }

  /// Starts a program as at a terminal, whatever the test run itself was started with: no signal is ignored or blocked.
  ///
  /// - Parameters:
  ///   - environment: all of it, but for the sanitizers' options.
  ///   - descriptors: from 0 on.
  ///   - leadsSession: in a session of its own, whose terminal is the first that it opens.
  public static func start(
    _ program: String, _ arguments: [String], environment: [String: String], descriptors: [Source], leadsSession: Bool = false
  ) throws -> pid_t {
    // A program that has gone is an error of the write, not our end.
    signal(SIGPIPE, SIG_IGN)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    for (number, source) in descriptors.enumerated() {
      switch source {
      case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
      case .file(let path, let flags): posix_spawn_file_actions_addopen(&actions, Int32(number), path, flags, 0)
      }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var (all, none) = (sigset_t(), sigset_t())
    sigfillset(&all)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    // The tests' threads block signals.
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETSIGMASK) | (leadsSession ? newSession : 0))
    var variables = environment
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] { if let options = getenv(name) { variables[name] = String(cString: options) } }
    var argv: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { (text: String) in strdup(text) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = variables.map { (name, value) in strdup("\(name)=\(value)") } + [nil]
    defer {
      for text in argv + envp { free(text) }
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    var child = pid_t()
    let failed = starting.withLock { _ in posix_spawn(&child, program, &actions, &attributes, &argv, &envp) }
    guard failed == 0 else { throw Problem(description: "\(program): \(String(cString: strerror(failed)))") }
    return child
  }

  /// POSIX_SPAWN_SETSID, which the C module shows to GNU programs only.
  #if canImport(Glibc)
    private static let newSession: Int16 = 0x80
  #else
    private static let newSession: Int16 = 0x400
  #endif

  /// Waits for the end of a program that was started here; one that lives too long is killed. Blocks.
  ///
  /// - Returns: the status as a shell tells it: 128 and the number for a signal.
  public static func end(of process: pid_t, seconds: Int = Patience.life) -> Int32 {
    let hasEnded = Bell()
    startThread { if !hasEnded.wait(milliseconds: seconds * 1000) { kill(process, SIGKILL) } }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    hasEnded.ring()
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + (status & 0x7F)
  }

  /// What a line of the system's shell prints on both outputs, without its last line end. Blocks.
  public static func shell(_ line: String) -> String {
    guard let (output, end) = try? pipe() else { return "" }
    let process = try? start(
      "/bin/sh", ["-c", line], environment: inherited, descriptors: [.file("/dev/null"), .descriptor(end), .descriptor(end)])
    close(end)
    defer { close(output) }
    guard let process else { return "" }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = read(output, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
    _ = self.end(of: process)
    if bytes.last == 0x0A { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The same on a thread of its own: tasks have few.
  public static func run(_ line: String) async -> String { await onOwnThread { shell(line) } ?? "" }

  /// Whether a line of the system's shell succeeds. Blocks.
  public static func succeeds(_ line: String) -> Bool { shell("(\(line)) >/dev/null 2>&1 && echo yes") == "yes" }

  /// Our own environment.
  public static var inherited: [String: String] {
    var variables: [String: String] = [:]
    var place = environ
    while let entry = place.pointee {
      let text = String(cString: entry)
      if let end = text.firstIndex(of: "=") { variables[String(text[..<end])] = String(text[text.index(after: end)...]) }
      place += 1
    }
    return variables
  }
}

private func systemPipe(_ ends: inout [Int32]) -> Int32 {
  #if canImport(Glibc)
    Glibc.pipe(&ends)
  #else
    Darwin.pipe(&ends)
  #endif
}
