import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The program below a shell that has the terminal too: in the background, stopped, in front again; and programs that run below us.
@Suite(.serialized) struct JobControlTests {
  private func shell(_ files: [String: String] = [:]) async throws -> Pane {
    let pane = try await Pane(columns: 120, shell: true, files: files)
    try await pane.wait("the shell") { $0.last == "$" }
    return pane
  }

  private func shellIsBack(_ pane: Pane) async throws {
    try await pane.wait("the shell") { $0.last == "$" || $0.last?.hasSuffix("$") == true }
  }

  /// A script that `bg` sends on leaves the terminal to whoever is in front, and takes its keys up after `fg`.
  @Test func aScriptInTheBackgroundLeavesTheTerminalAlone() async throws {
    let pane = try await shell(["long.psh": "let x = map 1..2000 \"Tell {it}\" --model sim/story\nprint len(x)\n"])
    await pane.enter("clear; $PSH long.psh")
    try await pane.wait(for: "8 in flight of 8")
    await pane.press("C-z")
    try await pane.wait(for: "Stopped")
    await pane.enter("bg")
    // `cat` shows what is typed, and then what it read: twice; and ^C is its end.
    await pane.enter("clear; echo rea''dy; cat")
    try await pane.wait("another program in front") { $0.contains("ready") }
    await pane.enter("seen")
    try await pane.wait("the echo and the line") { lines in lines.count { $0 == "seen" } == 2 }
    await pane.press("C-c")
    try await shellIsBack(pane)
    await pane.enter("clear; fg")
    try await pane.wait(for: "in flight of 8")
    try await pane.waitForKeys()
    await pane.type("4+")
    try await pane.wait(for: "in flight of 12")
    await pane.press("C-c")
    try await pane.wait(for: "^C once more cancels")
    await pane.press("C-c")
    try await shellIsBack(pane)
    await pane.close()
  }

  /// ^Z that is held down stops once, and digits typed before it are forgotten.
  @Test func aKeyHeldDownStopsOnce() async throws {
    let pane = try await shell(["long.psh": "let x = map 1..500 \"Tell {it}\" --model sim/story\nprint len(x)\n"])
    await pane.enter("clear; $PSH long.psh")
    try await pane.wait(for: "8 in flight of 8")
    await pane.send(bytes: Array("5".utf8) + [0x1A, 0x1A, 0x1A, 0x1A])
    try await pane.wait("a stop") { $0.contains { $0.contains("Stopped") } && $0.last == "$" }
    await pane.enter("clear; fg")
    try await pane.wait(for: "in flight of 8")
    try await pane.waitForKeys()
    await pane.type("+")
    try await pane.wait(for: "in flight of 9")
    #expect(await !pane.screen().contains { $0.contains("Stopped") })
    await pane.press("C-c", "C-c")
    try await shellIsBack(pane)
    await pane.enter("clear; $PSH")
    try await pane.prompt()
    await pane.send(bytes: Array("print 6".utf8) + [0x1A, 0x1A, 0x1A])
    try await pane.wait("a stop") { $0.contains { $0.contains("Stopped") } && $0.last == "$" }
    await pane.enter("clear; fg")
    try await pane.prompt("print 6")
    await pane.enter(" * 7")
    try await pane.wait("42") { $0.contains("42") }
    // In one read too: the first sends the line to the background, the rest is none of the prompt's.
    await pane.enter("let m = map 1..500 \"Tell {it}\" --model sim/story")
    try await pane.wait(for: "8 in flight of 8")
    await pane.send(bytes: [0x1A, 0x1A, 0x1A])
    try await pane.prompt()
    await pane.enter("print 5 * 7")
    try await pane.wait("35") { $0.contains("35") }
    await pane.close()
  }

