import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The three kinds of no, and what servers do to bring them about, on the real program.
@Suite struct WireKindsTests {
  private static func answer(_ connection: RawServer.Connection, _ body: String, status: Int = 200, headers: String = "") {
    let type = body.hasPrefix("data:") ? "text/event-stream" : "application/json"
    connection.send(
      "HTTP/1.1 \(status) Because\r\nConnection: close\r\nContent-Type: \(type)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    )
  }

  private static func delta(_ members: String, _ finish: String = "null") -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":{\(members)},\"finish_reason\":\(finish)}]}\n\n"
  }

  private static let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
  private static let end = delta("", "\"stop\"") + usage + "data: [DONE]\n\n"
  private static func text(_ text: String, _ finish: String = "stop") -> String {
    delta("\"content\":\"\(text)\"") + delta("", "\"\(finish)\"") + usage + "data: [DONE]\n\n"
  }

  private func run(_ server: RawServer, _ script: String, signals: [Int32] = [], after text: String? = nil) async throws -> Program.Result {
    try await Program.run(
      ["-e", "set model openai/m\nset retries 0\n" + script],
      environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "key-of-tests"], interruptAfter: text, signals: signals)
  }

  // MARK: words of errors

  /// What a server or proxy says of its failure is in the row's error, wherever it writes it.
  @Test(arguments: [
    ("event: error\ndata: upstream crashed\n\n", "text/event-stream"),
    ("event: error\ndata: upstream\ndata: crashed\n\n", "text/event-stream"),
    ("event: error\ndata: <html><h1>upstream crashed</h1></html>\n\n", "text/event-stream"),
    ("event: error\ndata: {\"reason\":\"upstream crashed\"}\n\n", "text/event-stream"),
    ("event: error\ndata: [\"upstream crashed\"]\n\n", "text/event-stream"),
    ("event: exception\ndata: upstream crashed\n\n", "text/event-stream"),
    ("data: upstream crashed\n\n", "text/event-stream"), ("upstream crashed", "text/event-stream"),
    ("\n\nupstream crashed\r\n\r\n", "text/event-stream"), ("<html><body>upstream crashed</body></html>", "text/html"),
    ("upstream crashed", "text/plain"),
  ])
  func wordsOfAnErrorAreKept(_ body: String, _ type: String) async throws {
    let server = try RawServer { connection, number in
      guard connection.request() != nil else { return }
      let half = type == "text/event-stream" && number > 0 ? Self.delta("\"content\":\"half\"") : ""
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: \(type)\r\n\r\n\(half)\(body)")
    }
    let result = try await run(
      server,
      """
      set concurrency 1
      let r = map 1..2 "{it}"
      print r.error.message
      """)
    #expect(result.status == 3, "\(result)")
    #expect(result.output.ranges(of: "crashed").count == 2, "\(result)")
  }

  // MARK: the three kinds

  /// Every way in which a model answers otherwise than asked, with `--as`; one good row, and one without an answer.
  private static let kinds: @Sendable (RawServer.Connection, Int) -> Void = { connection, _ in
    guard let request = connection.request(), let row = Sample.row(of: request) else { return }
    switch row {
    case 1: answer(connection, delta("\"content\":\"part of\"") + delta("", "\"content_filter\"") + usage + "data: [DONE]\n\n")
    case 2: answer(connection, #"{"error":{"message":"the prompt was filtered","code":"content_filter"}}"#, status: 400)
    case 3:
      answer(
        connection, #"{"error":{"message":"your input was flagged","code":403,"metadata":{"reasons":["x"],"flagged_input":"y"}}}"#,
        status: 403)
    case 4: answer(connection, delta("\"refusal\":\"I can\"") + delta("\"refusal\":\"not\"") + end)
    case 5: answer(connection, end)
    case 6: answer(connection, text("12", "length"))
    case 7: answer(connection, text("some words"))
    case 8: answer(connection, #"{"error":{"message":"engine died"}}"#, status: 500)
    default: answer(connection, text("7"))
    }
  }

  @Test func wrongAnswersAreData() async throws {
    let server = try RawServer(Self.kinds)
    let result = try await run(
      server,
      """
      set stop-after 2
      set concurrency 1
      let r = map 1..9 "row-{it}-end" --as number
      print r.error.kind
      print r.failed
      print r.value
      print r.text
      print r[1].error.message
      print r[2].error.message
      let g = r | add good (value == 7)
      print (g | summarize mean(good) count())
      print len(failed(r)) len(r | where failed) len(r | where not failed)
      r | group error.kind | summarize count()
      r | save - --format csv
      """)
    // One row has no answer: 3, whatever the others said.
    #expect(result.status == 3, "\(result.errors)")
    for line in [
      #"["refused", "refused", "refused", "refused", "empty", "parse", "parse", "server", nothing]"#,
      "[false, false, false, false, false, false, false, true, false]",
      "[nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, 7]",
      #"["part of", "", "", "I cannot", "", "12", "some words", nothing, "7"]"#, "the prompt was filtered", "your input was flagged",
      "{mean_good: 0.125, count: 9}", "1 1 8", "0\trefused\t4", "2\tparse\t2", "3\tserver\t1",
    ] { #expect(result.output.contains(line + "\n"), "\(line) is missing: \(result.output)") }
    let said = "9 prompts, 8 answered, of them 2 not in the form, 4 refused, 1 empty, 1 failed"
    #expect(result.errors.contains(said), "\(result.errors)")
    #expect(result.errors.contains("12.5 % of 8, of them 2 not in the form, 4 refused, 1 empty; left out: 1 without an answer"))
    let rows = result.output.split(separator: "\n").suffix(9)
    #expect(
      rows.filter { $0.contains(",false,refused (HTTP") }.count == 4 && rows.filter { $0.contains(",true,server (HTTP 500)") }.count == 1)
  }

  /// A list of one item is told of like one of a hundred, unless its answer is as it was asked for.
  @Test(arguments: [
    (5, "1 prompt, 1 answered, of them 1 empty"), (7, "1 prompt, 1 answered, of them 1 not in the form"),
    (8, "1 prompt, 0 answered, 1 failed"), (9, nil),
  ])
  func oneRowIsToldOf(_ row: Int, _ said: String?) async throws {
    let server = try RawServer(Self.kinds)
    let result = try await run(server, "let r = map [\(row)] \"row-{it}-end\" --as number")
    #expect(result.status == (row == 8 ? 3 : 0))
    if let said { #expect(result.errors.contains("r: \(said), "), "\(result.errors)") } else { #expect(result.errors.isEmpty) }
    #expect(result.errors.contains("engine died") == (row == 8))
  }

  /// A wrong answer alone leaves the status at 0; as a value it is its text; `retry` leaves it as it is, `retry --wrong` does not.
  @Test func aWrongAnswerIsNoFailure() async throws {
    let requests = Atomic(0)
    let server = try RawServer { connection, number in
      requests.add(1, ordering: .relaxed)
      Self.kinds(connection, number)
    }
    let result = try await run(
      server,
      """
      let a = ask "row-1-end"
      print a.failed a.error.kind a.finish "{a}"
      ask "row-4-end"
      let b = ask "row-6-end" --as number
      print b.failed b.error.kind b.text (b.value == nothing)
      retry b
      let c = ask "row-7-end" --as number
      retry c --wrong
      print c.value
      let d = ask "row-6-end"
      print d.failed d.error d.text
      """)
    #expect(result.status == 0, "\(result)")
    #expect(
      result.output == "false refused content_filter part of\nI cannot\nfalse parse 12 true\nnothing\nfalse nothing 12\n", "\(result)")
    #expect(requests.load(ordering: .relaxed) == 6)
  }

  // MARK: what is asked once more

  @Test func streamOptionsAreLeftOutWhereTheServerSaysSo() async throws {
    let seen = Mutex<[Bool]>([])
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      let has = request.contains("stream_options")
      seen.withLock { $0.append(has) }
      if has {
        Self.answer(connection, #"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#, status: 400)
      } else {
        Self.answer(connection, Self.text("yes"))
      }
    }
    let result = try await run(server, "ask \"a\"\nask \"b\"")
    #expect(result.status == 0 && result.output == "yes\nyes\n", "\(result)")
    #expect(seen.withLock { $0 } == [true, false, false])
  }

  /// llama-cpp-python: a stream that it cannot give is empty, and why is said only where the whole is asked for.
  @Test(arguments: [true, false]) func anEmptyStreamIsAskedForAsAWhole(_ isTooLong: Bool) async throws {
    let seen = Mutex<[Bool]>([])
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      let streams = request.contains("\"stream\":true")
      seen.withLock { $0.append(streams) }
      if streams {
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
      } else if isTooLong {
        Self.answer(
          connection, #"{"error":{"message":"This model's maximum context length is 512 tokens.","code":"context_length_exceeded"}}"#,
          status: 400)
      } else {
        Self.answer(connection, Sample.document("yes"))
      }
    }
    let result = try await run(server, "let a = ask \"a\"\nprint a.failed a.error.kind a.attempts get(a, \"text\", \"?\")")
    #expect(result.output == (isTooLong ? "true too-long 1 ?\n" : "false nothing 1 yes\n"), "\(result)")
    #expect(result.status == (isTooLong ? 3 : 0) && seen.withLock { $0 } == [true, false])
  }

  /// The call waits as long as it is asked to, and its lane does not add the same wait to it.
  @Test func aStatedWaitIsNotWaitedTwice() async throws {
    let asked = Mutex<[Int: Int]>([:])
    let server = try RawServer { connection, _ in
      guard let request = connection.request(), let row = Sample.row(of: request) else { return }
      let times = asked.withLock { asked in
        asked[row, default: 0] += 1
        return asked[row] ?? 0
      }
      if times > 1 { return Self.answer(connection, Self.text("7")) }
      // Said twice: in a header, and in words.
      let words = #"{"error":{"message":"Rate limit reached. Please try again in 6s.","type":"rate_limit_exceeded"}}"#
      Self.answer(connection, words, status: 429, headers: "Retry-After: 6\r\n")
    }
    let result = try await run(
      server,
      "set retries 4\nlet r = map 1..4 \"row-{it}-end\"\nprint min(r.waited) >= 6s max(r.waited) < 12s min(r.queued) < 12s max(r.attempts)")
    // 6 s, and a little by which they are spread. (The later ones keep to the rate that the refusals taught.)
    #expect(result.status == 0 && result.output == "true true true 2\n", "\(result)")
  }

  // MARK: the end of a call

  /// A server that leaves the connection open after `[DONE]` holds nobody up: the permit goes on at once.
  @Test func anOpenConnectionHoldsNoPermit() async throws {
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + Self.text("7"))
      connection.waitForClose()
    }
    let result = try await run(
      server,
      "set concurrency 2\nset idle-timeout 30s\nlet r = map 1..6 \"row-{it}-end\"\nprint r.text max(r.latency) < 30s max(r.queued) < 30s")
    #expect(result.status == 0 && result.output == "[\"7\", \"7\", \"7\", \"7\", \"7\", \"7\"] true true\n", "\(result)")
  }

  /// The end of the transfer comes a little after that of the answer: it is waited for in the background, and the connection is kept.
  @Test func aConnectionIsKeptAfterTheEnd() async throws {
    let isTaken = Bell()
    // Ends that came too late to be waited for: on a busy machine.
    let late = Atomic(0)
    let server = try RawServer { connection, _ in
      while let request = connection.request() {
        // That the answer was taken is told by another prompt; the first one's transfer goes on until then.
        if request.contains("taken") {
          isTaken.ring()
          let body = Sample.document("yes")
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
          continue
        }
        let body = Self.text("7")
        connection.send(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n")
        let sent = ContinuousClock.now
        isTaken.wait()
        if sent.duration(to: .now) > .milliseconds(80) { late.add(1, ordering: .relaxed) }
        guard connection.send("0\r\n\r\n") else { return }
      }
    }
    let result = try await run(
      server,
      """
      set concurrency 1
      for n in 1..12 {
        ask "row-{n}-end" | print
        let t = ask "taken"
      }
      """)
    #expect(result.status == 0 && result.output == String(repeating: "7\n", count: 12), "\(result)")
    // One carries the row, one the word that it was taken; and a few may be late at the program's end. Were none kept, there were 13.
    let most = 6 + late.load(ordering: .relaxed)
    #expect(server.connections <= most, "\(server.connections) connections, \(most) at most")
  }

  // MARK: what is not stated

  @Test func usageThatNobodyStatesIsSaid() async throws {
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      Self.answer(connection, Self.delta("\"content\":\"forty bytes of text are about ten tokens\"") + Self.delta("", "\"stop\""))
    }
    let result = try await run(
      server,
      """
      set concurrency 1
      set budget tokens 150
      let r = map 1..20 "row-{it}-end" --max-tokens 10
      let ok = r | where not failed
      print len(ok) > 3 len(ok) < 12
      print sum(ok.tokens) ok[0].tokens ok[0].usage.input
      print (ok | summarize sum(tokens))
      """)
    // The budget held some rows back: 3.
    #expect(result.status == 3 && result.output == "true true\nnothing nothing nothing\n{sum_tokens: nothing}\n", "\(result)")
    let notes = result.errors.split(separator: "\n").filter { $0.contains("states no usage") }
    #expect(notes.filter { $0.contains("openai/m states no usage: the token budget reckons") }.count == 1, "\(result.errors)")
    #expect(notes.contains { $0.contains("replies whose server states no usage: their `tokens` is nothing") })
    #expect(notes.contains { $0.contains("sum(tokens): 0 rows; left out:") })
  }

  /// What a failed row counted is nothing unless the server stated it.
  @Test func usageOfAFailedRow() async throws {
    let server = try RawServer { connection, _ in
      guard let request = connection.request(), let row = Sample.row(of: request) else { return }
      if row == 8 { return Self.answer(connection, #"{"error":{"message":"engine died"}}"#, status: 500) }
      Self.answer(connection, Self.delta("\"content\":\"x\"") + Self.usage + "data: {\"error\":{\"message\":\"engine died\"}}\n\n")
    }
    let result = try await run(server, "let r = map [8, 9] \"row-{it}-end\"\nprint r.failed r.usage.input r.tokens")
    #expect(result.output == "[true, true] [nothing, 3] [nothing, 2]\n", "\(result)")
  }

  /// Some servers take any name, so it is no error.
  @Test func aModelThatIsNotListedIsSaidOnce() async throws {
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      Self.answer(connection, request.hasPrefix("GET") ? #"{"data":[{"id":"m"},{"id":"n:latest"}]}"# : Self.text("yes"))
    }
    let result = try await run(
      server,
      """
      use \(server.url)
      ask "a" --model openai/n
      ask "a" --model openai/typo
      map 1..3 "b" --model [openai/m, openai/typo] | count
      set model openai/typo
      ask "c"
      """)
    #expect(result.status == 0, "\(result)")
    let said = result.errors.split(separator: "\n").filter { $0.contains("typo") && $0.contains("lists") }
    #expect(said == ["openai/typo is not among the 2 models that the server lists; `models openai` shows them"], "\(result.errors)")
    #expect(!result.errors.contains("openai/n is not"))
  }

  // MARK: time that passed elsewhere

  /// The program was stopped, or the laptop slept: what waits in the sockets is read before a deadline is looked at.
  @Test func whatCameWhileTheProgramWasStopped() async throws {
    let server = try RawServer { connection, number in
      guard connection.request() != nil else { return }
      // Half of them have begun when it is stopped.
      let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
      if number % 2 == 0 { connection.send(head + Self.delta("\"content\":\"a \"")) }
      poll(nil, 0, 500)
      if number % 2 == 1 { connection.send(head + Self.delta("\"content\":\"a \"")) }
      for _ in 0..<4 {
        connection.send(Self.delta("\"content\":\"b \""))
        poll(nil, 0, 200)
      }
      connection.send(Self.end)
      connection.waitForClose()
    }
    let result = try await run(
      server,
      """
      set concurrency 10
      set idle-timeout 5s
      set first-token-timeout 5s
      let begun = 0
      on start {
        let begun = begun + 1
        if begun == 10 { log "all began" }
      }
      let r = map 1..10 "row-{it}-end"
      print len(r | where not failed) r[0].text
      """, signals: [SIGSTOP, SIGCONT], after: "all began")
    #expect(result.status == 0 && result.output == "10 a b b b b \n", "\(result)")
  }
}
