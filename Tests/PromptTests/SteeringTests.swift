import Testing

/// Work in the foreground and behind the prompt, and the keys and commands that steer it.
@Suite(.serialized) struct SteeringTests {
  /// A job that cannot end while it is looked at: its replies take minutes.
  private static let long = "map 1..200 \"Tell me about {it}\" --max-tokens 100"

  @Test func keysSteerWhatRunsInTheForeground() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    await pane.type("+")
    try await pane.wait(for: "of 9 (8 → 9: set)")
    await pane.type("12+")
    try await pane.wait(for: "of 21")
    await pane.type("20-")
    try await pane.wait(for: "of 1 ")
    await pane.type("p")
    try await pane.wait(for: "paused")
    await pane.type("p")
    try await pane.wait("it goes on") { !($0.last?.contains("paused") ?? true) }
    await pane.type("9+")
    await pane.press("C-z")
    try await pane.wait(for: "[1] x goes on in the background; `fg` brings it back")
    try await pane.wait("the prompt with a job") { $0.last == "psh sim/story ×10 ⟳1>" }
    await pane.enter("jobs")
    try await pane.wait(for: "x     running")
    await pane.enter("fg")
    try await pane.wait(for: "in flight of 10")
    await pane.press("C-c")
    try await pane.wait(for: "in flight finish; ^C once more cancels them; `retry x` will send the")
    await pane.press("C-c")
    try await pane.wait(for: "sends the")
    try await pane.prompt()
    await pane.enter("print len(x) len(failed(x)) > 150")
    try await pane.wait(for: "200 true")
    await pane.close()
  }

  /// A stream sent to the background goes on above the line being typed, to its last word.
  @Test func aStreamGoesOnInTheBackground() async throws {
    let pane = try await Pane(columns: 100)
    try await pane.prompt()
    await pane.enter("stream \"Tell me a story\" --max-tokens 60")
    try await pane.wait(for: "[simulated]")
    await pane.press("C-z")
    try await pane.wait(for: "[1] stream goes on in the background")
    await pane.type("print 'mine'")
    let lines = try await pane.wait("its end, above the line") { lines in
      lines.contains { $0.hasPrefix("[1] done  stream: 1 prompt, 1 answered") } && lines.last == "psh sim/story ×8> print 'mine'"
    }
    // What came after the key is a line of its own, whole.
    let note = try #require(lines.firstIndex { $0.hasPrefix("[1] stream goes on") })
    let done = try #require(lines.firstIndex { $0.hasPrefix("[1] done") })
    #expect(done > note + 1)
    await pane.close()
  }

  /// Whoever waits for a job, by `gather` or by using it, sees how far it is and can end it.
  @Test(arguments: ["gather", "gather x", "x", "print len(x)"])
  func waitingCanBeEnded(_ line: String) async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = \(Self.long) &")
    try await pane.wait(for: "⟳1>")
    await pane.enter(line)
    try await pane.wait("its progress") { $0.last?.contains("in flight of 8") == true }
    await pane.press("C-c", "C-c")
    try await pane.wait(for: "`retry x` sends the 200")
    try await pane.prompt()
    await pane.close()
  }

  /// Words typed while something runs are for the next prompt, and touch no limit.
  @Test func whatIsTypedAheadIsKept() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = map 1..8 \"Tell me about {it}\" --max-tokens 5")
    try await pane.wait(for: "in flight of 8")
    await pane.enter("let y = 5 + 37")
    await pane.enter("print y")
    await pane.type("print 'half")
    try await pane.wait("the two lines run, the third begun") { lines in
      lines.contains("42") && lines.last == "psh sim/story ×8> print 'half"
    }
    await pane.close()
  }

  @Test func limitsAreTurnedWhileTyping() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = \(Self.long) &")
    try await pane.wait(for: "⟳1>")
    await pane.type("print 'half a")
    try await pane.wait(for: "half a")
    await pane.press("M-+", "M-+", "M--", "M-+")
    try await pane.wait("the width in the prompt, the line as it was") { $0.last == "psh sim/story ×10 ⟳1> print 'half a" }
    await pane.type(" line'")
    await pane.press("Enter")
    try await pane.wait("its output") { $0.contains("half a line") }
    await pane.enter("set concurrency 3 for x")
    await pane.enter("why x")
    try await pane.wait(for: "x: no cap → 3: set for this job")
    await pane.enter("pause x")
    await pane.enter("jobs")
    try await pane.wait(for: "x     paused")
    await pane.enter("cancel %1")
    try await pane.wait(for: "[1] cancelled  x: 200 prompts")
    await pane.close()
  }

  @Test func liveTablesTailsAndColumns() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = \(Self.long) &")
    await pane.enter("jobs --watch")
    try await pane.wait("a live table") { lines in
      lines.last?.contains("any key ends this") == true && lines.contains { $0.contains("x     running") }
    }
    await pane.type("q")
    try await pane.prompt()
    await pane.enter("watch (peek x | count)")
    try await pane.wait(for: "any key ends this")
    await pane.press("C-c")
    try await pane.prompt()
    await pane.enter("cancel x")
    try await pane.wait(for: "[1] cancelled")
    await pane.enter("set tails 2")
    await pane.enter("let y = \(Self.long)")
    try await pane.wait("two tails under the progress") { lines in
      guard let bar = lines.firstIndex(where: { $0.contains("in flight of 8") }) else { return false }
      return lines.count == bar + 3 && lines[bar + 1].hasPrefix("   ") && lines[bar + 2].hasPrefix("   ")
    }
    await pane.press("C-c", "C-c")
    try await pane.prompt()
    await pane.enter("set tails 0")
    await pane.enter("stream map [\"a lake\", \"a hill\"] \"Tell of {it}\" --max-tokens 30")
    try await pane.wait("two columns") { lines in
      lines.contains { $0.hasPrefix("a lake ") && $0.contains("a hill") } && lines.contains { $0.ranges(of: "[simulated]").count == 2 }
    }
    try await pane.prompt()
    // Where there is no room for columns, one after the other.
    try await pane.resize(40, 30)
    await pane.enter("stream \"Tell of it\" --max-tokens 5 --model [sim/story, sim/fast]")
    try await pane.wait("both, in order") { lines in
      guard let first = lines.firstIndex(of: "── sim/story"), let second = lines.firstIndex(of: "── sim/fast") else { return false }
      return first < second
    }
    try await pane.prompt()
    await pane.close()
  }

  /// A job that ends while something else stands over the line does no harm.
  @Test(arguments: ["menu", "search", "paste", "shrinking"])
  func aJobEndsMeanwhile(_ what: String) async throws {
    let pane = try await Pane()
    try await pane.prompt()
    _ = await Pane.run("mkfifo \(pane.folder)/in.txt")
    await pane.enter("let j = load \"in.txt\" | map \"{it}\" --model sim/fast &")
    try await pane.wait(for: "[1] j")
    func end() async { _ = await Pane.run("echo one > \(pane.folder)/in.txt") }
    switch what {
    case "menu":
      await pane.type("set co")
      await pane.press("Tab")
      try await pane.wait(for: "  concurrency")
      await end()
      try await pane.wait("the end above the menu") { lines in
        guard let done = lines.firstIndex(where: { $0.hasPrefix("[1] done") }) else { return false }
        return lines.count > done + 2 && lines[done + 1].hasSuffix("> set co") && lines[done + 2].hasPrefix("  colour")
      }
      await pane.press("Tab", "Enter")
      try await pane.prompt("set colour")
    case "search":
      await pane.press("C-r")
      await pane.type("let")
      try await pane.wait(for: "search `let`: let j")
      await end()
      try await pane.wait("the end above the search") { lines in
        guard let done = lines.firstIndex(where: { $0.hasPrefix("[1] done") }) else { return false }
        return lines.last?.hasPrefix("search `let`: let j") == true && done == lines.count - 2
      }
      await pane.press("C-g")
      try await pane.prompt()
    case "paste":
      let lines = ["let all = ["] + (1...500).map { "  \($0)," } + ["0]"]
      async let ended: Void = end()
      try await pane.paste(lines.joined(separator: "\n"))
      await ended
      try await pane.wait("the paste's end") { $0.last?.hasSuffix("0]") == true }
      await pane.press("Enter")
      await pane.enter("print len(all)")
      try await pane.wait(for: "501")
    default:
      await pane.type("# " + String(repeating: "word ", count: 40) + "end")
      try await pane.wait(for: "end")
      async let ended: Void = end()
      try await pane.resize(50, 20)
      await ended
      try await pane.wait("the end above the line, wrapped anew") { lines in
        lines.contains { $0.hasPrefix("[1] done") } && lines.last?.hasSuffix("end") == true
      }
    }
    await pane.close()
  }
}
