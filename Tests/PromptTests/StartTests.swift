import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the prompt is started with, and what it may not find.
@Suite struct StartTests {
  private func shell() async throws -> Pane {
    let pane = try await Pane(
      columns: 120, shell: true, files: ["libedit.so.2": "none", "libedit.so.0": "none", "less": "#!/bin/sh\ncat; echo less was run\n"])
    _ = await Pane.run("chmod +x \(pane.folder)/less")
    try await pane.wait("the shell") { $0.last == "$" }
    return pane
  }

  /// The loader looks there first, and finds a file of the name that is no library.
  @Test func withoutLibeditLinesAreReadAsTheyCome() async throws {
    let pane = try await shell()
    await pane.enter("clear; LD_LIBRARY_PATH=$HOME $PSH; echo status $?")
    try await pane.wait(for: "libedit cannot be loaded")
    try await pane.wait("a plain prompt") { $0.last == "psh>" }
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    await pane.enter("exit 3")
    try await pane.wait(for: "status 3")
    await pane.close()
  }

  /// Whoever wants no editing gets plain lines, and is told nothing; statements over several lines, background work and the question
  /// before leaving are as ever.
  @Test func plainLinesAreThePromptToo() async throws {
    let pane = try await shell()
    try pane.write(".editrc", "edit off\n")
    await pane.enter("clear; $PSH; echo status $?")
    try await pane.wait("a plain prompt") { $0.last == "psh>" }
    #expect(await !pane.screen().contains { $0.contains("libedit") })
    await pane.enter("for i in 1..2 {")
    try await pane.wait("the next line") { $0.last == "...>" }
    await pane.enter("print i * 21 }")
    try await pane.wait("42") { $0.contains("42") }
    await pane.enter("let m = map 1..3 \"x {it}\" --model sim/fast")
    try await pane.wait(for: "m: 3 prompts, 3 answered")
    await pane.enter("exit")
    try await pane.wait(for: "kept in no file")
    await pane.press("C-d")
    try await pane.wait(for: "status 0")
    await pane.close()
  }

  #if os(Linux)
    /// In a namespace without pseudo-terminals.
    @Test(.enabled(if: geteuid() == 0 && StartTests.mayUnshare))
    func withoutPseudoTerminalsLinesAreReadAsTheyCome() async throws {
      let pane = try await shell()
      await pane.enter(
        "clear; unshare -m sh -c 'mount -t tmpfs none /dev/pts && mount --bind /dev/null /dev/ptmx && exec $PSH'; echo status $?")
      try await pane.wait(for: "there is no pseudo-terminal to edit on")
      try await pane.wait("a plain prompt") { $0.last == "psh>" }
      await pane.enter("print 6 * 7")
      try await pane.wait("42") { $0.contains("42") && $0.last == "psh>" }
      await pane.press("C-d")
      try await pane.wait(for: "status 0")
      await pane.close()
    }

    static let mayUnshare = Spawn.succeeds("unshare -m mount -t tmpfs none /mnt")
  #endif

  /// What is none, and what is another library, are told as such; the rows fail, and the shell goes on.
  @Test(arguments: ["none", "other"]) func aForeignLibrary(_ kind: String) async throws {
    let pane = try await shell()
    let folder = "\(pane.folder)/libraries"
    let other = "$(ls /lib/*/libm.so.6 /lib64/libm.so.6 2>/dev/null | head -n 1)"
    let put = kind == "none" ? "echo none >" : "cat \(other) >"
    _ = await Pane.run(
      "mkdir \(folder); for name in libcurl.so.4 libcurl-gnutls.so.4 libedit.so.2 libedit.so.0; do \(put) \(folder)/$name; done")
    let script = "ask \"x\" --model openai/m --retries 0"
    await pane.enter("clear; OPENAI_API_KEY=x LD_LIBRARY_PATH=\(folder) $PSH -e '\(script)'; echo status $?")
    try await pane.wait(for: kind == "none" ? "libcurl cannot be loaded: \(folder)/libcurl.so.4" : "this libcurl lacks curl_")
    try await pane.wait("its status") { $0.contains { $0.firstMatch(of: /^status \d/) != nil } }
    await pane.enter("clear; LD_LIBRARY_PATH=\(folder) $PSH")
    try await pane.wait(for: kind == "none" ? "libedit cannot be loaded: \(folder)/libedit.so.2" : "this libedit lacks el_")
    try await pane.wait("a plain prompt") { $0.last == "psh>" }
    await pane.press("C-d")
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.close()
  }

