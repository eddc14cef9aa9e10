import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A pane of a tmux server of its own: a real terminal to run the program in. Keys go in, and what the screen shows is waited for;
/// nothing sleeps.
final class Pane: Sendable {
  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
  static let program = getenv("PROMPTSH_PROGRAM").map { String(cString: $0) } ?? root + "/.build/debug/promptsh"

  /// A folder of this pane's own: home, temporary files.
  var folder: String { scratch.path }
  private let scratch: Scratch
  private let tmux: Tmux
  /// Its terminal, and the process that runs in it.
  private let terminal: String
  private let process: String

  struct Missing: Error, CustomStringConvertible { var description: String }

  /// - Parameters:
  ///   - shell: starts bash instead of the program, which `$PSH` names.
  ///   - files: by path within the pane's home.
  init(
    columns: Int = 100, rows: Int = 30, environment: [String: String] = [:], shell: Bool = false, files: [String: String] = [:]
  ) async throws {
    scratch = try Scratch()
    let folder = scratch.path
    for name in [".config", ".config/promptsh", ".local", ".local/state", ".local/state/promptsh"] { mkdir("\(folder)/\(name)", 0o755) }
    for (path, text) in files { try scratch.write(path, text) }
    var variables = ["HOME": folder, "PSH": Self.program, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PS1": "$ ", "PS2": "> "]
    for (name, value) in environment { variables[name] = value }
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] { if let options = getenv(name) { variables[name] = String(cString: options) } }
    let settings = variables.map { "\($0)='\($1)'" }.joined(separator: " ")
    // TERM is tmux's own, unless a test wants another.
    let term = environment["TERM"] == nil ? "TERM=\"$TERM\"" : ""
    try scratch.write(
      "start", "cd \(folder); exec env -i \(term) \(settings) \(shell ? "bash --norc --noprofile -i" : Self.program)")
    tmux = try Tmux("exec sh \(folder)/start", columns: columns, rows: rows, folder: scratch)
    let told = await tmux.run("display-message -p '#{pane_tty} #{pane_pid}'").split(separator: " ").map(String.init)
    guard told.count == 2 else { throw Missing(description: "tmux: \(told) \(tmux.said)") }
    (terminal, process) = (told[0], told[1])
  }

  /// Ends it at once; for a test that wants to be sure.
  func close() async { await tmux.run("kill-server") }

  // MARK: in

  /// Keys by tmux's names: `Enter`, `C-c`, `M-b`, `Left`.
  func press(_ keys: String...) async { await tmux.run("send-keys \(keys.map(Self.quoted).joined(separator: " "))") }

  /// Presses a key again and again until the screen is as wanted: where nobody can see when it will be taken. Between two presses the
  /// screen has stood still for a while; one that never does is looked at for a second.
  func press(_ key: String, until what: String, _ isThere: ([String]) -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(Patience.seconds)
    repeat {
      await press(key)
      var events = -1
      let next = ContinuousClock.now + .seconds(1)
      while events != tmux.events, ContinuousClock.now < next {
        events = tmux.events
        if isThere(await screen()) { return }
        await tmux.event(after: events)
      }
    } while ContinuousClock.now < end && !tmux.isOver
    throw await missing("the screen never showed \(what)")
  }

  func type(_ text: String) async { await send(bytes: Array(text.utf8)) }

  /// Types a line and enters it.
  func enter(_ text: String) async {
    await type(text)
    await press("Enter")
  }

  /// Bytes as they stand.
  func send(bytes: [UInt8]) async {
    guard !bytes.isEmpty else { return }
    let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    await tmux.run("send-keys -H \(hex)")
  }

  /// As a terminal pastes: marked, if the program asked for that.
  func paste(_ text: String) async throws {
    try write("pasted", text)
    await tmux.run("load-buffer \(folder)/pasted")
    await tmux.run("paste-buffer -p")
  }

  /// The window takes another size; returns when the terminal knows.
  func resize(_ columns: Int, _ rows: Int) async throws {
    await tmux.run("resize-window -x \(columns) -y \(rows)")
    try await look("the window become \(columns)×\(rows)") { [terminal] in
      let size = Self.state(of: terminal)?.size
      return size.map { $0.ws_col == columns && $0.ws_row == rows } ?? false
    }
  }

  /// Returns when the program has the terminal in its own mode: after another program had it, what is sent earlier is the system's to edit.
  func waitForKeys() async throws {
    try await look("the program take the keys") { [terminal] in
      (Self.state(of: terminal)?.modes).map { $0 & tcflag_t(ICANON) == 0 } ?? false
    }
  }

  private static func state(of terminal: String) -> (modes: tcflag_t, size: winsize)? {
    let descriptor = Spawn.marked({ open(terminal, O_RDONLY | O_NOCTTY | O_NONBLOCK) }) { [$0] }
    guard descriptor >= 0 else { return nil }
    defer { systemClose(descriptor) }
    var (mode, size) = (termios(), winsize())
    guard tcgetattr(descriptor, &mode) == 0, ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 else { return nil }
    return (mode.c_lflag, size)
  }

