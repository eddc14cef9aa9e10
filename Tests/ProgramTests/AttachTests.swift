import Control
import JSON
import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A session is steered from another process: the real program, its control socket, and `promptsh attach`.
@Suite(.serialized) struct AttachTests {
  /// A session whose script runs a job against a server that answers when it is told to.
  private final class Session: Sendable {
    let folder: Scratch
    let server: RawServer
    let terminal: PseudoTerminal
    let calls: Calls

    /// What the server sees.
    final class Calls: Sendable {
      private struct State {
        var inFlight = 0
        /// How many of those that were under way when the gate was opened have not ended; nil before.
        var former: Int?
        var most = 0
      }

      private let state = Monitor(State())

      /// Returns when it may be answered.
      func begin() {
        state.change { state in
          state.inFlight += 1
          if state.former == 0 { state.most = max(state.most, state.inFlight) }
        }
        state.wait { $0.former != nil }
      }

      func end() {
        state.change { state in
          state.inFlight -= 1
          if let former = state.former, former > 0 { state.former = former - 1 }
        }
      }

      /// Whether so many are in flight at last.
      func reaches(_ count: Int) -> Bool { state.wait(milliseconds: Patience.milliseconds) { $0.inFlight >= count } }

      /// From now on each is answered at once.
      func open() { state.change { if $0.former == nil { $0.former = $0.inFlight } } }

      /// The most at once after those that were under way when the gate was opened.
      var mostAfterwards: Int { state.look { $0.most } }
    }

    init(_ script: String, nohup: Bool = false) throws {
      let (folder, calls) = (try Scratch(), Calls())
      let server = try RawServer { connection, _ in
        while connection.request() != nil {
          calls.begin()
          let body = Sample.document("answer")
          // Before the client can send the next one.
          calls.end()
          guard connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)") else { return }
        }
      }
      try folder.write("sweep.psh", script)
      let environment = ["XDG_RUNTIME_DIR": folder.path, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"]
      let arguments = ["-m", "openai/m", folder.path + "/sweep.psh"]
      terminal =
        nohup
        ? try PseudoTerminal("/usr/bin/nohup", [Program.path] + arguments, environment: environment, folder: folder.path)
        : try PseudoTerminal(Program.path, arguments, environment: environment, folder: folder.path)
      (self.folder, self.server, self.calls) = (folder, server, calls)
    }

    deinit {
      calls.open()
      if terminal.process > 0 { kill(terminal.process, SIGKILL) }
    }

    var socket: String { "\(folder.path)/promptsh/\(terminal.process).sock" }
    var isListening: Bool { access(socket, F_OK) == 0 }

    func attach(_ arguments: [String]) async throws -> Program.Result {
      try await Program.run(["attach"] + arguments, environment: ["XDG_RUNTIME_DIR": folder.path])
    }

    func line(_ line: String, _ more: [String] = []) async throws -> Program.Result {
      try await attach(["\(terminal.process)", "-e", line] + more)
    }
  }

  private static let sweep = "set concurrency 2\nlet big = map 1..200 \"x {it}\"\nprint \"all\" + \"done\" len(big)\n"

  /// Its terminal is gone, and it is turned from 2 to 40 to 3: the server sees it.
  @Test func aScriptWithoutATerminalIsTurned() async throws {
    let session = try Session(Self.sweep, nohup: true)
    #expect(session.calls.reaches(2))
    session.terminal.hangUp()
    let up = try await session.line("set concurrency 40", ["--why", "night tariff"])
    #expect(up.status == 0, "\(up.errors)")
    #expect(session.calls.reaches(40))
    #expect(try await session.line("set concurrency 3").status == 0)
    let why = try await session.line("why big")
    #expect(why.output.contains("2 → 40: set (from row 2 on, attach "), "\(why.output)")
    #expect(why.output.contains(": night tariff)"))
    session.calls.open()
    _ = try await session.terminal.end()
    #expect(1...3 ~= session.calls.mostAfterwards, "\(session.calls.mostAfterwards)")
    let log = session.folder.read("nohup.out") ?? ""
    #expect(log.contains("alldone 200") && log.contains("2 → 40: set (attach ") && log.contains(": night tariff)"), "\(log)")
    #expect(!session.isListening)
  }

