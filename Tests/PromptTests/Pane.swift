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
  private static let number = Atomic(0)

  /// A folder of this pane's own: home, temporary files.
  let folder: String
  private let socket: String

  struct Missing: Error, CustomStringConvertible { var description: String }

  /// - Parameters:
  ///   - shell: starts bash instead of the program, which `$PSH` names.
  ///   - files: by path within the pane's home.
  init(
    columns: Int = 100, rows: Int = 30, environment: [String: String] = [:], shell: Bool = false, files: [String: String] = [:]
  ) async throws {
    let number = Self.number.add(1, ordering: .relaxed).newValue
    socket = "promptsh-test-\(getpid())-\(number)"
    folder = "/tmp/promptsh-test-\(getpid())-\(number)"
    _ = await Self.run("rm -rf \(folder); mkdir -p \(folder)/.config/promptsh \(folder)/.local/state/promptsh")
    for (path, text) in files { try write(path, text) }
    var variables = ["HOME": folder, "PSH": Self.program, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PS1": "$ ", "PS2": "> "]
    for (name, value) in environment { variables[name] = value }
    for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] { if let options = getenv(name) { variables[name] = String(cString: options) } }
    let settings = variables.map { "\($0)='\($1)'" }.joined(separator: " ")
    // TERM is tmux's own, unless a test wants another.
    let term = environment["TERM"] == nil ? "TERM=\"$TERM\"" : ""
    let command = "cd \(folder); exec env -i \(term) \(settings) \(shell ? "bash --norc --noprofile -i" : Self.program)"
    try write("start", command)
    let started = await tmux("-f /dev/null -u new-session -d -x \(columns) -y \(rows) 'sh \(folder)/start'")
    guard started.isEmpty else { throw Missing(description: "tmux: \(started)") }
    // A pane whose program ended keeps its screen.
    _ = await tmux("set-option -g remain-on-exit on")
  }

  deinit {
    let (socket, folder) = (socket, folder)
    startThread {
      _ = Self.shell("tmux -L \(socket) kill-server 2>&1; rm -rf \(folder)")
    }
  }

  /// Ends it at once; for a test that wants to be sure.
  func close() async { _ = await tmux("kill-server") }

  // MARK: in

  /// Keys by tmux's names: `Enter`, `C-c`, `M-b`, `Left`.
  func press(_ keys: String...) async { _ = await tmux("send-keys \(keys.map(Self.quoted).joined(separator: " "))") }

  func type(_ text: String) async { _ = await tmux("send-keys -l \(Self.quoted(text))") }

  /// Types a line and enters it.
  func enter(_ text: String) async {
    await type(text)
    await press("Enter")
  }

  /// Bytes as they stand.
  func send(bytes: [UInt8]) async {
    let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    _ = await tmux("send-keys -H \(hex)")
  }

  /// As a terminal pastes: marked, if the program asked for that.
  func paste(_ text: String) async throws {
    try write("pasted", text)
    _ = await tmux("load-buffer \(folder)/pasted")
    _ = await tmux("paste-buffer -p")
  }

  /// The window takes another size; returns when the terminal knows.
  func resize(_ columns: Int, _ rows: Int) async throws {
    _ = await tmux("resize-window -x \(columns) -y \(rows)")
    let tty = await tmux("display-message -p '#{pane_tty}'")
    for _ in 0..<2000 where await Self.run("stty size < \(tty)") == "\(rows) \(columns)" { return }
    throw Missing(description: "the window did not become \(columns)×\(rows)")
  }

  /// Returns when the program has the terminal in its own mode: after another program had it, what is sent earlier is the system's to edit.
  func waitForKeys() async throws {
    let tty = await tmux("display-message -p '#{pane_tty}'")
    for _ in 0..<2000 where await Self.run("stty -a < \(tty)").contains("-icanon") { return }
    throw Missing(description: "the program never took the keys")
  }

  func signal(_ name: String) async { _ = await Self.run("kill -\(name) \(await programID)") }

  /// The program's process, also below a shell.
  var programID: String {
    get async {
      let pane = await tmux("display-message -p '#{pane_pid}'")
      let child = await Self.run("pgrep -P \(pane) promptsh")
      return child.isEmpty ? pane : child
    }
  }

  // MARK: out

  /// From now on every byte that the program writes to the terminal is kept.
  func record() async { _ = await tmux("pipe-pane -o 'cat >> \(folder)/recorded'") }

  /// What was kept. tmux hands it on a little later than it draws it.
  func recorded(with mark: String) async throws -> [UInt8] {
    let start = ContinuousClock.now
    while start.duration(to: .now) < .seconds(30) {
      let bytes = Self.bytes(of: "\(folder)/recorded")
      if bytes.contains(Array(mark.utf8)) { return bytes }
    }
    throw Missing(description: "`\(mark)` was never recorded")
  }

  private static func bytes(of path: String) -> [UInt8] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var (bytes, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
  }

  /// What the screen shows, without the blanks at the ends of lines and the empty lines below.
  func screen() async -> [String] {
    var lines = await tmux("capture-pane -p").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    while lines.last == "" { lines.removeLast() }
    return lines
  }

  /// With the sequences of colours.
  func coloured() async -> String { await tmux("capture-pane -p -e") }

  /// The screen and what has scrolled out of it.
  func everything() async -> [String] {
    await tmux("capture-pane -p -S -20000").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  func cursor() async -> (column: Int, row: Int) {
    let numbers = await tmux("display-message -p '#{cursor_x} #{cursor_y}'").split(separator: " ").compactMap { Int($0) }
    return numbers.count == 2 ? (numbers[0], numbers[1]) : (-1, -1)
  }

  /// Looks until the screen is as wanted.
  ///
  /// - Throws: `Missing`, with the screen, when it has looked for half a minute.
  @discardableResult
  func wait(_ what: String, _ isThere: ([String]) -> Bool) async throws -> [String] {
    let start = ContinuousClock.now
    var lines: [String] = []
    while start.duration(to: .now) < .seconds(30) {
      lines = await screen()
      if isThere(lines) { return lines }
    }
    throw Missing(description: "the screen never showed \(what); it shows:\n\(lines.joined(separator: "\n"))")
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

  func cursor(at column: Int, _ row: Int) async throws {
    let start = ContinuousClock.now
    var seen = (column: -1, row: -1)
    while start.duration(to: .now) < .seconds(30) {
      seen = await cursor()
      if seen == (column, row) { return }
    }
    throw Missing(description: "the cursor never stood at \((column, row)) but at \(seen):\n\(await screen().joined(separator: "\n"))")
  }

  /// Waits until a file of the pane's home is there; returns what it holds.
  func file(_ path: String) async throws -> String {
    let start = ContinuousClock.now
    while start.duration(to: .now) < .seconds(30) {
      if access("\(folder)/\(path)", F_OK) == 0 { return await Self.run("cat '\(folder)/\(path)'; printf x").dropLast().description }
    }
    throw Missing(description: "there never was a file \(path); the screen shows:\n\(await screen().joined(separator: "\n"))")
  }

  func write(_ path: String, _ text: String) throws {
    guard let file = fopen("\(folder)/\(path)", "w") else { throw Missing(description: "cannot write \(folder)/\(path)") }
    fputs(text, file)
    fclose(file)
  }

  // MARK: tmux

  private func tmux(_ arguments: String) async -> String { await Self.run("tmux -L \(socket) \(arguments)") }

  private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }

  /// On a thread of its own: tasks have few.
  static func run(_ command: String) async -> String {
    await withCheckedContinuation { continuation in
      startThread { continuation.resume(returning: shell(command)) }
    }
  }

  /// What a command printed, without its last line end.
  private static func shell(_ command: String) -> String {
    guard let pipe = popen(command + " 2>&1", "re") else { return "" }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 { bytes += buffer[..<count] }
    pclose(pipe)
    if bytes.last == 0x0A { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
