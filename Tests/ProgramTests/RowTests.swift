import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Rows of the real program, before servers on loopback: how many are sent at once, and what is sent again.
@Suite struct RowTests {
  /// A server that answers when so many calls are there at once, and every one from then on.
  private func gathering(_ count: Int) throws -> ChatServer {
    let gate = Opening()
    return try ChatServer { call in
      if call.live >= count { gate.open() }
      // Where they come one after the other, the first waits in vain.
      if !gate.wait() { gate.open() }
      call.answer("yes")
      return true
    }
  }

  /// `add` that sends is as wide as `map`: 8 calls are at the server at once.
  @Test(arguments: [
    "let r = 1..16 | add judged { ask \"judge {it}\" }",
    "let r = load \"FOLDER/rows.jsonl\" | add judged { ask \"judge {n}\" } | add again { ask \"again {n}\" }",
    "let r = map 1..16 \"row {it}\" | add judged { ask \"judge {text}\" }",
  ])
  func addIsAsWideAsMap(_ line: String) async throws {
    let folder = try Scratch()
    try folder.write("rows.jsonl", (1...16).map { "{\"n\": \($0)}\n" }.joined())
    let server = try gathering(8)
    let script = "set model openai/m\nset concurrency 8\n\(line.replacing("FOLDER", with: folder.path))\nprint len(r) r[15].judged"
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.status == 0 && result.output == "16 yes\n", "\(result)")
    #expect(server.most == 8)
  }

  /// Which model a row's call goes to, only the function knows: a row that waits for one that refuses keeps no other from going.
  @Test func aModelChosenInAFunctionHoldsUpOnlyItsOwnRows() async throws {
    let good = Atomic(0)
    let server = try ChatServer { call in
      if call.model == "shut" {
        call.refuse(429, headers: "Retry-After: 100\r\n")
      } else {
        call.answer("\(good.add(1, ordering: .relaxed).newValue)")
      }
      return true
    }
    let script = """
      set concurrency 4
      set max-wait 600s
      def f(x) { return ask "row {x}" --model ("openai/" + ["shut", "good"][x % 2]) }
      on end { if event.reply.text == "60" { log "all of the good one are there" } }
      let r = each 1..120 f
      """
    let result = try await Program.run(
      ["-e", script], environment: server.environment, interruptAfter: "all of the good one are there", signals: [SIGINT])
    #expect(result.status == 130 && good.load(ordering: .relaxed) == 60, "\(result)")
  }

  /// Rows of a file are sent again with their messages and settings, whatever the session's are now; a table that kept the last turn
  /// only says so.
  @Test(arguments: ["jsonl", "json", "csv"])
  func rowsOfAFileAreSentAgain(_ format: String) async throws {
    let folder = try Scratch()
    let requests = Mutex<[String]>([])
    let server = try ChatServer { call in
      requests.withLock { $0.append(call.request) }
      if call.number <= 4 { call.refuse(400) } else { call.answer("7") }
      return true
    }
    let file = "\(folder.path)/r.\(format)"
    let first = """
      set model openai/m
      set retries 0
      set system "Be brief."
      set request {top_k: 20}
      let r = map [{q: "one", id: 7}, {q: "two", id: 8}] "{q}?" --temperature [0.25, 0.75] --max-tokens 50 --as number | add score 1
      save r "\(file)"
      """
    let saved = try await Program.run(["-e", first], environment: server.environment)
    #expect(saved.status == 3, "\(saved)")
    let second = """
      set model openai/other
      set temperature 1.5
      set system "Be long."
      let r = load "\(file)"
      retry r
      print r.id r.value r.temperature r.score r[3].settings.max_tokens r[3].q
      """
    let again = try await Program.run(["-e", second], environment: server.environment)
    #expect(again.status == 0 && again.output == "[7, 7, 8, 8] [7, 7, 7, 7] [0.25, 0.75, 0.25, 0.75] [1, 1, 1, 1] 50 two\n", "\(again)")
    let bodies = requests.withLock { $0 }.map { String($0[($0.ranges(of: "\r\n\r\n").first?.upperBound ?? $0.startIndex)...]) }
    #expect(bodies.count == 8 && Set(bodies.prefix(4)) == Set(bodies.suffix(4)), "\(bodies)")
  }

  @Test(arguments: [("jsonl", 0, "sent"), ("csv", 1, "row 0 of `r` does not say all that was sent: a table kept the last of its 4 turns")])
  func severalTurns(_ format: String, _ status: Int32, _ words: String) async throws {
    let folder = try Scratch()
    let requests = Mutex<[String]>([])
    let server = try ChatServer { call in
      requests.withLock { $0.append(call.request) }
      if call.number == 1 { call.refuse(400) } else { call.answer("sent") }
      return true
    }
    let file = "\(folder.path)/r.\(format)"
    let first = """
      set model openai/m
      set retries 0
      prompt expert(q) {
        system "You are careful."
        user "1 + 1?"
        assistant "2"
        user "{q}"
      }
      let r = map ["2 + 2?"] expert
      save r "\(file)"
      """
    _ = try await Program.run(["-e", first], environment: server.environment)
    // Through a second file it is the same.
    let second = """
      set model openai/m
      save (load "\(file)") "\(folder.path)/s.\(format)"
      let r = load "\(folder.path)/s.\(format)"
      print r[0].prompt
      retry r
      print r[0].text
      """
    let again = try await Program.run(["-e", second], environment: server.environment)
    #expect(again.status == status && again.output.hasPrefix("2 + 2?\n") && (again.output + again.errors).contains(words), "\(again)")
    if status == 0 { #expect(requests.withLock { $0.last }?.contains("You are careful.") == true) }
  }
}
