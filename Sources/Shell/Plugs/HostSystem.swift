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
  /// Gives the terminal away while other programs run.
  private let console: Console

  init(console: Console, history: @escaping @Sendable () -> [String]) {
    self.console = console
    lines = history
  }

  func environment(_ name: String) -> String? { HostSystem.variable(name) }

  static func variable(_ name: String) -> String? { getenv(name).map { SystemText.text($0) } }

  /// https://no-color.org
  static var hasColour: Bool { variable("NO_COLOR").map(\.isEmpty) ?? true }

  func history() -> [String] { lines() }

  func edit(_ text: String) async throws(FileProblem) -> String {
    try await onThread { (_) throws(FileProblem) in try HostSystem.edited(text) }
  }

  /// For the editor's own thread, which has nothing else to do meanwhile; nil where it failed.
  static func editNow(_ text: String) -> String? { try? edited(text) }

  private static func edited(_ text: String) throws(FileProblem) -> String {
    let folder = HostSystem.variable("TMPDIR").flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var name = SystemText.bytes("\(folder)/promptsh-XXXXXX.psh")
    let descriptor = mkstemps(&name, 4)
    guard descriptor >= 0 else { throw FileProblem("no temporary file could be made in \(folder)") }
    let path = SystemText.text(name)
    defer { unlink(name) }
    do throws(OutputProblem) {
      try Descriptor.write(Array((text + "\n").utf8), to: descriptor, named: path)
      close(descriptor)
    } catch {
      close(descriptor)
      throw FileProblem(error.description)
    }
    let editor = ["VISUAL", "EDITOR"].lazy.compactMap(HostSystem.variable).first { !$0.isEmpty } ?? "vi"
    // The variable is shell text by custom (`code --wait`); the path is an argument, whatever the folder is called.
    guard try Child.run("\(editor) \"$1\"", [path]) == 0 else { throw FileProblem("`\(editor)` did not end well: nothing is taken over") }
    guard case .success(let edited) = Shell.read(path) else { throw FileProblem("\(path) could not be read back") }
    return String(edited.reversed().drop(while: \.isNewline).reversed())
  }

  func clock(_ ago: Duration) -> String { HostSystem.clock(ago) }

  /// The time of day so long ago; ahead where it is negative.
  static func clock(_ ago: Duration) -> String {
    var moment = time(nil) - Int(ago.components.seconds)
    var parts = tm()
    localtime_r(&moment, &parts)
    return formatted("%H:%M:%S", &parts)
  }

  static var processNumber: Int { Int(getpid()) }
  var process: Int { Self.processNumber }

  func timestamp(_ ago: Duration) -> String {
    var now = time(nil) - Int(ago.components.seconds)
    var parts = tm()
    gmtime_r(&now, &parts)
    return HostSystem.formatted("%Y-%m-%dT%H:%M:%SZ", &parts)
  }

  private static func formatted(_ format: String, _ parts: inout tm) -> String {
    var buffer = [CChar](repeating: 0, count: 32)
    let count = strftime(&buffer, buffer.count, format, &parts)
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Waits on a thread of its own, so that no task's thread is blocked.
  func run(_ command: String) async throws(FileProblem) -> Int {
    try await onThread { (handle) throws(FileProblem) in try Child.run(command, handle: handle) }
  }

  /// What has the terminal to itself, and blocks, runs on a thread of its own: those of tasks are two.
  private func onThread<T: Sendable>(_ body: @escaping @Sendable (Child.Handle) throws(FileProblem) -> T) async throws(FileProblem) -> T {
    let handle = Child.Handle()
    let result = await withTaskCancellationHandler {
      await onOwnThread { [console] () -> Result<T, FileProblem> in
        do throws(FileProblem) {
          return .success(try console.lend { () throws(FileProblem) in try body(handle) })
        } catch { return .failure(error) }
      }
    } onCancel: {
      handle.interrupt()
    }
    guard let result else { throw FileProblem("the system gives no thread to wait for it (`ulimit -u`)") }
    return try result.get()
  }
}
