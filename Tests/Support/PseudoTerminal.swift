import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program on a pseudo-terminal of its own, whose session it leads: what a window is to it. Nothing sleeps: the tests wait for what
/// the terminal shows. A program that lives longer than a minute is ended.
///
/// `@unchecked Sendable`: the mutex and condition guard what changes.
public final class PseudoTerminal: @unchecked Sendable {
  public struct Problem: Error, CustomStringConvertible { public var description: String }

  public let process: pid_t
  private let master: Int32
  /// A byte on it ends the reading thread, which alone closes the master.
  private let hangUpPipe: (read: Int32, write: Int32)
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var bytes: [UInt8] = []
  private var isClosed = false
  private var ended: Int32?

  private static let spawning = Mutex(())

  /// - Parameters:
  ///   - program: a path; it is found in nothing.
  ///   - folder: where it starts; it must be there.
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], folder: String = "/", columns: UInt16 = 100,
    rows: UInt16 = 30
  ) throws {
    ignoreBrokenPipes()
    guard let (master, slave) = Self.open() else { throw Problem(description: "no pty") }
    _ = fcntl(master, F_SETFD, FD_CLOEXEC)
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Problem(description: "no pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    self.master = master
    hangUpPipe = (ends[0], ends[1])
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    // A new session, whose first terminal is the one opened next.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF) | Self.newSession)
    posix_spawn_file_actions_addopen(&actions, 0, slave, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, 0, 1)
    posix_spawn_file_actions_adddup2(&actions, 0, 2)
    var variables = ["PATH": "/usr/bin:/bin", "HOME": folder, "TERM": "xterm", "LANG": "C.UTF-8"]
    for (name, value) in environment { variables[name] = value }
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] { if let options = getenv(name) { variables[name] = String(cString: options) } }
    var argv: [UnsafeMutablePointer<CChar>?] =
      (["sh", "-c", "cd \"$0\" && exec \"$@\"", folder, program] + arguments).map { (text: String) in strdup(text) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = variables.map { (name, value) in strdup("\(name)=\(value)") } + [nil]
    defer {
      for text in argv + envp { free(text) }
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    var child = pid_t()
    let failed = posix_spawn(&child, "/bin/sh", &actions, &attributes, &argv, &envp)
    guard failed == 0 else { throw Problem(description: "\(program): \(String(cString: strerror(failed)))") }
    process = child
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
    startThread { [self] in readAll() }
    startThread { [self] in reap() }
  }

  /// POSIX_SPAWN_SETSID, which the C module shows to GNU programs only.
  #if canImport(Glibc)
    private static let newSession: Int16 = 0x80
  #else
    private static let newSession: Int16 = 0x400
  #endif

  /// A new pair: the master's descriptor and the slave's name.
  private static func open() -> (Int32, String)? {
    #if canImport(Glibc)
      let master = Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY)
      var (unlocked, number): (Int32, Int32) = (0, 0)
      // TIOCSPTLCK and TIOCGPTN: `unlockpt` and `ptsname` are shown to GNU programs only.
      guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else { return nil }
      return (master, "/dev/pts/\(number)")
    #else
      let master = posix_openpt(O_RDWR | O_NOCTTY)
      guard master >= 0, grantpt(master) == 0, unlockpt(master) == 0, let name = ptsname(master) else { return nil }
      return (master, String(cString: name))
    #endif
  }

  // MARK: in

  public func type(_ text: String) { send(bytes: Array(text.utf8)) }

  public func send(bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
      if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
    }
  }

  public func signal(_ number: Int32) { kill(process, number) }

  /// The window is closed.
  public func hangUp() {
    var byte: UInt8 = 0
    _ = write(hangUpPipe.write, &byte, 1)
  }

  // MARK: out

  /// All that came so far.
  public var output: String { locked { String(decoding: bytes, as: UTF8.self) } }

  /// Waits until the output holds a text, behind the first `after` bytes of it; returns how long the output is then.
  @discardableResult
  public func wait(for text: String, after: Int = 0) async throws -> Int {
    try await blocking { [self] in
      try waiting("`\(text)`") {
        String(decoding: bytes.dropFirst(after), as: UTF8.self).contains(text) ? bytes.count : nil
      }
    }
  }

  /// Waits until the whole output is as wanted.
  public func wait(_ what: String, _ isThere: @escaping @Sendable (String) -> Bool) async throws {
    try await blocking { [self] in try waiting(what) { isThere(String(decoding: bytes, as: UTF8.self)) ? () : nil } }
  }

  /// Waits for the end of the program; its status as a shell tells it: 128 and the number for a signal.
  public func end() async throws -> Int32 { try await blocking { [self] in try waiting("the end") { ended } } }

  /// All that was written, once the program has ended and nothing more can come.
  public func rest() async throws -> String {
    try await blocking { [self] in try waiting("the end of what is written") { isClosed ? String(decoding: bytes, as: UTF8.self) : nil } }
  }

  public var hasEnded: Bool { locked { ended != nil } }

  /// What the terminal does now with what is typed (`ECHO`, `ICANON`, `ISIG`).
  public var localModes: tcflag_t {
    var mode = termios()
    tcgetattr(master, &mode)
    return mode.c_lflag
  }

  /// Waits until the terminal is in the cooked mode that shells leave, or no longer is.
  public func wait(cooked: Bool) async throws {
    try await blocking { [self] in
      let start = ContinuousClock.now
      while (localModes & tcflag_t(ICANON) != 0) != cooked {
        if start.duration(to: .now) > .seconds(30) {
          throw Problem(description: "the terminal's mode never was \(cooked ? "" : "not ")cooked")
        }
        sched_yield()
      }
    }
  }

  // MARK: threads

  private func locked<T>(_ body: () -> T) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  private func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      startThread { continuation.resume(with: Result { try body() }) }
    }
  }

  private func waiting<T>(_ what: String, _ look: () -> T?) throws -> T {
    var until = timespec()
    clock_gettime(CLOCK_REALTIME, &until)
    until.tv_sec += 30
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let found = look() { return found }
      guard pthread_cond_timedwait(condition, mutex, &until) == 0 else {
        throw Problem(description: "there never was \(what); the terminal shows:\n\(String(decoding: bytes, as: UTF8.self))")
      }
    }
  }

  private func readAll() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let ready = waitForInput(master, wake: hangUpPipe.read)
      if ready.isWoken || ready.isBroken { break }
      let count = read(master, &buffer, buffer.count)
      // The last program on it has gone: as long as nobody hangs up, another may come.
      if count <= 0, errno != EINTR, errno != EAGAIN { break }
      locked {
        bytes += buffer[..<max(0, count)]
        pthread_cond_broadcast(condition)
      }
    }
    close(master)
    close(hangUpPipe.read)
    locked {
      isClosed = true
      pthread_cond_broadcast(condition)
    }
  }

  private func reap() {
    let watchdog = Bell()
    startThread { [process] in if !watchdog.wait(milliseconds: 60_000) { kill(process, SIGKILL) } }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    watchdog.ring()
    locked {
      ended = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
      pthread_cond_broadcast(condition)
    }
  }
}

/// A program that has gone is an error of the write, not our end.
private func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