  /// A prompt in the background stops before it touches the terminal, and works after `fg`.
  @Test func aPromptInTheBackgroundStops() async throws {
    let pane = try await shell()
    await pane.enter("stty -a > before; clear; $PSH &")
    // bash tells of a stop before its next prompt.
    try await pane.wait(for: "promptsh 0")
    try await pane.press("Enter", until: "`Stopped`") { $0.contains { $0.contains("Stopped") } }
    await pane.enter("stty -a > after; echo x > done")
    _ = try await pane.file("done")
    #expect(try await pane.file("before") == (try await pane.file("after")))
    await pane.enter("clear; fg")
    try await pane.prompt()
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    try await pane.prompt()
    await pane.press("C-d")
    try await shellIsBack(pane)
    await pane.close()
  }

  /// `kill -INT` means what ^C does: the line is dropped, and the prompt goes on; with and without an editor.
  @Test(arguments: ["xterm", "dumb"]) func anInterruptAtThePromptDropsTheLine(_ term: String) async throws {
    let pane = try await shell()
    await pane.enter("clear; TERM=\(term) $PSH")
    func prompt() async throws {
      try await pane.wait("a prompt") { $0.last?.hasSuffix(">") == true && $0.last?.hasPrefix("psh") == true }
    }
    try await prompt()
    await pane.type("print 'dropped'")
    try await pane.wait(for: "print 'dropped'")
    await pane.signal("INT")
    try await pane.wait("a new prompt") { $0.last?.hasSuffix(">") == true && $0.contains { $0.hasSuffix("print 'dropped'") } }
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    #expect(await !pane.screen().contains("dropped"))
    try await prompt()
    await pane.press("C-d")
    try await shellIsBack(pane)
    await pane.close()
  }

