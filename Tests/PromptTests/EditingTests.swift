import Testing

/// The line editor in a real terminal: what is typed, drawn, wrapped, pasted, recalled.
@Suite(.serialized) struct EditingTests {
  private static let start = "psh sim/story ×8> ".count

  @Test func wideCombiningAndJoinedCharacters() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.type("'日本語 e\u{301}👨‍👩‍👧'")
    try await pane.wait(for: "'日本語")
    // Two columns each for the wide and the family, one for the letter with its accent.
    try await pane.cursor(at: Self.start + 1 + 6 + 1 + 1 + 2 + 1, 1)
    await pane.press("Left", "Left")
    await pane.press("C-a")
    try await pane.cursor(at: Self.start, 1)
    await pane.press("C-e", "Enter")
    try await pane.wait("the text, whole") { $0.contains { $0.hasPrefix("日本語 e\u{301}") } }
    await pane.close()
  }

  @Test func linesWrapAndTheWindowChanges() async throws {
    let pane = try await Pane(columns: 60, rows: 20)
    try await pane.prompt()
    let words = (1...30).map { "word\($0)" }.joined(separator: " ")
    await pane.type("# \(words)")
    try await pane.wait(for: "word30")
    for (columns, rows) in [(40, 20), (90, 12), (30, 20), (60, 20)] {
      try await pane.resize(columns, rows)
      let room = columns - 1
      try await pane.wait("the text wrapped at \(columns)") { lines in
        guard let first = lines.lastIndex(where: { $0.hasPrefix("psh ") }) else { return false }
        // A blank at the end of a row cannot be seen. And the text stands there once.
        let shown = lines.joined().filter { $0 != " " }
        return shown.hasSuffix(words.filter { $0 != " " }) && shown.ranges(of: "word7").count == 1
          && lines[first...].allSatisfy { $0.count <= room }
      }
    }
    await pane.press("C-a")
    await pane.type("x")
    try await pane.wait("an x at its start") { $0.contains { $0.contains("> x# word1 ") } }
    await pane.close()
  }

  @Test func outputComesAboveAWrappedLine() async throws {
    let pane = try await Pane(columns: 60, rows: 20)
    try await pane.prompt()
    _ = await Pane.run("mkfifo \(pane.folder)/in.txt")
    await pane.enter("let j = load \"in.txt\" | map \"{it}\" --model sim/fast &")
    try await pane.wait(for: "[1] j")
    let text = "# " + String(repeating: "abcdefghi ", count: 12) + "end"
    await pane.type(text)
    try await pane.wait(for: "end")
    for _ in 0..<40 { await pane.press("Left") }
    // A row holds one character less than the window; the prompt counts the job.
    let (counted, place) = ("⟳1 ".count, Self.start + text.count - 40)
    let column = (place + counted) % 59
    let row = try await pane.cursor(inColumn: column)
    _ = await Pane.run("echo one > \(pane.folder)/in.txt")
    let lines = try await pane.wait("the job's end above the line") { lines in
      guard let done = lines.firstIndex(where: { $0.hasPrefix("[1] done  j: 1 prompt, 1 answered") }),
        let prompt = lines.lastIndex(where: { $0.hasPrefix("psh ") })
      else { return false }
      return done < prompt && lines[prompt...].joined().contains(text)
    }
    // The line stands there once, and the cursor where it was in it: one row lower.
    #expect(lines.joined().ranges(of: "abcdefghi end").count == 1)
    try await pane.cursor(at: column - counted, row + 1)
    await pane.type("HERE")
    try await pane.wait("the insertion in the middle") { $0.joined().contains("HERE") && $0.joined().hasSuffix("end") }
    await pane.close()
  }

  @Test(arguments: [200, 5000])
  func aPasteIsOneEntry(_ count: Int) async throws {
    let pane = try await Pane(rows: 20)
    try await pane.prompt()
    let lines = ["let all = ["] + (1...count).map { "  \($0)," } + ["0]"]
    try await pane.paste(lines.joined(separator: "\n"))
    try await pane.wait("the paste's end") { $0.last?.hasSuffix("0]") == true }
    await pane.press("Enter")
    try await pane.prompt()
    await pane.enter("print len(all) all[\(count - 1)]")
    try await pane.wait(for: "\(count + 1) \(count)")
    try await pane.prompt()
    // It is recalled as one entry.
    await pane.press("Up", "Up")
    try await pane.wait("the entry again") { $0.last?.hasSuffix("0]") == true }
    await pane.close()
  }

  @Test func aMultiLineEntryIsRecalledAndEditedWhole() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.enter("for n in 1..2 {")
    try await pane.wait(for: "...>")
    await pane.enter("  print n")
    await pane.enter("}")
    try await pane.wait("1 and 2") { $0.contains("1") && $0.contains("2") }
    try await pane.prompt()
    await pane.press("Up")
    try await pane.wait("the entry") { $0.last == "...> }" && $0.count { $0.hasPrefix("...>") } == 4 }
    // Once it has been touched, Up goes to the line above.
    await pane.type(" ")
    await pane.press("BSpace", "Up", "End")
    await pane.type(" * 10")
    await pane.press("Enter")
    try await pane.wait("the edited loop's lines") { $0.contains("10") && $0.contains("20") }
    await pane.close()
  }

  @Test func textTallerThanTheScreen() async throws {
    let pane = try await Pane(columns: 40, rows: 10)
    try await pane.prompt()
    try await pane.paste("let x = [\n" + (1...50).map { "\($0)," }.joined(separator: "\n") + "\n0]")
    try await pane.wait("its end") { $0.last == "...> 0]" }
    for _ in 0..<30 { await pane.press("Up") }
    try await pane.wait("its middle") { $0.contains("...> 21,") }
    await pane.type("7")
    await pane.press("Enter")
    await pane.press("C-c")
    try await pane.prompt()
    await pane.close()
  }

  @Test func killYankUndoAndWords() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.type("one two three")
    await pane.press("C-w")
    try await pane.prompt("one two")
    await pane.press("C-a", "C-y")
    try await pane.prompt("threeone two")
    await pane.press("C-_")
    try await pane.prompt("one two")
    await pane.press("C-_")
    try await pane.prompt("one two three")
    await pane.press("M-b", "M-b", "C-k")
    try await pane.prompt("one")
    await pane.press("C-_", "C-a", "M-f", "M-d")
    try await pane.prompt("one three")
    await pane.press("C-u")
    try await pane.prompt(" three")
    for _ in 0..<12 { await pane.press("C-_") }
    try await pane.prompt("")
    await pane.close()
  }

  /// Keys that come in one read, as from a slow line or a fast hand, are undone as if each had come by itself.
  @Test func undoOfKeysThatCameTogether() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    let undo: UInt8 = 0x1F
    for (keys, left) in [
      (Array("one two three".utf8) + [undo], "one two"), (Array("one two three".utf8) + [0x17, 0x17, undo], "one two"),
      (Array("one two".utf8) + [0x15] + Array("three".utf8) + [undo, undo], "one two"),
      (Array("one".utf8) + [undo] + Array("two".utf8) + [undo], ""),
    ] {
      await pane.send(bytes: keys)
      try await pane.prompt(left)
      await pane.send(bytes: Array("x".utf8) + [0x15])
      try await pane.prompt("")
    }
    await pane.close()
  }

  /// A name that is not UTF-8 is completed as the file is called, and shown with its bytes.
  @Test func completionOfANameThatIsNotText() async throws {
    let pane = try await Pane()
    _ = await Pane.run("cd \(pane.folder) && printf 'a\\n42\\n' > \"$(printf 'caf\\351.csv')\"")
    try await pane.prompt()
    await pane.type("load \"ca")
    await pane.press("Tab")
    try await pane.prompt("load \"caf\\xE9.csv")
    await pane.enter("\"")
    try await pane.wait("the row") { $0.contains("0  42") }
    await pane.close()
  }

  @Test func historyByPrefixHintAndSearch() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    for (line, shown) in [("print 'alpha one'", "alpha one"), ("print 'beta'", "beta"), ("1 + 1", "2")] {
      await pane.enter(line)
      try await pane.wait("its output") { $0.contains(shown) && $0.last?.hasSuffix(">") == true }
    }
    await pane.type("pr")
    try await pane.prompt("print 'beta'")
    try await pane.coloured("a dim hint") { $0.contains("\u{1B}[2mint 'beta'") }
    await pane.press("Right")
    await pane.type("x")
    try await pane.prompt("print 'beta'x")
    await pane.press("C-u")
    await pane.type("pri")
    await pane.press("Up", "Up")
    try await pane.prompt("print 'alpha one'")
    await pane.press("Down", "Down")
    await pane.press("C-u", "C-r")
    await pane.type("al")
    try await pane.wait(for: "search `al`: print 'alpha one'")
    await pane.type("zz")
    try await pane.wait(for: "nothing more search `alzz`")
    await pane.press("C-g")
    try await pane.prompt("")
    await pane.press("C-r")
    await pane.type("print")
    await pane.press("C-r")
    try await pane.wait(for: "search `print`: print 'alpha one'")
    await pane.press("Enter")
    try await pane.wait("it ran again") { $0.count { $0 == "alpha one" } == 2 }
    await pane.close()
  }

  @Test func completionWithAMenu() async throws {
    let pane = try await Pane(files: ["data-one.csv": "a\n1\n", "data-two.csv": "a\n2\n"])
    try await pane.prompt()
    await pane.type("whe")
    await pane.press("Tab")
    try await pane.prompt("where")
    await pane.press("C-u")
    await pane.type("map 1..2 \"x\" --te")
    await pane.press("Tab")
    try await pane.prompt("map 1..2 \"x\" --temperature")
    await pane.press("C-u")
    await pane.type("set co")
    await pane.press("Tab")
    try await pane.wait("a menu with help") { lines in
      lines.contains { $0.contains("  concurrency") && $0.contains("calls at once") } && lines.contains { $0.hasPrefix("  colour") }
    }
    await pane.press("Tab", "Tab")
    try await pane.wait("the second chosen") { $0.contains { $0.hasPrefix("▸ concurrency") } }
    await pane.press("BTab")
    try await pane.wait("the first chosen") { $0.contains { $0.hasPrefix("▸ colour") } }
    await pane.type(" o")
    try await pane.prompt("set colour o")
    await pane.press("Tab")
    try await pane.wait(for: "  off")
    await pane.press("Escape")
    try await pane.prompt("set colour o")
    await pane.press("C-u")
    await pane.type("load \"da")
    await pane.press("Tab")
    try await pane.prompt("load \"data-")
    await pane.press("Tab", "Tab", "Enter")
    try await pane.prompt("load \"data-one.csv")
    await pane.press("C-u")
    // Seen first: the empty line before it is a prompt too, and Tab would come while the line runs.
    await pane.type("let rows = load \"data-one.csv\"")
    try await pane.prompt("let rows = load \"data-one.csv\"")
    await pane.press("Enter")
    try await pane.prompt()
    await pane.type("rows.")
    await pane.press("Tab")
    try await pane.prompt("rows.a")
    await pane.press("C-u")
    // Models are asked for in the background: the menu grows when they come.
    await pane.type("set model sim/")
    try await pane.prompt("set model sim/")
    await pane.press("Tab")
    try await pane.wait(for: "sim/flaky")
    await pane.close()
  }

  @Test func coloursAndTheirAbsence() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.type("map 1..3 \"say {it}\" --temperature 0 | whre x ")
    try await pane.coloured("the line in its colours") { coloured in
      ["map\u{1B}[0m", "\u{1B}[33m{it}", "\u{1B}[31mwhre x"].allSatisfy { coloured.contains($0) }
    }
    await pane.press("C-u")
    await pane.enter("set colour off")
    try await pane.prompt()
    await pane.type("map 1..3 \"say {it}\"")
    try await pane.wait("the line") { $0.last?.hasSuffix("\"say {it}\"") == true }
    let last = await pane.coloured().split(separator: "\n").last { $0.contains("say {it}") } ?? ""
    #expect(!last.contains("\u{1B}[3"))
    await pane.close()
    let plain = try await Pane(environment: ["NO_COLOR": "1"])
    try await plain.prompt()
    await plain.type("map 1..3 \"say {it}\"")
    try await plain.wait(for: "say {it}")
    #expect(await !plain.coloured().contains("\u{1B}[3"))
    await plain.close()
  }

  @Test func historyIsSharedAndKeepsNoSecrets() async throws {
    let pane = try await Pane(shell: true)
    try await pane.wait(for: "$")
    await pane.enter("$PSH")
    try await pane.prompt()
    await pane.enter("1 + 41")
    await pane.enter("use 'http://127.0.0.1:1/v1' --key sk-abcdefghijklmnopqrstuvwxyz")
    await pane.enter("2 + 2")
    await pane.enter("1 + 41")
    try await pane.wait("three results") { $0.count { $0 == "42" } == 2 && $0.contains("4") }
    // Before the prompt is back ^D is the system's, which forgets it.
    try await pane.prompt()
    await pane.press("C-d")
    try await pane.wait("the shell again") { $0.last == "$" }
    let history = try await pane.file(".local/state/promptsh/history")
    #expect(!history.contains("sk-abc"))
    #expect(await Pane.run("stat -c %a \(pane.folder)/.local/state/promptsh/history") == "600")
    await pane.enter("clear; $PSH")
    try await pane.prompt()
    await pane.press("Up")
    try await pane.wait("the newest") { $0.last?.hasSuffix("> 1 + 41") == true }
    await pane.press("Up")
    try await pane.wait("the one before, the duplicate gone") { $0.last?.hasSuffix("> 2 + 2") == true }
    await pane.press("Up")
    #expect(await pane.screen().last?.hasSuffix("> 2 + 2") == true)
    await pane.close()
  }

  @Test func anotherEditorInitFileAndPrompt() async throws {
    let pane = try await Pane(
      environment: ["EDITOR": "sh ./editor"],
      files: [
        "editor": "sed 's/one/two/' \"$1\" > edited && cat edited > \"$1\"\n",
        ".config/promptsh/init.psh": "set concurrency 5\nlet greeting = \"from init\"\n", "lines.psh": "print \"sourced {greeting}\"\n",
      ])
    try await pane.wait(for: "×5>")
    await pane.type("print 'one'")
    await pane.press("M-e")
    try await pane.wait("the edited text") { $0.last?.hasSuffix("> print 'two'") == true }
    await pane.press("Enter")
    try await pane.wait(for: "two")
    await pane.enter("source \"lines.psh\"")
    try await pane.wait(for: "sourced from init")
    await pane.enter("print 'one more'")
    try await pane.wait("its output") { $0.contains("one more") }
    await pane.enter("edit")
    try await pane.wait("the last entry, edited") { $0.last?.hasSuffix("> print 'two more'") == true }
    await pane.press("C-u")
    await pane.enter("set prompt '{model} at {concurrency} % '")
    try await pane.wait("another prompt") { $0.last == "sim/story at 5 %" }
    await pane.close()
  }

  @Test func viIsThereForThoseWhoAsk() async throws {
    let pane = try await Pane(files: [".editrc": "bind -v\n"])
    try await pane.prompt()
    await pane.type("print 'abc'")
    await pane.press("Escape")
    try await pane.cursor(at: Self.start + 10, 1)
    await pane.type("0x")
    try await pane.prompt("rint 'abc'")
    await pane.type("ip")
    await pane.press("Enter")
    try await pane.wait("its output") { $0.contains("abc") }
    await pane.close()
  }
}
