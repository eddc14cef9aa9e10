import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// ^C and SIGTERM end the program within a second, wherever it waits: at the very end too, and whatever runs below it.
@Suite(.serialized) struct EndingTests {
  /// Five times what is seen on a machine that does other things too; what does not heed a signal waits for ever.
  private static let limit: Duration = .seconds(5)

  /// A program whose output goes to a pipe that is open and that nobody reads.
  private final class Unread {
    let process: pid_t
    let folder: Scratch
    private let ends: (Int32, Int32)
    private let input: (Int32, Int32)

    init(_ arguments: [String], out: Bool, errors: Bool) throws {
      folder = try Scratch()
      var (pipes, inputs): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
      guard pipe(&pipes) == 0, pipe(&inputs) == 0 else { throw Program.CannotRun(what: "pipe") }
      for end in pipes + inputs { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      (ends, input) = ((pipes[0], pipes[1]), (inputs[0], inputs[1]))
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      posix_spawn_file_actions_adddup2(&actions, inputs[0], 0)
      for (descriptor, isUnread) in [(Int32(1), out), (2, errors)] {
        if isUnread {
          posix_spawn_file_actions_adddup2(&actions, pipes[1], descriptor)
        } else {
          posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
        }
      }
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      var all = sigset_t()
      sigfillset(&all)
      posix_spawnattr_setsigdefault(&attributes, &all)
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
      var argv: [UnsafeMutablePointer<CChar>?] = ([Program.path] + arguments).map { (text: String) in strdup(text) } + [nil]
      var envp: [UnsafeMutablePointer<CChar>?] =
        ["PATH=/usr/bin:/bin", "HOME=\(folder.path)", "TERM=xterm"].map { (text: String) in strdup(text) } + [nil]
      defer {
        for text in argv + envp { free(text) }
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
      }
      var child = pid_t()
      guard posix_spawn(&child, Program.path, &actions, &attributes, &argv, &envp) == 0 else {
        throw Program.CannotRun(what: Program.path)
      }
      process = child
    }

    deinit {
      for end in [ends.0, ends.1, input.0, input.1] { close(end) }
    }

    /// Returns once the pipe is full, and what would go on writes no more.
    func fills() -> Bool {
      let start = ContinuousClock.now
      while start.duration(to: .now) < .seconds(30) {
        var waiting = pollfd(fd: ends.1, events: Int16(POLLOUT), revents: 0)
        if poll(&waiting, 1, 0) == 0 { return true }
        sched_yield()
      }
      return false
    }

    /// The status as a shell tells it, once it has ended; nil where it does not in time.
    func end(within limit: Duration) -> Int32? {
      let start = ContinuousClock.now
      var status: Int32 = 0
      while true {
        if waitpid(process, &status, WNOHANG) == process {
          return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        }
        if start.duration(to: .now) > limit {
          kill(process, SIGKILL)
          while waitpid(process, &status, 0) < 0, errno == EINTR {}
          return nil
        }
        poll(nil, 0, 2)
      }
    }
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
      #expect(program.end(within: Self.limit) == 128 + signal, "\(script)")
    }
  }

  /// Before its first statement: a mistake that is told of in more words than a pipe takes.
  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func mistakesThatNobodyReads(_ signal: Int32) throws {
    let folder = try Scratch()
    try folder.write("s.psh", "let x = nobody\(String(repeating: "y", count: 200_000))(1)\n")
    let program = try Unread([folder.path + "/s.psh"], out: false, errors: true)
    #expect(program.fills())
    kill(program.process, signal)
    #expect(program.end(within: Self.limit) == 128 + signal)
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
      var child: pid_t = 0
      for _ in 0..<20_000 where child == 0 {
        child = pid_t(folder.lines("pid").first ?? "") ?? 0
        sched_yield()
      }
      #expect(child > 1)
      let start = ContinuousClock.now
      terminal.signal(signal)
      #expect(try await terminal.end() == 128 + signal, "\(line)")
      #expect(start.duration(to: .now) < Self.limit, "\(line)")
      #expect(Self.hasEnded(child), "\(line)")
    }
  }

  /// Gone, or waiting for somebody who takes its end.
  private static func hasEnded(_ process: pid_t) -> Bool {
    let start = ContinuousClock.now
    while start.duration(to: .now) < .seconds(10) {
      if kill(process, 0) != 0 { return true }
      let state = try? Scratch()
      system("ps -o stat= -p \(process) > \(state?.path ?? "/tmp")/state")
      if state?.read("state")?.hasPrefix("Z") ?? false { return true }
    }
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
