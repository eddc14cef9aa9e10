import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The terminal is as it was found, however the program ends or stops; and a poor terminal gets plain behaviour.
@Suite(.serialized) struct LifeTests {
  /// A shell in which the program runs, the terminal's mode noted before.
  private func underShell(_ start: String = "$PSH") async throws -> Pane {
    let pane = try await Pane(columns: 120, shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("stty -a > before; clear; \(start)")
    try await pane.prompt()
    return pane
  }

  /// The shell has the terminal again, in the mode it was in before.
  private func expectRestored(_ pane: Pane, _ what: String) async throws {
    try await pane.wait("the shell after \(what)") { $0.last == "$" || $0.last?.hasSuffix("$") == true }
    await pane.enter("stty -a > after; echo x > compared")
    _ = try await pane.file("compared")
    let (before, after) = (try await pane.file("before"), try await pane.file("after"))
    #expect(before == after, "after \(what)")
    // Bracketed paste is off again: what is pasted arrives as it is.
    await pane.enter("rm compared; clear")
  }

  @Test func theEndOfInputAndStopping() async throws {
    let pane = try await underShell()
    await pane.type("half a line")
    await pane.press("C-c")
    try await pane.prompt()
    await pane.type("print 'kept'")
    await pane.press("C-z")
    try await pane.wait(for: "Stopped")
    await pane.enter("stty -a > after; echo x > done")
    _ = try await pane.file("done")
    #expect(try await pane.file("before") == (try await pane.file("after")))
    await pane.enter("clear; fg")
    try await pane.wait("the line as it was") { $0.last?.hasSuffix("> print 'kept'") == true }
    await pane.press("Enter")
    try await pane.wait("its output") { $0.contains("kept") }
    // Before the prompt is back ^D is the system's, which forgets it.
    try await pane.prompt()
    await pane.press("C-d")
    try await expectRestored(pane, "the end of input")
    await pane.close()
  }

  /// Between a line that is edited and what it runs nothing is the system's: lines that come all at once are neither echoed by it nor
  /// lost. Another program has the terminal as it was found, and so has whoever comes afterwards.
  @Test func theTerminalStaysOurs() async throws {
    let terminal = try PseudoTerminal(Pane.program)
    try await terminal.wait(for: "[?2004h")
    let ours = tcflag_t(ICANON | ECHO | ISIG)
    #expect(terminal.localModes & ours == 0)
    for number in 1...30 { terminal.type("print 'a' + '\(number).'\r") }
    try await terminal.wait(for: "a30.")
    // Each is there once, as our own drawing shows it; and no program has had the terminal so far.
    let lines = terminal.output.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("print 'a'") }
    #expect(lines.isEmpty)
    for number in 1...30 { #expect(terminal.output.contains("a\(number).")) }
    #expect(!terminal.output.contains("[?2004l"))
    terminal.type("!stty -a | tr ' ' '_'\r")
    try await terminal.wait(for: "_icanon")
    let during = terminal.output
    #expect(during.contains("[?2004l") && !during.contains("_-icanon") && !during.contains("_-echo_"))
    terminal.type("print 'b' + 'c'\r")
    try await terminal.wait(for: "bc")
    #expect(terminal.localModes & ours == 0)
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    let rest = try await terminal.rest()
    #expect(rest.ranges(of: "[?2004l").count == rest.ranges(of: "[?2004h").count)
  }

  @Test(arguments: [
    "TERM", "HUP", "SEGV", "ABRT", "QUIT", "ALRM", "USR1", "USR2", "XCPU", "XFSZ", "FPE", "SYS", "VTALRM", "PROF",
  ])
  func aSignalWhileTyping(_ signal: String) async throws {
    let pane = try await underShell()
    await pane.type("half a line")
    try await pane.wait(for: "half a line")
    await pane.signal(signal)
    try await expectRestored(pane, signal)
    await pane.close()
  }

  /// Another program has the terminal, in a mode of its own, and leaves it so when a signal ends all of us.
  @Test(arguments: ["TERM", "HUP"], ["stty raw -echo; echo beg''un; exec sleep 600", "stty -echo; echo beg''un; sleep 600"])
  func aSignalWhileAnotherHasTheTerminal(_ signal: String, _ command: String) async throws {
    let pane = try await underShell()
    await pane.enter("!\(command)")
    try await pane.wait("the other program") { $0.contains { $0.hasSuffix("begun") } }
    await pane.signal(signal)
    try await expectRestored(pane, signal)
    await pane.close()
  }

  /// The end of input that is typed right behind Enter is the next prompt's, whether the line still runs or not.
  @Test func theEndIsTypedAhead() async throws {
    let terminal = try PseudoTerminal(Pane.program)
    try await terminal.wait(for: "[?2004h")
    terminal.type("print 2\r\u{4}")
    #expect(try await terminal.end() == 0)
  }

  /// A program that is told to go on just as it ends does not take the terminal once more.
  @Test(arguments: ["half a line", "let m = map 1..200 \"Tell me about {it}\" --max-tokens 100\r"])
  func continuedWhileItEnds(_ typed: String) async throws {
    let pane = try await underShell()
    await pane.type(typed)
    try await pane.wait(for: typed.hasSuffix("\r") ? "in flight of 8" : typed)
    let program = await pane.programID
    _ = await Pane.run("kill -TERM \(program); kill -CONT \(program)")
    try await expectRestored(pane, "TERM and CONT")
    await pane.close()
  }

  @Test(arguments: ["TERM", "HUP"])
  func aSignalWhileAJobRuns(_ signal: String) async throws {
    let pane = try await underShell()
    await pane.enter("map 1..2000 \"Tell me about {it}\"")
    try await pane.wait(for: "in flight of 8")
    await pane.signal(signal)
    try await expectRestored(pane, "\(signal) while a job ran")
    await pane.close()
  }

  @Test func stoppedAndContinuedFromOutside() async throws {
    let pane = try await underShell()
    await pane.type("print 'still'")
    try await pane.wait(for: "print 'still'")
    await pane.signal("STOP")
    try await pane.wait(for: "Stopped")
    await pane.enter("clear; fg")
    try await pane.wait("the line again") { $0.last?.hasSuffix("print 'still'") == true }
    await pane.type(" + '!'")
    await pane.press("Enter")
    try await pane.wait("its output") { $0.contains("still!") }
    try await pane.prompt()
    await pane.press("C-d")
    try await expectRestored(pane, "STOP and CONT")
    await pane.close()
  }

  @Test func aDumbTerminal() async throws {
    for term in ["dumb", ""] {
      let pane = try await Pane(environment: ["TERM": term])
      try await pane.wait("a plain prompt") { $0.last == "psh>" }
      await pane.enter("print 1 + 1")
      try await pane.wait("2") { $0.contains("2") }
      await pane.enter("let x = map 1..3 \"hi {it}\" --model sim/fast")
      try await pane.wait(for: "x: 3 prompts, 3 answered")
      #expect(await !pane.coloured().contains("\u{1B}[2m"))
      await pane.close()
    }
  }

  @Test func aTinyWindow() async throws {
    let pane = try await Pane(columns: 20, rows: 4)
    try await pane.wait("a prompt") { $0.last?.hasSuffix(">") == true }
    await pane.type("print 'abcdefghijklmnopqrstuvwxyz0123456789'")
    try await pane.wait("the line's end") { $0.last?.hasSuffix("6789'") == true }
    await pane.press("Enter")
    try await pane.wait("its output and the prompt") { $0.last?.hasSuffix(">") == true && $0.joined().contains("0123456789") }
    await pane.enter("map 1..3 \"x {it}\" --model sim/fast")
    try await pane.wait("how to see the rest of the table") { $0.joined(separator: " ").contains("every column") }
    try await pane.wait("the prompt") { $0.last?.hasSuffix(">") == true }
    await pane.type("set co")
    await pane.press("Tab")
    try await pane.wait("a menu") { $0.contains { $0.hasPrefix("  co") } }
    await pane.press("Escape")
    try await pane.wait("no menu") { !$0.contains { $0.hasPrefix("  co") } }
    await pane.press("C-u")
    try await pane.wait("the prompt") { $0.last?.hasSuffix(">") == true }
    await pane.close()
  }

  @Test func outputToAFileAndInputFromAPipe() async throws {
    let pane = try await Pane(shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("$PSH -e 'map 1..3 \"hi {it}\" --model sim/fast' > out.txt; echo status $?")
    try await pane.wait(for: "status 0")
    let out = try await pane.file("out.txt")
    #expect(out.split(separator: "\n").count == 4 && !out.contains("\u{1B}"))
    await pane.enter("clear; echo 'print 6 * 7' | $PSH")
    try await pane.wait("42") { $0.contains("42") }
    await pane.close()
  }

  /// Thousands of lines printed above the one that is typed: each of them wakes the editor, and none of its keys is lost.
  @Test func wakeUpsWithoutEndLeaveThePromptAlive() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.enter("on end { log \"x\" }")
    await pane.enter("let m = map 1..3000 \"x {it}\" --model sim/fast &")
    for number in 1...5 { await pane.enter("print \(number) * 1001") }
    try await pane.wait(for: "[1] done")
    await pane.enter("print 6 * 7")
    try await pane.wait(for: "42")
    try await pane.prompt()
    await pane.type("half")
    await pane.press("C-c")
    try await pane.prompt()
    await pane.press("C-d")
    await pane.close()
  }

  /// A paste that began and never ends: ^C ends it once it has fallen silent, at the prompt and while something runs.
  @Test func aPasteWithoutEnd() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    let begun = Array("\u{1B}[200~hello".utf8)
    await pane.send(bytes: begun)
    // Nothing shows that it has come; a ^C before it is silent is part of it.
    try await pane.press("C-c", until: "`hello`") { $0.contains { $0.contains("hello") } }
    try await pane.prompt()
    await pane.enter("let x = map 1..2000 \"Tell me about {it}\" --max-tokens 100")
    try await pane.wait(for: "in flight of 8")
    await pane.send(bytes: begun)
    try await pane.press("C-c", until: "what ^C does") { $0.contains { $0.contains("^C once more") || $0.contains("`retry x`") } }
    try await pane.press("C-c", until: "`retry x`") { $0.contains { $0.contains("`retry x`") } }
    await pane.close()
  }

