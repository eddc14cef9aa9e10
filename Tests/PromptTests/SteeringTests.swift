import TestSupport
import Testing

/// Work in the foreground and behind the prompt, and the keys and commands that steer it.
@Suite(.serialized) struct SteeringTests {
  /// A job that cannot end while it is looked at: its replies take six minutes, eight at a time.
  private static let long = "map 1..2000 \"Tell me about {it}\" --max-tokens 100"

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
    await pane.type(" ")
    try await pane.wait(for: "paused, Space goes on")
    await pane.type(" ")
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
    try await pane.wait(for: "in flight finish; ^C once more cancels them")
    await pane.press("C-c")
    try await pane.wait(for: "sends the")
    try await pane.prompt()
    await pane.enter("print len(x) len(failed(x)) > 0")
    try await pane.wait(for: "2000 true")
    await pane.close()
  }

  /// What a line runs side by side is paused, goes on and is stopped together, whichever of it the progress line shows.
  @Test func keysSteerAllThatALineRuns() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("together { let a = \(Self.long); let b = \(Self.long) }")
    try await pane.wait(for: "in flight of 8")
    await pane.type(" ")
    try await pane.wait(for: "paused, Space goes on")
    await pane.enter("jobs")
    try await pane.wait("both of them") { lines in lines.count { $0.contains("  paused ") } == 2 }
    await pane.type(" ")
    try await pane.wait("it goes on") { !($0.last?.contains("paused") ?? true) }
    await pane.press("C-c")
    try await pane.wait(for: "in flight finish; ^C once more cancels them")
    await pane.press("C-c")
    try await pane.wait("both of them") { lines in
      ["a", "b"].allSatisfy { name in lines.contains { $0.hasPrefix("  `retry \(name)` sends the ") } }
    }
    try await pane.prompt()
    await pane.close()
  }

  /// What is typed while a value is watched ends that, and is the line of the next prompt.
  @Test func whatIsTypedWhileWatchingIsALine() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let a = \(Self.long) &")
    try await pane.wait("a job") { $0.last == "psh sim/story ×8 ⟳1>" }
    for (keys, line) in [("print 6 * 7", "print 6 * 7"), ("q", ""), (" ", "")] {
      await pane.enter("watch jobs")
      try await pane.wait(for: "any key ends this")
      await pane.type(keys)
      try await pane.wait("the line") { $0.last == "psh sim/story ×8 ⟳1>\(line.isEmpty ? "" : " ")\(line)" }
      await pane.press("C-u")
      try await pane.wait("an empty line") { $0.last == "psh sim/story ×8 ⟳1>" }
      await pane.press("C-l")
      // What the last one showed is gone: seen again, it is the next one's.
      try await pane.wait("the prompt alone") { $0 == ["psh sim/story ×8 ⟳1>"] }
    }
    await pane.close()
  }

  /// The real thing's ways at a pace of the test's own: a stream's first words come at once, the rest when it is told to.
  private func streaming(columns: Int) async throws -> (pane: Pane, rest: Opening, server: RawServer) {
    let rest = Opening()
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      func send(_ text: String, _ finish: String = "null") {
        connection.send("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":\(finish)}]}\n\n")
      }
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
      for word in ["It", "begins", "like", "this"] { send("\(word) ") }
      rest.wait()
      for number in 1...60 { send("word\(number) ") }
      send("end.", "\"stop\"")
      connection.send("data: [DONE]\n\n")
    }
    let pane = try await Pane(
      columns: columns, environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k", "PROMPTSH_MODEL": "openai/m"])
    try await pane.prompt()
    return (pane, rest, server)
  }

  /// A stream sent to the background goes on above the line being typed, to its last word.
  @Test func aStreamGoesOnInTheBackground() async throws {
    let (pane, rest, server) = try await streaming(columns: 100)
    await pane.enter("stream \"Tell me a story\"")
    try await pane.wait(for: "It begins")
    await pane.press("C-z")
    try await pane.wait(for: "[1] stream goes on in the background")
    await pane.type("print 'mine'")
    try await pane.wait("the line") { $0.last == "psh openai/m ×8 ⟳1> print 'mine'" }
    rest.open()
    let lines = try await pane.wait("its end, above the line") { lines in
      lines.contains { $0.hasPrefix("[1] done  stream: 1 prompt, 1 answered") } && lines.last == "psh openai/m ×8> print 'mine'"
    }
    // What came after the key is a line of its own, whole.
    let note = try #require(lines.firstIndex { $0.hasPrefix("[1] stream goes on") })
    let done = try #require(lines.firstIndex { $0.hasPrefix("[1] done") })
    #expect(done > note + 1)
    await pane.close()
    withExtendedLifetime(server) {}
  }

  /// Whoever waits for a job of the background, by `gather` or by using it, sees how far it is; ^C ends the wait, and not the job.
  @Test(arguments: ["gather", "gather x", "x", "print len(x)", "timeout 90s { gather x }"])
  func waitingCanBeEnded(_ line: String) async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let x = \(Self.long) &")
    try await pane.wait(for: "⟳1>")
    await pane.enter(line)
    try await pane.wait("its progress") { $0.last?.contains("in flight of 8") == true }
    await pane.press("C-c")
    try await pane.wait(for: "x goes on in the background")
    try await pane.wait("the prompt, with the job") { $0.last == "psh sim/story ×8 ⟳1>" }
    // It can be waited for again; brought back, it is ended like any other.
    await pane.enter("gather")
    try await pane.wait("its progress") { $0.last?.contains("in flight of 8") == true }
    await pane.press("C-c")
    try await pane.wait("the prompt, with the job") { $0.last == "psh sim/story ×8 ⟳1>" }
    await pane.enter("fg x")
    try await pane.wait("its progress") { $0.last?.contains("in flight of 8") == true }
    await pane.press("C-c", "C-c")
    try await pane.wait(for: "`retry x` sends the ")
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

  /// The line is seen under the progress, takes the editor's keys, and stands at the next prompt with its cursor where it was. No letter
  /// of it steers.
  @Test func whatIsTypedIsSeenAndEdited() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let m = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    func line(_ text: String) async throws {
      try await pane.wait("`\(text)` under the progress") { lines in
        lines.last == "psh sim/story ×8> \(text)" && lines.dropLast().last?.contains("in flight of 8") == true
      }
    }
    await pane.type("print len(m) - 12")
    try await line("print len(m) - 12")
    await pane.press("BSpace", "BSpace", "C-a", "M-f", "Right")
    await pane.type("1 + ")
    try await line("print 1 + len(m) -")
    await pane.press("C-e", "C-w", "M-BSpace")
    try await line("print 1 + len(")
    await pane.press("C-u")
    await pane.type("日本x")
    await pane.press("Left", "Left", "Delete")
    try await line("日x")
    await pane.press("C-e", "C-u")
    try await pane.paste("# one\nlet p = [")
    try await pane.wait("two lines") { $0.suffix(2) == ["psh sim/story ×8> # one", "...> let p = ["] }
    // An entry that is not whole gets another line.
    await pane.press("Enter")
    await pane.type("1]")
    await pane.press("C-a")
    try await pane.wait("three lines") { $0.last == "...> 1]" }
    await pane.press("C-c", "C-c")
    try await pane.wait("the line at the prompt") { lines in
      lines.suffix(3) == ["psh sim/story ×8> # one", "...> let p = [", "...> 1]"] && lines.contains { $0.hasPrefix("  `retry m`") }
    }
    await pane.type("2, ")
    try await pane.wait("the cursor where it was") { $0.last == "...> 2, 1]" }
    await pane.press("Enter")
    await pane.enter("print p")
    try await pane.wait("both") { $0.contains("[2, 1]") }
    await pane.close()
  }

  /// Tab and ^_ mean on a line that is typed meanwhile what they do at the prompt, but for the menu: what there is to choose from stands
  /// below until the next key.
  @Test func whatIsTypedAheadIsCompletedAndUndone() async throws {
    let pane = try await Pane(columns: 120, files: ["data.csv": "a\n42\n"])
    try await pane.prompt()
    await pane.enter("let m = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    await pane.type("set conc")
    await pane.press("Tab")
    try await pane.wait("the word") { $0.last == "psh sim/story ×8> set concurrency" }
    await pane.press("C-u")
    await pane.type("set co")
    await pane.press("Tab")
    try await pane.wait("what there is") {
      $0.suffix(2) == ["psh sim/story ×8> set co", "  colour  concurrency  connect-timeout  control"]
    }
    await pane.type("n")
    try await pane.wait("the line alone") { $0.last == "psh sim/story ×8> set con" }
    await pane.press("C-u")
    await pane.type("load \"da")
    await pane.press("Tab")
    try await pane.wait("the file") { $0.last == "psh sim/story ×8> load \"data.csv" }
    await pane.press("C-_")
    try await pane.wait("the file's beginning") { $0.last == "psh sim/story ×8> load \"da" }
    await pane.press("C-w", "C-_", "Tab")
    try await pane.wait("the file") { $0.last == "psh sim/story ×8> load \"data.csv" }
    await pane.press("C-c", "C-c")
    try await pane.prompt("load \"data.csv")
    await pane.close()
  }

  /// A line that steers runs at once, beside what runs; any other waits for its turn, in order.
  @Test func linesThatSteerRunAtOnce() async throws {
    let pane = try await Pane(columns: 120, rows: 50)
    try await pane.prompt()
    await pane.enter("let m = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    // Until some of its first rows are there.
    try await pane.wait("rows") { lines in
      lines.last?.split(separator: " ").lazy.compactMap { $0.hasSuffix("/2000") ? Int($0.dropLast(5)) : nil }.first ?? 0 >= 8
    }
    await pane.enter("peek m | where index < 3 | sort index | take 2 | select index model")
    try await pane.wait(for: "1      1  sim/story")
    await pane.enter("print 'first'")
    try await pane.wait(for: "  then: print 'first'")
    await pane.enter("set temperature 0.5")
    try await pane.wait(for: "  then: set temperature 0.5")
    await pane.enter("set concurrency 3")
    try await pane.wait(for: "of 3 (8 → 3: set)")
    await pane.enter("set concurrency 2 for m")
    try await pane.wait(for: "of 2 ")
    await pane.enter("jobs")
    try await pane.wait(for: "m     running")
    await pane.enter("why m")
    try await pane.wait(for: "m: no cap → 2")
    await pane.enter("pause m")
    try await pane.wait(for: "paused, Space goes on")
    await pane.enter("resume m")
    try await pane.wait("it goes on") { !$0.contains { $0.contains("Space goes on") } }
    await pane.enter("help vars")
    try await pane.wait(for: "lists the variables")
    await pane.enter("vars")
    try await pane.wait(for: "args")
    // What could send, or wait, does not steer.
    for line in ["peek m | map \"{it}\"", "peek m | take (ask '1')", "jobs --watch", "let a = 1", "unset concurrency"] {
      await pane.enter(line)
      try await pane.wait("`\(line)` waits") { $0.contains("  then: \(line)") }
    }
    await pane.enter("cancel m")
    try await pane.wait("those that waited have run") { lines in
      lines.contains("first") && lines.contains { $0.contains("any key ends this") }
    }
    await pane.close()
  }

  /// Space pauses on an empty line alone, and digits before + and - are seen.
  @Test func keysThatSteer() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let m = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    await pane.type("12")
    try await pane.wait("the number") { $0.last == "psh sim/story ×8> 12" }
    await pane.type("+")
    try await pane.wait("its use") { $0.last?.contains("of 20") == true }
    await pane.type("a +")
    try await pane.wait("text") { $0.last == "psh sim/story ×20> a +" }
    await pane.press("C-u")
    await pane.type("phq?=_")
    try await pane.wait("letters are text") { $0.last == "psh sim/story ×20> phq?=_" }
    await pane.press("C-u")
    await pane.type(" ")
    try await pane.wait(for: "paused, Space goes on")
    await pane.type("x ")
    try await pane.wait("text, still paused") { $0.last == "psh sim/story ×20> x" && $0.contains { $0.contains("Space goes on") } }
    await pane.press("C-c", "C-c")
    try await pane.wait("the line") { $0.last == "psh sim/story ×20> x" && $0.contains { $0.contains("`retry m`") } }
    await pane.close()
  }

  /// A line is typed under a stream, which goes on above it, unbroken.
  @Test func typingUnderAStream() async throws {
    let (pane, rest, server) = try await streaming(columns: 60)
    await pane.enter("stream \"Tell me a story\"")
    try await pane.wait(for: "It begins")
    await pane.type("print 'mine'")
    try await pane.wait("the line under the stream") { $0.last == "psh openai/m ×8> print 'mine'" }
    await pane.press("Enter")
    try await pane.wait(for: "  then: print 'mine'")
    rest.open()
    try await pane.wait("its turn") { $0.contains("mine") }
    let lines = try await pane.prompt()
    let start = try #require(lines.firstIndex { $0.hasPrefix("It begins") })
    let end = try #require(lines.firstIndex { $0.hasSuffix("print 'mine'") })
    let story = lines[start..<end].joined(separator: " ")
    await pane.enter("print _.text == '\(story)'")
    try await pane.wait("the story as it was sent") { $0.contains("true") }
    await pane.close()
    withExtendedLifetime(server) {}
  }

  /// A stream in the background shows whole lines, marked with its name, and never within what another writes.
  @Test func aStreamInTheBackgroundIsMarked() async throws {
    let pane = try await Pane(columns: 80)
    try await pane.prompt()
    await pane.enter("let a = stream \"Tell me a story\" --max-tokens 60 &")
    await pane.enter("let b = stream \"Tell me another\" --max-tokens 60")
    try await pane.wait("both ends") { lines in
      lines.contains { $0.hasPrefix("[1] done  a: 1 prompt") } && lines.last == "psh sim/story ×8>"
    }
    let lines = await pane.screen()
    let marked = lines.filter { $0.hasPrefix("a │ ") }.map { $0.dropFirst(4) }.joined(separator: " ")
    let start = try #require(lines.firstIndex { $0.hasPrefix("[simulated]") })
    #expect(lines.contains("a: cut at max-tokens"))
    let plain = lines[start...].filter { line in
      !["a │ ", "psh ", "[1]", "a: cut", "cut at"].contains { line.hasPrefix($0) }
    }.joined(separator: " ")
    await pane.enter("print b.text == '\(plain)' a.text == '\(marked)'")
    try await pane.wait("both as they were sent") { $0.contains("true true") }
    await pane.close()
  }

  /// Replies that no file has are asked about once; what is over says so.
  @Test func leavingAndWhatIsOver() async throws {
    let pane = try await Pane(columns: 100, shell: true)
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("clear; $PSH; echo left")
    try await pane.prompt()
    await pane.enter("let m = map 1..3 \"x {it}\" --model sim/fast &")
    try await pane.wait(for: "[1] done")
    for (line, said) in [
      ("pause m", "nothing to pause"), ("resume m", "nothing to go on with"), ("set concurrency 2 for m", "nothing to set"),
      ("cancel m", "nothing to cancel"), ("bg m", "nothing to go on with"),
    ] {
      await pane.press("C-l")
      await pane.enter(line)
      try await pane.wait(for: "`m` is done already: there is \(said)")
    }
    await pane.enter("exit")
    try await pane.wait(for: "3 replies in `m` are kept in no file; `save m \"m.jsonl\"` keeps them")
    await pane.enter("save m \"m.jsonl\"")
    try await pane.wait(for: "3 rows written to m.jsonl")
    await pane.enter("ask \"x\"")
    try await pane.wait(for: "[simulated]")
    try await pane.prompt()
    await pane.press("C-d")
    try await pane.wait("the shell") { $0.contains("left") }
    await pane.enter("clear; $PSH; echo left")
    try await pane.prompt()
    await pane.enter("let m = map 1..3 \"x {it}\" --model sim/fast")
    try await pane.wait(for: "m: 3 prompts, 3 answered")
    try await pane.prompt()
    await pane.press("C-d")
    try await pane.wait(for: "3 replies in `m` are kept in no file")
    try await pane.prompt()
    await pane.press("C-d")
    try await pane.wait("the shell") { $0.contains("left") }
    await pane.close()
  }

  /// Lines that come faster than they are run are run in their order, each once, whoever reads them.
  @Test func manyLinesAtOnce() async throws {
    let pane = try await Pane()
    try await pane.prompt()
    await pane.send(bytes: Array((1...60).map { "print \($0) * 1001\r" }.joined().utf8))
    try await pane.wait(for: "60060")
    try await pane.prompt()
    let printed = await pane.everything().compactMap { Int($0) }
    #expect(printed == (1...60).map { $0 * 1001 })
    await pane.close()
  }

  /// What waited when ^C came stands at the prompt as it was typed: without an empty line behind it.
  @Test func whatWaitedStandsAtThePrompt() async throws {
    let pane = try await Pane(columns: 120)
    try await pane.prompt()
    await pane.enter("let m = \(Self.long)")
    try await pane.wait(for: "8 in flight of 8")
    await pane.enter("print 6 * 7")
    try await pane.wait(for: "  then: print 6 * 7")
    await pane.press("C-c", "C-c")
    try await pane.prompt("print 6 * 7")
    await pane.press("Enter")
    try await pane.wait("42") { $0.contains("42") }
    // A job without a variable is named by its beginning, which says that it is one.
    await pane.enter("stream \"tell me a long story\" --max-tokens 3 &")
    try await pane.wait(for: "] done  stream \"tell me a long …: 1 prompt")
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
    try await pane.wait(for: "[1] cancelled  x: 2000 prompts")
    await pane.close()
  }

  /// On a terminal of eighty columns every title of `jobs`, a name of some length and what is done are whole; the rest is named.
  @Test func theJobsFitEightyColumns() async throws {
    let pane = try await Pane(columns: 80)
    try await pane.prompt()
    await pane.enter("let somewhatlonger = map 1..3000 \"Tell me about {it}\" &")
    await pane.enter("let y = map 1..300 \"Tell me about {it}\" --model sim/flaky &")
    try await pane.wait(for: "⟳2>")
    await pane.enter("jobs")
    try await pane.wait("the jobs") { lines in
      lines.contains { $0.contains("somewhatlonger  running") && $0.contains("/3000 ") }
        && lines.contains { $0.hasPrefix("#  job  name") && $0.contains("in_flight") && !$0.contains("…") }
        && lines.contains { $0.contains("… without") && $0.contains("p95") }
    }
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
    // The prompt again, whose keys they are.
    try await pane.prompt()
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
