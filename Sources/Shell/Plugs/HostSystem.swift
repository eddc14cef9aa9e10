import Interpreter
import Names
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
    try await console.lending { (handle) throws(FileProblem) in try HostSystem.edited(text, handle) }
  }

  /// Takes the calling thread.
  static func edited(_ text: String, _ handle: Child.Handle) throws(FileProblem) -> String {
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
    guard try Child.run("\(Child.chosen(editor)) \"$1\"", [path], handle: handle) == 0 else {
      throw FileProblem("`\(editor)` did not end well: nothing is taken over")
    }
    guard case .success(let edited) = Shell.read(path) else { throw FileProblem("\(path) could not be read back") }
    return String(edited.reversed().drop(while: \.isNewline).reversed())
  }

  func clock(_ moment: Duration) -> String { console.wallClock.clock(moment) }
  func timestamp(_ moment: Duration?) -> String { console.wallClock.timestamp(moment) }

  static var processNumber: Int { Int(getpid()) }
  var process: Int { Self.processNumber }

  func run(_ command: String) async throws(FileProblem) -> Int {
    try await console.lending { (handle) throws(FileProblem) in try Child.run(command, handle: handle) }
  }
}