  /// Who reads standard error may stop: prompts go on, and what they bring is written.
  @Test func aReaderOfStandardErrorThatStops() async throws {
    let pane = try await Pane(shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    let script =
      "on end { log event.reply.text }; for i in 1..3000 { log \"a line that nobody reads, number {i}\" };"
      + " map 1..300 \"x {it}\" --model sim/fast | save \"kept.jsonl\""
    try pane.write("s.psh", script)
    await pane.enter("mkfifo err; exec 3<>err; $PSH s.psh 2>err & pid=$!")
    #expect(try await pane.file("kept.jsonl").split(separator: "\n").count == 300)
    await pane.enter("clear; kill -INT $pid; wait $pid; echo status $?")
    try await pane.wait(for: "status 130")
    await pane.close()
  }

  /// A script on a terminal is steered by keys too.
  @Test func aScriptIsSteered() async throws {
    let pane = try await Pane(columns: 120, shell: true, files: ["long.psh": "let x = map 1..2000 \"Tell {it}\"\nprint len(x)\n"])
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("stty -a > before; clear; $PSH long.psh")
    try await pane.wait(for: "8 in flight of 8")
    await pane.type("4+")
    try await pane.wait(for: "of 12")
    await pane.press("C-z")
    try await pane.wait(for: "Stopped")
    // What the line looked like before is gone: seen again, it is the program's that has the terminal.
    await pane.enter("clear; fg")
    try await pane.wait("its progress again") { lines in
      lines.contains { $0.contains("in flight of 12") } && !lines.contains { $0.contains("Stopped") }
    }
    await pane.press("C-c")
    try await pane.wait(for: "^C once more cancels")
    await pane.press("C-c")
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("echo status $?")
    try await pane.wait(for: "status 130")
    try await expectRestored(pane, "an interrupted script")
    await pane.close()
  }
}
