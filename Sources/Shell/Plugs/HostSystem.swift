import Interpreter
import Synchronization

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The system around the shell: environment, other programs.
final class HostSystem: SystemAccess {
  private let lines: @Sendable () -> [String]

  init(history: @escaping @Sendable () -> [String]) {
    lines = history
  }

  func environment(_ name: String) -> String? { HostSystem.variable(name) }

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  func history() -> [String] { lines() }

  func timestamp() -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Waits on a thread of its own, so that no task's thread is blocked.
  func run(_ command: String) async throws(FileProblem) -> Int {
    let status = await withCheckedContinuation { (continuation: CheckedContinuation<Int32, Never>) in
      let thread = ThreadBody { continuation.resume(returning: HostSystem.spawn(command)) }
      thread.start()
    }
    if status == -1 { throw FileProblem("the system's shell could not be started") }
    // As a shell reports it: a signal is 128 and its number.
    return status & 0x7F == 0 ? Int(status >> 8 & 0xFF) : 128 + Int(status & 0x7F)
  }

  private static func spawn(_ command: String) -> Int32 {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The child gets the signals a program expects, whatever we do with ours.
    var (none, defaults) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&defaults)
    for signal in [SIGINT, SIGPIPE, SIGTERM, SIGHUP, SIGTSTP] { sigaddset(&defaults, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var arguments: [UnsafeMutablePointer<CChar>?] = ["/bin/sh", "-c", command].map { (word: String) in strdup(word) }
    defer { for argument in arguments { free(argument) } }
    arguments.append(nil)
    var child = pid_t()
    guard posix_spawn(&child, "/bin/sh", nil, &attributes, arguments, environ) == 0 else { return -1 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status
  }
}

/// A thread for something that blocks.
struct ThreadBody: Sendable {
  let body: @Sendable () -> Void

  func start() {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let context = Unmanaged.passRetained(Box(body)).toOpaque()
    #if canImport(Glibc)
      var thread = pthread_t()
      let failed = pthread_create(
        &thread, nil,
        {
          Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
          return nil
        }, context)
      if failed == 0 { pthread_detach(thread) }
    #else
      var thread: pthread_t?
      let failed = pthread_create(
        &thread, nil,
        {
          Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body()
          return nil
        }, context)
      if failed == 0, let thread { pthread_detach(thread) }
    #endif
    if failed != 0 { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().body() }
  }
}
