import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs the built program with pipes for its descriptors. It is ended after a minute (or `seconds`), whatever it does.
enum Program {
  struct Result: Sendable {
    var status: Int32
    var output: String
    var errors: String
  }

  struct CannotRun: Error { var what: String }

  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }

  /// What PROMPTSH_PROGRAM names, else the debug build.
  static let path = variable("PROMPTSH_PROGRAM") ?? root + "/.build/debug/promptsh"

  /// - Parameters:
  ///   - program: another than ours, which starts ours.
  ///   - holdsInput: standard input does not end before the program.
  ///   - interruptAfter: text on standard error upon which the signals are sent; SIGCONT three seconds after the one before it.
  static func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:], closesOutput: Bool = false,
    interruptAfter: String? = nil, signals: [Int32] = [SIGINT], program: String = Program.path,
    holdsInput: Bool = false, seconds: Int = 60
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      startThread {
        continuation.resume(
          with: Swift.Result {
            try spawn(program, arguments, input, environment, closesOutput, interruptAfter, signals, holdsInput, seconds)
          })
      }
    }
  }

  private static func spawn(
    _ path: String, _ arguments: [String], _ input: String, _ environment: [String: String], _ closesOutput: Bool,
    _ interruptAfter: String?,
    _ signals: [Int32], _ holdsInput: Bool, _ seconds: Int
  ) throws -> Result {
    var (inPipe, outPipe, errorPipe): ([Int32], [Int32], [Int32]) = ([0, 0], [0, 0], [0, 0])
    // Between a pipe and its close-on-exec mark no other test may start a program: it would keep the pipe open.
    spawning.lock()
    guard pipe(&inPipe) == 0, pipe(&outPipe) == 0, pipe(&errorPipe) == 0 else {
      spawning.unlock()
      throw CannotRun(what: "pipe")
    }
    for end in inPipe + outPipe + errorPipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_adddup2(&actions, inPipe[0], 0)
    posix_spawn_file_actions_adddup2(&actions, outPipe[1], 1)
    posix_spawn_file_actions_adddup2(&actions, errorPipe[1], 2)
    // Nothing of the developer's own settings or keys.
    var variables = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "xterm"]
    for (name, value) in environment { variables[name] = value }
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] { if let options = variable(name) { variables[name] = options } }
    var argv: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { (text: String) in strdup(text) } + [nil]
    var envp: [UnsafeMutablePointer<CChar>?] = variables.map { (name, value) in strdup("\(name)=\(value)") } + [nil]
    defer {
      for text in argv + envp { free(text) }
      posix_spawn_file_actions_destroy(&actions)
    }
    var child = pid_t()
    // Whatever the test run itself was started with, the program begins as at a terminal.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    let started = posix_spawn(&child, path, &actions, &attributes, &argv, &envp) == 0
    spawning.unlock()
    guard started else { throw CannotRun(what: path) }
    for descriptor in [inPipe[0], outPipe[1], errorPipe[1]] { close(descriptor) }
    if closesOutput { close(outPipe[0]) }
    let (output, errors) = (Collected(), Collected())
    let process = child
    let ends = (out: closesOutput ? Int32(-1) : outPipe[0], errors: errorPipe[0])
    if !closesOutput { startThread { output.read(ends.out) { _ in } } } else { output.finish() }
    startThread {
      let interrupted = Mutex(false)
      errors.read(ends.errors) { text in
        if let interruptAfter, text.contains(interruptAfter), !interrupted.withLock({ $0 }) {
          interrupted.withLock { $0 = true }
          for signal in signals {
            if signal == SIGCONT { poll(nil, 0, 3000) }
            kill(process, signal)
          }
        }
      }
    }
    signal(SIGPIPE, SIG_IGN)
    var bytes = Array(input.utf8)
    while !bytes.isEmpty {
      let count = write(inPipe[1], bytes, bytes.count)
      if count <= 0 { break }
      bytes.removeFirst(count)
    }
    if !holdsInput { close(inPipe[1]) }
    defer { if holdsInput { close(inPipe[1]) } }
    // A guard against a program that never ends; it is waited for below.
    let timer = Collected()
    startThread {
      if !timer.wait(seconds: seconds) { kill(process, SIGKILL) }
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    timer.finish()
    _ = output.wait(seconds: 10)
    _ = errors.wait(seconds: 10)
    let exited = status & 0x7F == 0
    return Result(status: exited ? status >> 8 & 0xFF : 128 + (status & 0x7F), output: output.text, errors: errors.text)
  }

  /// `@unchecked Sendable`: a POSIX mutex.
  private final class Lock: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    init() { pthread_mutex_init(mutex, nil) }
    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
  }

  private static let spawning = Lock()

  /// What a thread reads, and whether it is done. `@unchecked Sendable`: the mutex and condition guard the rest.
  private final class Collected: @unchecked Sendable {
    private var bytes: [UInt8] = []
    private var isDone = false
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
      pthread_mutex_init(mutex, nil)
      pthread_cond_init(condition, nil)
    }

    var text: String {
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      return String(decoding: bytes, as: UTF8.self)
    }

    func read(_ descriptor: Int32, _ seen: (String) -> Void) {
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        #if canImport(Glibc)
          let count = Glibc.read(descriptor, &buffer, buffer.count)
        #else
          let count = Darwin.read(descriptor, &buffer, buffer.count)
        #endif
        if count <= 0 { break }
        pthread_mutex_lock(mutex)
        bytes += buffer[..<count]
        pthread_mutex_unlock(mutex)
        seen(text)
      }
      close(descriptor)
      finish()
    }

    func finish() {
      pthread_mutex_lock(mutex)
      isDone = true
      pthread_cond_broadcast(condition)
      pthread_mutex_unlock(mutex)
    }

    func wait(seconds: Int) -> Bool {
      var until = timespec()
      clock_gettime(CLOCK_REALTIME, &until)
      until.tv_sec += seconds
      pthread_mutex_lock(mutex)
      defer { pthread_mutex_unlock(mutex) }
      while !isDone { if pthread_cond_timedwait(condition, mutex, &until) != 0 { break } }
      return isDone
    }
  }
}