  /// Returns when the program has the terminal again: a shell says that it goes on before that, and a key would still be the shell's.
  func waitForForeground() async throws {
    let program = await programID
    for _ in 0..<2000 where await Self.run("ps -o tpgid= -p \(program) | tr -d ' '") == program { return }
    throw Missing(description: "the program never had the terminal")
  }

  func signal(_ name: String) async { _ = await Self.run("kill -\(name) \(await programID)") }

  /// The program's process, also below a shell.
  var programID: String {
    get async {
      let child = await Self.run("pgrep -P \(process) promptsh")
      return child.isEmpty ? process : child
    }
  }

  // MARK: out

  /// From now on every byte that the program writes to the terminal is kept.
  func record() { tmux.record() }

  /// What was kept, once it holds a text.
  func recorded(with mark: String) async throws -> [UInt8] {
    guard let bytes = await tmux.written(with: mark) else { throw await missing("`\(mark)` was never recorded") }
    return bytes
  }

  /// What the screen shows, without the blanks at the ends of lines and the empty lines below.
  func screen() async -> [String] {
    var lines = await tmux.run("capture-pane -p").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  /// With the sequences of colours.
  func coloured() async -> String { await tmux.run("capture-pane -p -e") }

  /// The screen and what has scrolled out of it.
  func everything() async -> [String] {
    await tmux.run("capture-pane -p -S -20000").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  func cursor() async -> (column: Int, row: Int) {
    let numbers = await tmux.run("display-message -p '#{cursor_x} #{cursor_y}'").split(separator: " ").compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1]) : (-1, -1)
  }

  /// Looks until the screen is as wanted: whenever the program has written something.
  ///
  /// - Throws: `Missing`, with the screen, when `Patience` is at its end.
  @discardableResult
  func wait(_ what: String, _ isThere: ([String]) -> Bool) async throws -> [String] {
    try await looks("the screen never showed \(what)") {
      let lines = await screen()
      return isThere(lines) ? lines : nil
    }
  }

  @discardableResult
  func wait(for text: String) async throws -> [String] {
    try await wait("`\(text)`") { $0.contains { $0.contains(text) } }
  }

  /// The last line is a prompt with this behind it.
  @discardableResult
  func prompt(_ text: String = "") async throws -> [String] {
    try await wait("a prompt with `\(text)`") { lines in
      lines.last.map { $0.hasPrefix("psh ") && ($0.hasSuffix("> \(text)") || text.isEmpty && $0.hasSuffix(">")) } ?? false
    }
  }

  /// The screen in colours, once it is as wanted.
  @discardableResult
  func coloured(_ what: String, _ isThere: (String) -> Bool) async throws -> String {
    try await looks("the screen never showed \(what)") {
      let text = await coloured()
      return isThere(text) ? text : nil
    }
  }

  /// Where the cursor is once it stands in a column.
  func cursor(inColumn column: Int) async throws -> Int {
    try await looks("the cursor never stood in column \(column)") {
      let place = await cursor()
      return place.column == column ? place.row : nil
    }
  }

  func cursor(at column: Int, _ row: Int) async throws {
    try await looks("the cursor never stood at \((column, row))") { await cursor() == (column, row) ? () : nil }
  }

  private func looks<T>(_ what: String, _ look: () async -> T?) async throws -> T {
    let end = ContinuousClock.now + .seconds(Patience.seconds)
    repeat {
      let events = tmux.events
      if let found = await look() { return found }
      if tmux.isOver { throw Missing(description: "\(what), and tmux has ended: \(tmux.said)") }
      await tmux.event(after: events)
    } while ContinuousClock.now < end
    throw await missing(what)
  }

  private func missing(_ what: String) async -> Missing {
    Missing(description: "\(what); the cursor is at \(await cursor()), the screen shows:\n\(await screen().joined(separator: "\n"))")
  }

  /// Looks for what nobody tells of.
  private func look(_ what: String, _ isThere: @escaping @Sendable () -> Bool) async throws {
    guard await onOwnThread({ Patience.until(isThere) }) == true else { throw await missing("never did \(what)") }
  }

  /// Waits until a file of the pane's home is there; returns what it holds.
  func file(_ path: String) async throws -> String {
    try await look("a file \(path) come") { [folder] in access("\(folder)/\(path)", F_OK) == 0 }
    return scratch.read(path) ?? ""
  }

  func write(_ path: String, _ text: String) throws { try scratch.write(path, text) }

  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

  static func run(_ command: String) async -> String { await Spawn.run(command) }
}

/// Within the pane `close` is its own.
private func systemClose(_ descriptor: Int32) { close(descriptor) }