  /// What needs no prompt needs no libedit.
  @Test func aScriptRunsWithoutLibedit() async throws {
    let pane = try await shell()
    await pane.enter("clear; LD_LIBRARY_PATH=$HOME $PSH -e 'print 6 * 7'; echo status $?")
    try await pane.wait(for: "status 0")
    #expect(await pane.screen().first == "42")
    await pane.close()
  }

  @Test func theModelOfTheCommandLine() async throws {
    let pane = try await shell()
    await pane.enter("clear; $PSH -m sim/fast")
    try await pane.wait(for: "psh sim/fast ×8>")
    await pane.enter("exit")
    try await pane.wait("the shell") { $0.last == "$" }
    // Words at a terminal, whose standard input nobody waits for.
    await pane.enter("clear; $PSH -m sim/fast tell me; echo status $?")
    try await pane.wait(for: "[simulated]")
    try await pane.wait(for: "status 0")
    await pane.close()
  }

  /// A table longer than the screen goes to the pager; `PAGER=` says that none is wanted.
  @Test func noPager() async throws {
    let pane = try await shell()
    let table = "-e '1..60 | where it > 0 | table --all'; echo status $?"
    await pane.enter("clear; PAGER='sed s/^/paged/' $PSH \(table)")
    try await pane.wait(for: "paged")
    try await pane.wait(for: "status 0")
    for (number, none) in ["PAGER=", "PAGER=' '"].enumerated() {
      // `less` stands in for what is run where PAGER is not set.
      await pane.enter("clear; \(none) PATH=$HOME:$PATH $PSH \(table) of \(number)")
      try await pane.wait("the end of the table") { lines in
        lines.contains { $0.hasPrefix("status 0 of \(number)") } && lines.contains { $0.contains("59") }
      }
      #expect(await !pane.everything().contains { $0.contains("less was run") })
    }
    await pane.close()
  }