  /// What another program writes stays on the screen, whatever is typed while it begins.
  @Test func outputOfOtherProgramsStays() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    for round in 1...20 {
      await pane.press("C-l")
      await pane.type("!echo 'out''put-\(round).'\rprint 'E' + 'ND-\(round).'\r")
      try await pane.wait("the next line's output") { $0.contains("END-\(round).") }
      let lines = await pane.screen()
      #expect(lines.contains("output-\(round)."), "\(lines)")
      try await pane.prompt()
    }
    await pane.close()
  }

  /// ^C while another program has the terminal is that program's; if it ends of it, so does the line.
  @Test func interruptsOfOtherPrograms() async throws {
    let pager = "#!/bin/sh\ntrap '' INT\ncat > /dev/null\necho paged\nread line < /dev/tty\necho \"got $line\"\n"
    let pane = try await shell(["pager": pager])
    _ = await Pane.run("chmod +x \(pane.folder)/pager")
    await pane.enter("clear; PAGER=$HOME/pager $PSH")
    try await pane.prompt()
    await pane.enter("1..100 | where it > 0 | table --all")
    try await pane.wait("the pager") { $0.contains("paged") }
    await pane.press("C-c")
    await pane.enter("more")
    try await pane.wait(for: "got more")
    try await pane.prompt()
    await pane.enter("!echo beg''un; exec sleep 600")
    try await pane.wait("a child") { $0.contains("begun") }
    await pane.press("C-c")
    try await pane.wait(for: "interrupted")
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    try await pane.prompt()
    await pane.press("C-d")
    try await shellIsBack(pane)
    // Another word than before: that one is on the screen until the shell has cleared it.
    await pane.enter("clear; $PSH -e '!echo run\"\"ning; exec sleep 600' -e 'print \"next\"'; echo status $?")
    try await pane.wait("a child") { $0.contains("running") }
    await pane.press("C-c")
    try await pane.wait(for: "status 130")
    #expect(await !pane.screen().contains("next"))
    await pane.close()
  }

  /// ^Z while another program has the terminal stops both, once; `fg` lets both go on.
  @Test(arguments: ["!echo beg''un; exec sleep 600", "edit", "draft", "1..100 | where it > 0 | table --all"])
  func stoppingWhileAnotherProgramRuns(_ line: String) async throws {
    let program = "#!/bin/sh\ncase \"$1\" in *.psh) ;; *) cat > /dev/null;; esac\necho begun\nread line < /dev/tty\necho \"got $line\"\n"
    let pane = try await shell(["program": program])
    _ = await Pane.run("chmod +x \(pane.folder)/program")
    await pane.enter("clear; EDITOR=$HOME/program PAGER=$HOME/program $PSH")
    try await pane.prompt()
    await pane.type(line)
    await pane.press(line == "draft" ? "M-e" : "Enter")
    try await pane.wait("the other program") { $0.contains("begun") }
    for round in 1...2 {
      // The shell says that it goes on a little before it does.
      try await pane.press("C-z", until: "`Stopped`") { $0.contains { $0.contains("Stopped") } }
      try await pane.wait("a stop") { $0.contains { $0.contains("Stopped") } && $0.last?.hasPrefix("$") == true }
      await pane.press("C-u")
      await pane.enter("clear; fg; echo back-\(round)")
      // Stopped a second time, the shell would go on.
      try await pane.wait("the program in front") { lines in
        lines.contains { $0.hasSuffix("$PSH") } && !lines.contains { $0.contains("Stopped") }
      }
    }
    if line.hasPrefix("!") {
      try await pane.press("C-c", until: "`interrupted`") { $0.contains { $0.contains("interrupted") } }
    } else {
      await pane.enter("more")
    }
    try await pane.wait(for: line.hasPrefix("!") ? "interrupted" : "got more")
    try await pane.wait("the prompt") { $0.last?.hasPrefix("psh ") == true }
    #expect(await !pane.screen().contains { $0.hasPrefix("back-") })
    await pane.press("C-u")
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    await pane.close()
  }

  /// ^C of the terminal while an editor edits the line that is typed is the editor's: the line is not dropped.
  @Test func anInterruptOfAnEditorIsTheEditors() async throws {
    let program = "#!/bin/sh\ntrap '' INT\necho begun\nread line < /dev/tty\nprintf 'print 40 + 2' > \"$1\"\n"
    let pane = try await shell(["program": program])
    _ = await Pane.run("chmod +x \(pane.folder)/program")
    await pane.enter("clear; EDITOR=$HOME/program $PSH")
    try await pane.prompt()
    await pane.type("draft")
    await pane.press("M-e")
    try await pane.wait("the editor") { $0.contains("begun") }
    await pane.press("C-c")
    await pane.signal("INT")
    await pane.enter("more")
    try await pane.prompt("print 40 + 2")
    await pane.press("Enter")
    try await pane.wait("42") { $0.contains("42") }
    await pane.close()
  }

  /// A script that computes is stopped by ^Z too, also after a job whose keys were read.
  @Test func aScriptThatComputesIsStopped() async throws {
    let pane = try await shell([
      "s.psh": "let r = map 1..3 \"x {it}\" --model sim/fast\nlog \"computes\"\nfor i in 1..1000000000 { let x = i }\n"
    ])
    await pane.enter("clear; $PSH s.psh; echo status $?")
    try await pane.wait(for: "computes")
    await pane.press("C-z")
    try await pane.wait("a stop") { $0.contains { $0.contains("Stopped") } && $0.last == "$" }
    await pane.enter("clear; fg; echo status $?")
    try await pane.waitForForeground()
    await pane.press("C-c")
    try await pane.wait(for: "status 130")
    await pane.close()
  }

  /// ^C gives the prompt back, also from what does not obey it.
  @Test func thePromptComesBack() async throws {
    let pane = try await shell()
    await pane.enter("clear; $PSH")
    try await pane.prompt()
    await pane.enter("log 'beg' + 'ins'; print len(1..100000000 | sort it)")
    try await pane.wait("its beginning") { $0.contains("begins") }
    await pane.press("C-c")
    try await pane.wait("an end") { $0.contains { $0.hasPrefix("interrupted") || $0.contains("left behind") } }
    try await pane.prompt()
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    await pane.close()
  }
}
