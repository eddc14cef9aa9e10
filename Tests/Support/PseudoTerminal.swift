import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A program on a pseudo-terminal of its own, whose session it leads: what a window is to it. Nothing sleeps: the tests wait for what
/// the terminal shows.
public final class PseudoTerminal: Sendable {
  public struct Problem: Error, CustomStringConvertible { public var description: String }

  private struct State {
    var bytes: [UInt8] = []
    var isClosed = false
    var ended: Int32?
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  public let process: pid_t
  private let master: Int32
  /// A byte on it ends the reading thread, which alone closes the master.
  private let hangUpPipe: (read: Int32, write: Int32)
  private let state = Monitor(State())

  /// - Parameters:
  ///   - program: a path; it is found in nothing.
  ///   - folder: where it starts; it must be there.
  public init(
    _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], folder: String = "/", columns: UInt16 = 100,
    rows: UInt16 = 30
  ) throws {
    guard let (master, slave) = Self.open() else { throw Problem(description: "no pty") }
    var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    self.master = master
    hangUpPipe = try Spawn.pipe()
    var variables = ["PATH": "/usr/bin:/bin", "HOME": folder, "TERM": "xterm", "LANG": "C.UTF-8"]
    for (name, value) in environment { variables[name] = value }
    process = try Spawn.start(
      "/bin/sh", ["-c", "cd \"$0\" && exec \"$@\"", folder, program] + arguments, environment: variables,
      descriptors: [.file(slave), .descriptor(0), .descriptor(0)], leadsSession: true)
    startThread { [self] in readAll() }
    startThread { [self] in
      let status = Spawn.end(of: process)
      state.change { $0.ended = status }
    }
  }

  /// A new pair: the master's descriptor and the slave's name.
  private static func open() -> (Int32, String)? {
    #if canImport(Glibc)
      let master = Spawn.marked({ Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY) }) { [$0] }
      var (unlocked, number): (Int32, Int32) = (0, 0)
      // TIOCSPTLCK and TIOCGPTN: `unlockpt` and `ptsname` are shown to GNU programs only.
      guard master >= 0, ioctl(master, 0x4004_5431, &unlocked) == 0, ioctl(master, 0x8004_5430, &number) == 0 else { return nil }
      return (master, "/dev/pts/\(number)")
    #else
      let master = Spawn.marked({ posix_openpt(O_RDWR | O_NOCTTY) }) { [$0] }
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
  public var output: String { state.look { $0.text } }

  /// Waits until the output holds a text, behind the first `after` bytes of it; returns how long the output is then.
  @discardableResult
  public func wait(for text: String, after: Int = 0) async throws -> Int {
    try await waiting("`\(text)`") {
      String(decoding: $0.bytes.dropFirst(after), as: UTF8.self).contains(text) ? $0.bytes.count : nil
    }
  }

  /// Waits until the whole output is as wanted.
  public func wait(_ what: String, _ isThere: @escaping @Sendable (String) -> Bool) async throws {
    try await waiting(what) { isThere($0.text) ? () : nil }
  }

  /// Waits for the end of the program; its status as a shell tells it: 128 and the number for a signal.
  public func end() async throws -> Int32 { try await waiting("the end") { $0.ended } }

  /// All that was written, once the program has ended and nothing more can come.
  public func rest() async throws -> String { try await waiting("the end of what is written") { $0.isClosed ? $0.text : nil } }

  public var hasEnded: Bool { state.look { $0.ended != nil } }

  /// What the terminal does now with what is typed (`ECHO`, `ICANON`, `ISIG`).
  public var localModes: tcflag_t {
    var mode = termios()
    tcgetattr(master, &mode)
    return mode.c_lflag
  }

  /// Waits until the terminal is in the cooked mode that shells leave, or no longer is.
  public func wait(cooked: Bool) async throws {
    let isThere = await onOwnThread { [self] in Patience.until { (localModes & tcflag_t(ICANON) != 0) == cooked } }
    if isThere != true { throw Problem(description: "the terminal's mode never was \(cooked ? "" : "not ")cooked") }
  }

  // MARK: threads

  private func waiting<T: Sendable>(_ what: String, _ look: @escaping @Sendable (State) -> T?) async throws -> T {
    let found = await onOwnThread { [state] in
      var found: T?
      state.wait(milliseconds: Patience.milliseconds) { state in
        found = look(state)
        return found != nil
      }
      return found
    }
    guard let found, let found else { throw Problem(description: "there never was \(what); the terminal shows:\n\(output)") }
    return found
  }

  private func readAll() {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let ready = waitForInput(master, wake: hangUpPipe.read)
      if ready.isWoken || ready.isBroken { break }
      let count = read(master, &buffer, buffer.count)
      // The last program on it has gone: as long as nobody hangs up, another may come.
      if count <= 0, errno != EINTR, errno != EAGAIN { break }
      state.change { $0.bytes += buffer[..<max(0, count)] }
    }
    close(master)
    close(hangUpPipe.read)
    state.change { $0.isClosed = true }
  }
}