  /// A row in the pager is a text: its words are broken between lines as on the screen, and nothing of it stands beyond the window's edge.
  @Test func aRowInThePagerIsWrapped() async throws {
    let pane = try await Pane(columns: 40, rows: 12, shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter(
      "clear; PAGER='cat >whole' $PSH -m sim/fast -e 'let r = map [1] \"tell {it}\" --max-tokens 60' -e 'r[0] | table'; echo status $?")
    try await pane.wait(for: "status 0")
    let lines = try await pane.file("whole").split(separator: "\n")
    #expect(lines.contains("── reply") && lines.allSatisfy { $0.count < 40 }, "\(lines)")
    await pane.close()
  }

  /// In a pager everything is there: every row, and of every cell all that it holds, a line a row, so that `less -S` scrolls.
  @Test func thePagerHasAllOfATable() async throws {
    let pane = try await shell()
    await pane.enter("clear; PAGER='cat >whole' $PSH -e '1..60 | where it > 0 | map \"{it}\" --model sim/fast --max-tokens 40 | table'")
    _ = try await pane.file("whole")
    try await pane.wait("the shell") { $0.last == "$" }
    // All of it is there only now.
    let whole = try await pane.file("whole")
    let lines = whole.split(separator: "\n")
    #expect(lines.count == 61 && lines.allSatisfy { !$0.contains("…") } && lines.contains { $0.count > 100 })
    await pane.close()
  }

  /// What eighty columns have no room for, and rows that are left out, are named with the way to see them.
  @Test func tablesSayWhatTheyLeaveOut() async throws {
    let pane = try await Pane(columns: 80)
    try await pane.prompt()
    let fields = (1...20).map { "column\($0): \"a value of some length\"" }.joined(separator: ", ")
    await pane.enter("let wide = [{\(fields)}]")
    await pane.enter("wide")
    try await pane.wait("the columns left out") { lines in
      lines.contains { $0.hasPrefix("… without column") } && lines.joined(separator: " ").contains("`show --wide` shows every column")
    }
    await pane.enter("1..60 | where it > 0")
    try await pane.wait(for: "… without rows 20 to 54: `show --all` shows every row")
    await pane.press("C-l")
    await pane.enter("let somework = map 1..4000 \"Tell me about {it}\" &")
    await pane.enter("let moreofit = map 1..4000 \"Tell me about {it}\" &")
    // `jobs` steers: before the prompt is back it would run beside that line, and know one job.
    try await pane.wait(for: "⟳2>")
    await pane.press("C-l")
    await pane.enter("jobs")
    try await pane.wait("the jobs") { lines in
      lines.contains { $0.contains("somework  running  ") } && lines.contains { $0.contains("moreofit  running  ") }
        && lines.contains { $0.hasPrefix("… without ") } && lines.contains { $0.hasSuffix("eta") && $0.hasPrefix("#  job  name") }
    }
    await pane.close()
  }

  /// One row whole, as far as its reply holds it.
  @Test func aRowIsShownWhole() async throws {
    let pane = try await Pane(columns: 80)
    try await pane.prompt()
    await pane.enter("let r = map [{who: \"Ada\"}] \"Tell {it.who}\" --model sim/fast --system \"Be short\" --temperature 0.5")
    await pane.press("C-l")
    await pane.enter("show r[0]")
    let shown = try await pane.wait("the end of the row") { $0.joined(separator: " ").contains("finish stop") }
    let text = shown.joined(separator: "\n")
    for part in [
      "── row 0 · sim/fast", "input.who: Ada", "temperature: 0.5", "── system\nBe short", "── user\nTell Ada", "── reply\n[simulated]",
      "── 1 try",
      "queued", "first token", "in all", "tokens",
    ] { #expect(text.contains(part), "\(part) is not in:\n\(text)") }
    await pane.close()
  }

  /// The prompt is there first; what is typed waits, and ^C ends what the user's own beginning does, whatever that is.
  @Test(arguments: [
    "ask \"a slow server\"", "for i in 1..100000000 { let a = i }", "let m = map 1..500 \"x {it}\" --max-tokens 200",
  ])
  func theStartCanBeInterrupted(_ start: String) async throws {
    // It takes requests and never answers.
    let server = try RawServer { connection, _ in connection.waitForClose() }
    let model = start.hasPrefix("ask") ? "openai/silent" : "sim/story"
    let pane = try await Pane(
      columns: 120, environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "x", "PROMPTSH_MODEL": model], shell: true,
      files: [".config/promptsh/init.psh": "let before = 41\n\(start)\nlet after = 1\n"])
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("clear; $PSH")
    try await pane.wait(for: "psh \(model) ×8>")
    await pane.type("print before + 1")
    try await pane.wait(for: "psh \(model) ×8> print before + 1")
    await pane.press("C-c")
    func isOver(_ lines: [String]) -> Bool {
      lines.contains { $0.hasPrefix("interrupted") || $0.contains("not sent") || $0.contains("cancelled") }
    }
    // What is in flight ends by itself; a second ^C could come when the line has its turn, and would drop it.
    try await pane.wait("its end", isOver)
    await pane.press("Enter")
    try await pane.wait("the line's turn") { $0.contains("42") }
    await pane.close()
  }

  /// A pipe in the place of a file that is read at the start is passed over.
  @Test(arguments: [".local/state/promptsh/history", ".editrc", ".config/promptsh/init.psh"])
  func pipesInPlaceOfFiles(_ path: String) async throws {
    let pane = try await Pane(shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("mkfifo \(path); clear; $PSH")
    try await pane.prompt()
    await pane.enter("print 6 * 7")
    try await pane.wait(for: "42")
    await pane.close()
  }

  /// An `exit` of the user's own beginning is one: but what it would drop is asked for first, as at the prompt.
  @Test func theStartMayLeave() async throws {
    let pane = try await shell()
    try pane.write(".config/promptsh/init.psh", "print 'began'\nexit 7\n")
    await pane.enter("clear; $PSH; echo status $?")
    try await pane.wait(for: "status 7")
    try pane.write(".config/promptsh/init.psh", "let m = map 1..3 'x {it}' --model sim/fast\nexit 8\n")
    await pane.enter("clear; $PSH; echo status $?")
    try await pane.wait(for: "kept in no file")
    try await pane.wait("the prompt") { $0.last == "psh sim/story ×8>" }
    await pane.enter("exit 9")
    try await pane.wait(for: "status 9")
    await pane.close()
  }

  /// Also where a status is given.
  @Test func leavingIsAskedForOnce() async throws {
    let pane = try await shell()
    await pane.enter("clear; $PSH; echo status $?")
    try await pane.prompt()
    await pane.enter("let m = map 1..3 'x {it}' --model sim/fast")
    try await pane.wait(for: "m: 3 prompts, 3 answered")
    await pane.enter("exit 3")
    try await pane.wait(for: "kept in no file")
    await pane.enter("exit 3")
    try await pane.wait(for: "status 3")
    await pane.close()
  }
}
