import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A machine that gives little, and what does not end by itself.
@Suite struct LimitTests {
  private func shell(_ text: String, interruptAfter: String? = nil) async throws -> Program.Result {
    try await Program.run(["-c", text, Program.path], interruptAfter: interruptAfter, program: "/bin/sh")
  }

  /// For bash: of the tests' own files, some come along; they are closed, so that 64 are 64.
  private static let closing = "for f in /proc/$$/fd/*; do f=${f##*/}; [ $f -gt 2 ] 2>/dev/null && eval \"exec $f>&-\"; done"

  @Test func fewOpenFilesLowerTheWidth() async throws {
    let script = """
      set concurrency 200
      let m = map 1..301 "x {it}" --model sim/fast --retries 0
      print len(m | where not it.failed)
      why
      """
    let result = try await Program.run(
      ["-c", "\(Self.closing); ulimit -n 64; exec \"$0\" -e '\(script)'", Program.path], program: "/bin/bash")
    #expect(result.output.hasPrefix("301\n"), "\(result.output) \(result.errors)")
    #expect(result.output.contains("200 → ") && result.output.contains(": what fits into 64 open files (`ulimit -n`)"))
  }

  /// Connections that nobody uses any more make room: servers may be many.
  @Test func manyServersNeedFewOpenFiles() async throws {
    let servers = try (0..<80).map { _ in
      try RawServer { connection, _ in
        while connection.request() != nil {
          let models = #"{"data":[{"id":"m"}]}"#
          connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(models.utf8.count)\r\n\r\n\(models)")
        }
      }
    }
    let script = servers.map { "use \($0.url)\n" }.joined() + "print \"there\""
    let result = try await Program.run(
      ["-c", "\(Self.closing); ulimit -n 64; exec \"$0\" -e '\(script)'", Program.path], program: "/bin/bash")
    #expect(result.status == 0 && result.output.hasSuffix("there\n"), "\(result)")
  }

