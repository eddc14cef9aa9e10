import Interpreter
import Threads

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

  /// https://no-color.org
  static var hasColour: Bool { variable("NO_COLOR").map(\.isEmpty) ?? true }

  func history() -> [String] { lines() }

  func edit(_ text: String) async throws(FileProblem) -> String {
    let result: Result<String, FileProblem> = await withCheckedContinuation { continuation in
      startThread {
        do throws(FileProblem) {
          continuation.resume(returning: .success(try HostSystem.edited(text)))
        } catch { continuation.resume(returning: .failure(error)) }
      }
    }
    return try result.get()
  }

  /// For the editor's own thread, which has nothing else to do meanwhile; nil where it failed.
  static func editNow(_ text: String) -> String? { try? edited(text) }

  private static func edited(_ text: String) throws(FileProblem) -> String {
    let folder = HostSystem.variable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var name = Array("\(folder)/promptsh-XXXXXX.psh".utf8CString)
    let descriptor = mkstemps(&name, 4)
    guard descriptor >= 0 else { throw FileProblem("no temporary file could be made in \(folder)") }
    let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    do throws(OutputProblem) {
      try Descriptor.write(Array((text + "\n").utf8), to: descriptor, named: path)
      close(descriptor)
    } catch {
      close(descriptor)
      throw FileProblem(error.description)
    }
    let editor = ["VISUAL", "EDITOR"].lazy.compactMap(HostSystem.variable).first { !$0.isEmpty } ?? "vi"
    guard spawn("\(editor) '\(path)'") == 0 else { throw FileProblem("`\(editor)` did not end well: nothing is taken over") }
    guard case .success(let edited) = Shell.read(path) else { throw FileProblem("\(path) could not be read back") }
    return String(edited.reversed().drop(while: \.isNewline).reversed())
  }

  func clock(_ ago: Duration) -> String {
    var moment = time(nil) - Int(ago.components.seconds)
    var parts = tm()
    localtime_r(&moment, &parts)
    return formatted("%H:%M:%S", &parts)
  }

  func timestamp() -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    return formatted("%Y-%m-%dT%H:%M:%SZ", &parts)
  }

  private func formatted(_ format: String, _ parts: inout tm) -> String {
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Waits on a thread of its own, so that no task's thread is blocked.
  func run(_ command: String) async throws(FileProblem) -> Int {
    let status = await withCheckedContinuation { (continuation: CheckedContinuation<Int32, Never>) in
      startThread { continuation.resume(returning: HostSystem.spawn(command)) }
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
