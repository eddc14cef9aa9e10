import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// ^C and SIGTERM end the program, wherever it waits: at the very end too, and whatever runs below it. What does not heed a signal waits
/// for ever, and is killed in the end.
@Suite(.serialized) struct EndingTests {
  /// A program whose output goes to a pipe that is open and that nobody reads.
  private final class Unread {
    let process: pid_t
    let folder: Scratch
    private let ends: (read: Int32, write: Int32)
    private let input: (read: Int32, write: Int32)

    init(_ arguments: [String], out: Bool, errors: Bool) throws {
      folder = try Scratch()
      let (ends, input) = (try Spawn.pipe(), try Spawn.pipe())
      (self.ends, self.input) = (ends, input)
      process = try Spawn.start(
        Program.path, arguments, environment: ["PATH": "/usr/bin:/bin", "HOME": folder.path, "TERM": "xterm"],
        descriptors: [.descriptor(input.read)]
          + [out, errors].map { $0 ? .descriptor(ends.write) : .file("/dev/null", O_WRONLY) })
    }

    deinit {
      for end in [ends.read, ends.write, input.read, input.write] { close(end) }
    }

    /// Returns once the pipe is full, and what would go on writes no more.
    func fills() -> Bool {
      Patience.until {
        var waiting = pollfd(fd: ends.write, events: Int16(POLLOUT), revents: 0)
        return poll(&waiting, 1, 0) == 0
      }
    }

    /// The status as a shell tells it, once it has ended.
    func end() -> Int32 { Spawn.end(of: process, seconds: Patience.seconds) }
  }

  typealias Case = (script: String, out: Bool, errors: Bool)
  private static let print = "for i in 1..5000 { print \"a line that nobody reads, number {i}\" }"
  private static let log = "for i in 1..5000 { log \"a line that nobody reads, number {i}\" }"
  private static let cases: [Case] = [
    // At the very end; an error there; both outputs; before a program that is run; while what has come is saved to standard output.
    (print, true, false), (log, false, true), ("\(log)\nlet x = 1 / 0", false, true), ("\(print)\nlog 'x'", true, true),
    ("\(log)\n!sleep 0; true", false, true), ("\(print)\n!sleep 0; true", true, false),
    ("1..1000000 | where it > 0 | save - --format txt", true, false),
    ("on end { for i in 1..5000 { log \"a line that nobody reads, number {i}\" } }\nlet r = map 1..3 \"x\" --model sim/fast", false, true),
  ]

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func aReaderWhoHasStopped(_ signal: Int32) throws {
    for (script, out, errors) in Self.cases {
      let program = try Unread(["-e", script], out: out, errors: errors)
      #expect(program.fills(), "\(script)")
      kill(program.process, signal)
      #expect(program.end() == 128 + signal, "\(script)")
    }
  }

  /// Before its first statement: a mistake that is told of in more words than a pipe takes.
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func mistakesThatNobodyReads(_ signal: Int32) throws {
    let folder = try Scratch()
    try folder.write("s.psh", "let x = nobody\(String(repeating: "y", count: 200_000))(1)\n")
    let program = try Unread([folder.path + "/s.psh"], out: false, errors: true)
    #expect(program.fills())
    kill(program.process, signal)
    #expect(program.end() == 128 + signal)
  }

  // MARK: programs below ours

  typealias Below = (line: String, says: String, variables: [String: String])
  /// Programs that end neither of SIGINT nor with their input.
  private static let stubborn = "trap '' INT; echo beg\"\"un; echo $$ > pid; read line; sleep 600 & wait"
  private static let below: [Below] = [
    ("!\(stubborn)\r", "begun", [:]), ("edit\r", "begun", ["EDITOR": "\(stubborn); :"]),
    ("draft\u{1B}e", "begun", ["EDITOR": "\(stubborn); :"]),
    ("1..200 | where it > 0 | table --all\r", "begun", ["PAGER": "cat > /dev/null; \(stubborn)"]),
  ]