  #if os(Linux)
    /// Whatever goes wrong half-way, with files and with servers: what was opened is closed.
    @Test func nothingStaysOpen() async throws {
      let folder = try Scratch()
      try folder.write("torn.jsonl", "{\"a\":1}\n{\"a\":")
      try folder.write("torn.csv", "a,b\n1,2\n3")
      let server = try RawServer { connection, number in
        // Of every three one breaks off in its body, one is no JSON, and one is whole.
        while connection.request() != nil {
          let body = number % 3 == 1 ? "<html>" : #"{"data":[{"id":"m"}]}"#
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count + (number % 3 == 0 ? 9 : 0))\r\n\r\n\(body)")
          if number % 3 == 0 { return }
        }
      }
      let part = """
        for i in 1..30 {
          try { use \(server.url) } catch e { }
          try { load "\(folder.path)/torn.jsonl" | count } catch e { }
          try { load "\(folder.path)/torn.jsonl" | take 1 | count } catch e { }
          try { load "\(folder.path)/*.jsonl" | count } catch e { }
          try { load "\(folder.path)" --format csv | count } catch e { }
          try { save [{a: 1}] "\(folder.path)/torn.jsonl" --append } catch e { }
          try { save [{a: 1}] "\(folder.path)/torn.csv" --append } catch e { }
          try { load "\(folder.path)/torn.csv" | save "\(folder.path)/out.csv" } catch e { }
          try { load "\(folder.path)/torn.jsonl" | map "{a}" --model sim/fast | save "\(folder.path)/out.jsonl" } catch e { }
          try { map 1..2 "x" --model sim/fast | save "\(folder.path)/torn.csv" --append } catch e { }
        }
        !echo "open $(ls /proc/$PPID/fd | wc -l)"

        """
      let result = try await Program.run(["-e", part + part + part], seconds: 120)
      #expect(result.status == 0 || result.status == 3, "\(result)")
      let open = result.output.split(separator: "\n").filter { $0.hasPrefix("open ") }.compactMap { Int($0.dropFirst(5)) }
      #expect(open.count == 3 && open[2] <= open[0] + 8, "\(open)")
    }
  #endif

  @Test func hardlyAnyOpenFilesAreSaid() async throws {
    let result = try await Program.run(
      ["-c", "\(Self.closing); ulimit -n 10; exec \"$0\" -e 'map 1..3 \"x\" --model sim/fast --retries 0'", Program.path],
      program: "/bin/bash")
    #expect(result.status == 3)
    #expect(result.errors.contains("raise `ulimit -n`") && !result.errors.contains("use URL"), "\(result)")
  }

  /// As many as there are when the first timer is set, and none later: no wait may be for ever, and no library may end the program.
  @Test(arguments: [9, 10, 11, 12, 13, 14, 15]) func timersHaveTheirDescriptors(_ count: Int) async throws {
    let script = "map 1..30 \"x\" --model sim/fast | count\ntimeout 30s { map 1..30 \"y\" }\n"
    let result = try await Program.run(
      ["-c", "\(Self.closing); ulimit -n \(count); exec timeout -s KILL \(Patience.seconds) \"$0\" -e '\(script)'", Program.path],
      program: "/bin/bash")
    #expect([1, 3].contains(result.status), "\(result)")
    #expect(result.errors.contains("raise `ulimit -n`"), "\(result)")
  }

  /// Fewer than the system's own timers take: one line, and no trap in a library.
  @Test(arguments: [4, 5, 6, 7]) func noOpenFilesAreSaid(_ count: Int) async throws {
    let result = try await Program.run(
      ["-c", "\(Self.closing); ulimit -n \(count); exec \"$0\" -e 'map 1..30 \"x\" --model sim/fast --retries 0'", Program.path],
      program: "/bin/bash")
    #expect(result.status == 1 && result.errors.hasPrefix("error: the system gives hardly any open files"), "\(result)")
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  #if os(Linux)
    /// Little memory is enough for a run: address space that the C library would keep for each thread is not asked for. The release
    /// program's allocator keeps 32 MiB ready for each.
    @Test(.enabled(if: getenv("ASAN_OPTIONS") == nil && getenv("TSAN_OPTIONS") == nil)) func littleMemoryIsEnough() async throws {
      let result = try await shell(
        "ulimit -v \(getenv("PROMPTSH_PROGRAM") == nil ? 250_000 : 600_000); exec \"$0\" -m sim/fast -e 'let r = map 1..30 \"x {it}\"' -e 'print count(r | where not failed)'"
      )
      #expect(result.status == 0 && result.output == "30\n", "\(result)")
    }

    /// What cannot be written is said, whatever was asked for, and once, however many find out.
    @Test(arguments: [
      "reference", "help map", "help", "--help", "--version", "-e 'print 1'", "-e '1'", "-e 'print 1' -e 'print 2' -e 'show {a: 1}'",
      "fmt - <unlaid", "attach --help", "simulate --port 0 --seconds 60", "unlaid.psh", "-m sim/fast hello", "-e 'save [1] -'",
      "-e 'map 1..3 \"x {it}\" --model sim/fast | save -'", "-e 'on end { print 1 }' -e 'ask \"x\" --model sim/fast'",
      "-e 'print 1 &' -e gather", "-e 'together { print 1; print 2 }'", "-e 'stream \"x\" --model sim/fast'", "- <unlaid.psh",
    ])
    func nothingCanBeWritten(_ arguments: String) async throws {
      let folder = try Scratch()
      for name in ["unlaid", "unlaid.psh"] { try folder.write(name, "print   1\n") }
      let result = try await shell("cd '\(folder.path)'; \"$0\" \(arguments) >/dev/full")
      #expect(result.status == 1 && result.errors.ranges(of: "No space left on device").count == 1, "\(result)")
      #expect(result.errors.contains("error: standard output: No space left on device"), "\(result)")
    }

    /// As somebody else than root, whom the limit does not hold.
    @Test(.enabled(if: geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0))
    func noThreadsAreSaid() async throws {
      let result = try await Program.run(
        ["--reuid=65534", "--clear-groups", "/bin/bash", "-c", "ulimit -u 3; exec \"$0\" -e 'print 3'", Program.path],
        program: "/usr/bin/setpriv")
      #expect(result.status == 1 && result.output == "")
      #expect(result.errors.hasPrefix("error: the system gives no threads") && result.errors.split(separator: "\n").count == 1)
    }

    /// In a namespace of its own, whose /proc is empty. Ten times: libdispatch looks into it beside the program, and was at times the
    /// program's end.
    @Test(.enabled(if: geteuid() == 0 && !Patience.isSanitized && LimitTests.mayUnshare))
    func argumentsAreThereWithoutProc() async throws {
      let result = try await Program.run(
        [
          "-m", "/bin/sh", "-c", "mount -t tmpfs none /proc && for i in 0 1 2 3 4 5 6 7 8 9; do \"$0\" -e 'print 3' || exit; done",
          Program.path,
        ], program: "/usr/bin/unshare")
      #expect(result.output == String(repeating: "3\n", count: 10) && result.status == 0, "\(result.errors)")
    }

    static let mayUnshare = Spawn.succeeds("unshare -m mount -t tmpfs none /mnt")
  #endif

  @Test(arguments: ["load \"pipe\" --format txt", "save [1] \"pipe\" --format txt", "import \"pipe\""])
  func aPipeThatNobodyUsesIsInterrupted(_ command: String) async throws {
    let folder = try Scratch()
    mkfifo(folder.path + "/pipe", 0o600)
    let script = command.replacing("\"pipe\"", with: "\"\(folder.path)/pipe\"")
    let result = try await Program.run(["-e", "log \"begins\"\n\(script)"], interruptAfter: "begins")
    #expect(result.status == 130, "\(result.errors)")
  }

  /// Whoever reads standard output may stop: what else runs goes on, for nobody who waits for him has a thread of the tasks'.
  @Test func aReaderOfStandardOutputThatStops() async throws {
    let folder = try Scratch()
    let script = """
      def loud(n) { for i in 1..20000 { print "a line that nobody reads, number {i}" }
      return n }
      let a = loud(1) &
      let b = loud(2) &
      let c = loud(3) &
      map 1..300 "x {it}" --model sim/fast | save "\(folder.path)/kept.jsonl"
      log "saved"
      gather
      """
    mkfifo(folder.path + "/out", 0o600)
    let result = try await shell(
      "exec 3<>'\(folder.path)/out'; exec \"$0\" -e '\(script)' >'\(folder.path)/out'", interruptAfter: "saved\n")
    #expect(result.status == 130, "\(result.errors)")
    #expect(folder.lines("kept.jsonl").count == 300)
  }

  /// The same for a file that is a pipe: ^C ends it, and what the reader took is whole.
  @Test(arguments: ["save \"PIPE\" --format txt", "save - --format txt"]) func aPipeWhoseReaderStops(_ save: String) async throws {
    let folder = try Scratch()
    mkfifo(folder.path + "/out", 0o600)
    let script = "log \"begins\"\n1..1000000 | where it > 0 | \(save)"
      .replacing("PIPE", with: folder.path + "/out")
    let result = try await shell("exec 3<>'\(folder.path)/out'; exec \"$0\" -e '\(script)' >'\(folder.path)/out'", interruptAfter: "begins")
    #expect(result.status == 130, "\(result.errors)")
  }

  /// A script may be a pipe that nobody has opened yet.
  @Test func aScriptThatIsAPipe() async throws {
    let folder = try Scratch()
    let pipe = folder.path + "/script"
    mkfifo(pipe, 0o600)
    startThread {
      var descriptor: Int32 = -1
      // Until somebody reads, it cannot be opened so.
      guard
        Patience.until({
          descriptor = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
          return descriptor >= 0
        })
      else { return }
      _ = write(descriptor, "print 6 * 7\n", 12)
      close(descriptor)
    }
    let result = try await Program.run([pipe])
    #expect(result.output == "42\n" && result.status == 0, "\(result)")
  }

  /// A program that we started ends with what started it, and is not left behind.
  @Test(arguments: [SIGINT, SIGTERM]) func aChildIsInterruptedToo(_ signal: Int32) async throws {
    let folder = try Scratch()
    mkfifo(folder.path + "/alive", 0o600)
    // Reads until the child has gone, who alone has the pipe open for writing.
    async let gone = Program.run(["-c", "cat '\(folder.path)/alive'"], program: "/bin/sh")
    let result = try await Program.run(
      ["-e", "!sh -c 'exec 3>\(folder.path)/alive; echo lives >&3; echo begins >&2; exec sleep 600'; true"], interruptAfter: "begins",
      signals: [signal], holdsInput: true)
    #expect(result.status == 128 + signal, "\(result.errors)")
    let told = try await gone
    #expect(told.status == 0 && told.output == "lives\n")
  }

  @Test func aPipeIsWrittenWhenSomebodyReads() async throws {
    let folder = try Scratch()
    mkfifo(folder.path + "/pipe", 0o600)
    let result = try await shell("cat '\(folder.path)/pipe' & \"$0\" -e 'save [\"a\", \"b\"] \"\(folder.path)/pipe\" --format txt'; wait")
    #expect(result.output == "a\nb\n" && result.status == 0, "\(result.errors)")
  }

  @Test(arguments: [
    "for i in 1..1000000000 { let x = i }", "print len(1..100000000 | sort it)", "def f(n) { if n > 0 {\nf(n - 1)\nf(n - 1)\n} }\nf(60)",
    "!sleep 600", "load - --format txt",
  ])
  func computationsAreInterrupted(_ script: String) async throws {
    // Each would take far longer than a test may, or never end.
    let result = try await Program.run(["-e", "log \"begins\"\n\(script)"], interruptAfter: "begins", holdsInput: true)
    #expect(result.status == 130, "\(result.errors)")
  }
}