  @Test func oneDocumentTellsHowItStands() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    let result = try await session.attach(["-e", "jobs --json"])
    let document = try JSONValue(parsing: result.output.utf8)
    let job = try #require(document["jobs"]?.array?.first)
    #expect(job["name"] == .string("big") && job["total"] == .int(200) && job["in_flight"] == .int(2) && job["limit"] == .int(2))
    #expect(document["session"]?["script"] == .string("sweep.psh"))
    #expect(document["session"]?["pid"] == .int(Int(session.terminal.process)))
    #expect(document["lanes"]?.array?.first?["model"] == .string("openai/m"))
    let change = try #require(document["changes"]?.array?.first)
    #expect(change["name"] == .string("concurrency") && change["from"] == .string("8") && change["to"] == .string("2"))
    #expect(change["by"]?.string?.hasSuffix("/sweep.psh:1") == true)
    #expect(try await session.line("set concurrency 3", ["--why", "a\u{200B}b\nc\u{202E}"]).status == 0)
    for line in ["why --json", "vars --json", "why big --json"] {
      let result = try await session.line(line)
      #expect((try JSONValue(parsing: result.output.utf8)).array != nil, "\(line): \(result.output)")
    }
  }

  typealias Refused = (line: String, says: String)
  private static let refused: [Refused] = [
    ("print 1", "`print` does not steer"), ("ask \"x\"", "`ask` does not steer"), ("!true", "does not steer"),
    ("peek big | save \"out.jsonl\"", "`save` does not steer"), ("set temperature 1", "`set temperature … for JOB` does"),
    ("jobs --watch", "`jobs --watch` does not steer"), ("let x = 1", "does not steer"), ("jobs &", "does not steer"),
    ("where true", "behind `peek`"), ("set concurrency (len(map 1..9 \"x\"))", "may send or wait"), ("job", "there is no `job`"),
    ("set concurrency", ""), ("set concurency 3", "no setting"), ("set concurrency 0", "concurrency"), ("pause nobody", "nobody"),
    ("jobs ; print 1", "`print` does not steer"),
    ("set control off", "not set from elsewhere"),
  ]

  /// By the same parser and checker as at the prompt, with its carets; what does more than steer does nothing.
  @Test func linesThatDoMoreAreRefusedByName() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    for (line, says) in Self.refused {
      let result = try await session.line(line)
      #expect((result.status == 0) == says.isEmpty && result.errors.contains(says), "\(line): \(result.status) \(result.errors)")
      if result.status == 2 { #expect(result.errors.contains("^")) }
    }
    #expect(session.folder.read("out.jsonl") == nil)
    for (line, status) in [("pause big", Int32(0)), ("jobs", 0), ("resume big", 0), ("peek big | where true | take 2 | count", 0)] {
      let result = try await session.line(line)
      #expect(result.status == status, "\(line): \(result.errors)")
    }
    #expect(try await session.line("cancel big").status == 0)
  }

  @Test func severalSessionsAreListed() async throws {
    let (one, other) = (try Session(Self.sweep), try Session(Self.sweep))
    for session in [one, other] { #expect(session.calls.reaches(2)) }
    // Both in one folder, as a user has them.
    let folder = one.folder.path + "/promptsh"
    #expect(rename(other.socket, "\(folder)/\(other.terminal.process).sock") == 0)
    let list = try await one.attach([])
    #expect(list.status == 0 && list.output.contains("\(one.terminal.process)\tsweep.psh") && list.output.contains("0/200"), "\(list)")
    #expect(list.output.contains("\(other.terminal.process)\tsweep.psh"))
    let ambiguous = try await one.attach(["-e", "jobs"])
    #expect(ambiguous.status == 2 && ambiguous.errors.contains("2 sessions listen"), "\(ambiguous)")
  }

  /// A run that is killed leaves a socket; whoever finds it takes it away.
  @Test func whatAKilledRunLeavesIsTakenAway() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2) && session.isListening)
    kill(session.terminal.process, SIGKILL)
    _ = try await session.terminal.end()
    #expect(session.isListening)
    let result = try await session.attach([])
    #expect(result.status == 2 && result.errors.contains("no session of yours listens"), "\(result)")
    #expect(!session.isListening)
  }

  /// A session that is killed is told from one that has ended: by the board, and by lines.
  @Test func aSessionThatIsKilled() async throws {
    for isKilled in [true, false] {
      let session = try Session(Self.sweep)
      #expect(session.calls.reaches(2))
      let screen = try PseudoTerminal(
        Program.path, ["attach"], environment: ["XDG_RUNTIME_DIR": session.folder.path], folder: session.folder.path)
      try await screen.wait(for: "2 in flight of 2")
      if isKilled { kill(session.terminal.process, SIGKILL) } else { session.calls.open() }
      try await screen.wait(for: isKilled ? "broken off" : "the session has ended")
      #expect(try await screen.end() == (isKilled ? 4 : 0), "\(screen.output)")
    }
    // While a line waits for its answer: what looks like a session reads it, and is gone.
    let folder = try Scratch()
    let path = folder.path + "/dead.sock"
    let text = """
      import socket, sys
      s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); open(sys.argv[1] + ".there", "w").close()
      c, _ = s.accept(); c.recv(4096); c.close()
      """
    let result = try await Program.run(
      [
        "-c", "python3 -c '\(text)' \(path) & until [ -e \(path).there ]; do :; done; \"$0\" attach \(path) -e jobs; echo status $?; wait",
        Program.path,
      ],
      program: "/bin/sh")
    #expect(result.output == "status 4\n" && result.errors.contains("broken off without a word"), "\(result)")
  }

  /// A moment is told alike each time.
  @Test func theBeginningIsOneMoment() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    let client = try ControlClient(path: session.socket)
    var told: Set<String> = []
    // Longer than a second, in which it would be told in two ways.
    let start = ContinuousClock.now
    while start.duration(to: .now) < .milliseconds(1100) {
      client.send(.status)
      _ = client.read(within: 20) { message in
        if case .status(let document) = message {
          told.insert("\(document["session"]?["started"] ?? .null) \(document["changes"]?.array?.first?["at"] ?? .null)")
        }
        return false
      }
    }
    #expect(told.count == 1, "\(told)")
  }

  /// Whoever watches and is killed, or stops reading, is nothing to the run.
  @Test func watchersMayDieOrStop() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    let watcher = try PseudoTerminal(
      Program.path, ["attach"], environment: ["XDG_RUNTIME_DIR": session.folder.path], folder: session.folder.path)
    try await watcher.wait(for: "2 in flight of 2")
    kill(watcher.process, SIGKILL)
    let silent = try ControlClient(path: session.socket)
    for _ in 0..<2000 { silent.send(.watch(true)) }
    for _ in 0..<2000 { silent.send(.status) }
    #expect(try await session.line("set concurrency 5").status == 0)
    #expect(session.calls.reaches(5))
    session.calls.open()
    try await session.terminal.wait(for: "alldone 200")
  }

  /// On a terminal: the board, keys and lines.
  @Test func theBoardAndItsKeys() async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    let screen = try PseudoTerminal(
      Program.path, ["attach", "--why", "by hand"], environment: ["XDG_RUNTIME_DIR": session.folder.path], folder: session.folder.path)
    try await screen.wait(for: "2 in flight of 2")
    screen.type("+")
    try await screen.wait(for: "3 in flight of 3")
    screen.type("10+")
    try await screen.wait(for: "13 in flight of 13")
    screen.type(" ")
    try await screen.wait(for: "paused, Space goes on")
    screen.type("resume big\rset concurrency 5 for big\r")
    try await screen.wait(for: "in flight of 5")
    screen.type("+")
    try await screen.wait(for: "set concurrency 6 for big")
    try await screen.wait(for: "in flight of 6")
    screen.type("why\r")
    try await screen.wait(for: ": by hand)")
    screen.type("\u{4}")
    #expect(try await screen.end() == 0)
    #expect(screen.output.contains("it goes on"))
    session.calls.open()
    try await session.terminal.wait(for: "alldone 200")
  }

  @Test func nobodyListensUnlessThereIsWork() async throws {
    let folder = try Scratch()
    func listens(_ arguments: [String], _ during: String) async throws -> Bool {
      let script = "\(during)\n!ls \(folder.path)/promptsh/*.sock >/dev/null 2>&1 && echo listens"
      return try await Program.run(arguments + ["-e", script], environment: ["XDG_RUNTIME_DIR": folder.path]).output.contains("listens")
    }
    #expect(try await !listens([], "print 1"))
    #expect(try await !listens(["-m", "sim/fast"], "ask \"x\""))
    #expect(try await listens(["-m", "sim/fast"], "let r = map 1..3 \"x {it}\""))
    #expect(try await listens(["-m", "sim/fast"], "let r = ask \"x\" &"))
    #expect(try await !listens(["-m", "sim/fast", "--control", "off"], "let r = map 1..3 \"x {it}\""))
    #expect(try await !listens(["-m", "sim/fast"], "set control off\nlet r = map 1..3 \"x {it}\""))
    #expect(try await !listens(["-m", "sim/fast"], "let r = map 1..3 \"x {it}\"\nset control off"))
    // A user who never had a prompt has no state folder yet.
    let home = try Scratch()
    let first = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"x {it}\"\n!ls \(home.path)/.local/state/promptsh/control"],
      environment: ["HOME": home.path])
    #expect(first.output.contains(".sock"), "\(first)")
    let elsewhere = folder.path + "/my.sock"
    let result = try await Program.run([
      "-m", "sim/fast", "--control", elsewhere, "-e", "let r = map 1..3 \"x {it}\"\n!ls \(elsewhere)",
    ])
    #expect(result.output.contains(elsewhere), "\(result)")
    #expect(access(elsewhere, F_OK) != 0)
  }

  /// The folder must be the user's alone.
  @Test func aFolderThatOthersMayEnterIsNotUsed() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/promptsh", 0o755)
    chmod(folder.path + "/promptsh", 0o755)
    let result = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"x {it}\"\nprint len(r)"], environment: ["XDG_RUNTIME_DIR": folder.path])
    #expect(result.status == 0 && result.output.contains("3") && result.errors.contains("open to other users"), "\(result)")
    // It lies in the state folder instead, where `attach` finds it.
    let script = "let r = map 1..3 \"x {it}\"\n!\(Program.path) attach -e 'jobs --json'"
    let other = try await Program.run(
      ["-m", "sim/fast", "-e", script], environment: ["XDG_RUNTIME_DIR": folder.path, "HOME": folder.path])
    #expect(other.errors.contains("the control socket lies in ") && other.output.contains("\"session\""), "\(other)")
  }

  /// The kernel says who connects: another user is refused, root too. Only root can try.
  @Test(.enabled(if: geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0)) func anotherUserIsRefused() async throws {
    let folder = try Scratch()
    chmod(folder.path, 0o755)
    mkdir(folder.path + "/run", 0o700)
    chown(folder.path + "/run", 65534, 65534)
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups", Program.path]
    let can = try await Program.run(nobody + ["-e", "print 1"], program: "/usr/bin/setpriv")
    // Where the checkout lies in a folder of root's own, nobody else can run the program.
    guard can.status == 0 else { return }
    let session = try PseudoTerminal(
      "/usr/bin/setpriv", nobody + ["-m", "sim/story", "-e", "set concurrency 1\nmap 1..500 \"x {it}\""],
      environment: ["XDG_RUNTIME_DIR": folder.path + "/run"], folder: "/")
    try await session.wait(for: "in flight of 1")
    let path = "\(folder.path)/run/promptsh/\(session.process).sock"
    #expect(access(path, F_OK) == 0)
    #expect(throws: ControlProblem.self) { try ControlClient(path: path) }
    let answer = try await Program.run(
      [
        "-c",
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(4096).decode())",
        path,
      ],
      program: "/usr/bin/python3")
    #expect(answer.output.contains("belongs to another user"), "\(answer)")
    kill(session.process, SIGTERM)
    #expect(try await session.end() == 128 + SIGTERM)
    #expect(access(path, F_OK) != 0)
  }

  /// Random lines end neither the session nor its job. `scripts/fuzz control` sends 100,000.
  @Test func randomLinesDoNoHarm() async throws {
    let total = WireFuzzTests.number("PROMPTSH_FUZZ_LINES") ?? (Program.variable("PROMPTSH_LONG") == nil ? 1500 : 100_000)
    // A session lives for a few minutes at most (`Patience.life`).
    for start in stride(from: 0, to: total, by: 20_000) {
      try await oneRound(lines: min(20_000, total - start), seed: WireFuzzTests.seed &+ UInt64(start))
    }
  }

  private func oneRound(lines total: Int, seed: UInt64) async throws {
    let session = try Session(Self.sweep)
    #expect(session.calls.reaches(2))
    var random = LineMaker(seed: seed)
    var client = try ControlClient(path: session.socket)
    var answered = 0
    for number in 0..<total {
      let line = random.line()
      // Now and then what is no request at all, which closes the connection.
      if number % 97 == 96 {
        random.garbage().withUnsafeBytes { _ = send(client.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        client = try ControlClient(path: session.socket)
      }
      client.send(.run(line: line, why: number % 5 == 0 ? line : nil, columns: number % 3 == 0 ? 40 : nil))
      let end = client.read(within: 30) { message in
        if case .end = message { return false }
        return true
      }
      if end == .done { answered += 1 } else { client = try ControlClient(path: session.socket) }
    }
    #expect(answered > total * 9 / 10)
    let after = try await session.line("resume big")
    #expect(after.status == 0, "\(after)")
    // What they set is no harm, but may hold the rest up for hours.
    for place in ["", " for openai", " for openai/m", " for big"] {
      #expect(try await session.line("set rpm off\(place) ; set concurrency \(place.isEmpty ? "8" : "off")\(place)").status == 0)
    }
    #expect(try await session.line("set timeout off ; set retries 4").status == 0)
    session.calls.open()
    try await session.terminal.wait(for: "alldone 200")
  }
}

/// Lines that look like steering, and do not end the job; and bytes that are nothing.
private struct LineMaker {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  private mutating func next(_ bound: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state % UInt64(bound))
  }

  private static let words = [
    "set", "concurrency", "3", "40", "rpm", "off", "for", "big", "openai/m", "jobs", "--json", "why", "peek", "|", "where", "text", "take",
    "2", "skip", "count", "sort", "-latency", "pause", "resume", "vars", "help", "map", ";", "\"x\"", "{", "}", "(", ")", "matches", "'a+'",
    "auto", "1..9", "%1", "\\", "\u{1F600}", "\u{1B}[2J", "==", "9999999999999999999", "\n", "select", "--in-order", "retries", "timeout",
    "5s",
  ]

  mutating func line() -> String {
    (0..<(1 + next(9))).map { _ in Self.words[next(Self.words.count)] }.joined(separator: next(8) == 0 ? "" : " ")
  }

  mutating func garbage() -> [UInt8] {
    var bytes = (0..<(1 + next(200))).map { _ in UInt8(next(256)) }
    bytes.append(0x0A)
    return bytes
  }
}