  /// A signal ends what runs below too, and the terminal is as it was.
  @Test(arguments: [SIGTERM, SIGHUP]) func programsBelowEndToo(_ signal: Int32) async throws {
    for (line, says, variables) in Self.below {
      let folder = try Scratch()
      let terminal = try PseudoTerminal(Program.path, environment: variables, folder: folder.path)
      try await terminal.wait(for: "> ")
      terminal.type(line)
      try await terminal.wait(for: says)
      let child = await Self.process(folder)
      #expect(child > 1)
      terminal.signal(signal)
      #expect(try await terminal.end() == 128 + signal, "\(line)")
      #expect(await Self.hasEnded(child), "\(line)")
    }
  }

  /// The number that the program below has written.
  private static func process(_ folder: Scratch) async -> pid_t {
    await onOwnThread {
      var child: pid_t = 0
      _ = Patience.until {
        child = pid_t(folder.lines("pid").first ?? "") ?? 0
        return child > 0
      }
      return child
    } ?? 0
  }

  /// Gone, or waiting for somebody who takes its end.
  private static func hasEnded(_ process: pid_t) async -> Bool {
    let isGone = await onOwnThread {
      Patience.until { kill(process, 0) != 0 || Spawn.shell("ps -o stat= -p \(process)").hasPrefix("Z") }
    }
    if isGone == true { return true }
    kill(process, SIGKILL)
    return false
  }

  // MARK: ^C

  /// After answers have come, what only computes, waits or loops in a callback ends of one ^C, and the answers are kept.
  @Test(arguments: [
    "for i in 1..1000000000 { let x = i }", "let z = load - --format txt", "print len(1..100000000 | sort it)", "!sleep 600",
    "let s = map [1] \"y\" | where len(1..100000000 | sort it) > 0",
    "on end { for i in 1..1000000000 { let x = i } }\nlet s = ask \"y\"",
  ])
  func answersAreKeptByTheFirst(_ script: String) async throws {
    let folder = try Scratch()
    let result = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"x {it}\"\nlog \"beg\" + \"ins\"\n\(script)"], environment: ["HOME": folder.path],
      interruptAfter: "begins", holdsInput: true)
    #expect(result.status == 130, "\(result)")
    #expect(result.errors.contains("3 replies of `r` kept"), "\(result.errors)")
  }

  /// The end that a closed window has is not one that somebody typed.
  @Test func closingTheWindowWhileItIsRead() async throws {
    let folder = try Scratch()
    let script = "let r = map 1..3 \"x {it}\"\nlog \"beg\" + \"ins\"\nlet z = load - --format txt\nprint \"all of it\""
    let terminal = try PseudoTerminal(
      Program.path, ["-m", "sim/fast", "-e", script], environment: ["HOME": folder.path], folder: folder.path)
    try await terminal.wait(for: "begins")
    terminal.hangUp()
    #expect(try await terminal.end() == 128 + SIGHUP)
    let kept = folder.lines(".local/state/promptsh/recovered/.told")
    #expect(kept.isEmpty)
    #expect(Self.recovered(folder) == 1)
  }

  /// How many files of replies a signal has left.
  private static func recovered(_ folder: Scratch) -> Int {
    guard let directory = opendir(folder.path + "/.local/state/promptsh/recovered") else { return 0 }
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".jsonl") { count += 1 }
    }
    return count
  }

  /// The prompt: one ^C stops the line, not just what of it runs. Nothing of it is sent afterwards.
  @Test(arguments: ["let a = map 1..50 \"x {it}\"; let b = map 1..50 \"y {it}\"", "for i in 1..3 { map 1..50 \"{i} {it}\" }"])
  func aLineThatIsStoppedSendsNoMore(_ line: String) async throws {
    let gate = Bell()
    let server = try ChatServer { call in
      gate.wait()
      gate.ring()
      call.answer("yes")
      return true
    }
    defer { gate.ring() }
    let folder = try Scratch()
    let terminal = try PseudoTerminal(Program.path, ["-m", "openai/m"], environment: server.environment, folder: folder.path)
    try await terminal.wait(for: "> ")
    terminal.type(line + "\r")
    try await terminal.wait(for: "8 in flight of 8")
    terminal.type("\u{3}")
    try await terminal.wait(for: "letting 8 in flight finish")
    gate.ring()
    let length = try await terminal.wait(for: "interrupted")
    terminal.type("print 6 * 7\r")
    try await terminal.wait(for: "42", after: length)
    #expect(server.calls == 8)
    kill(terminal.process, SIGKILL)
  }
}
