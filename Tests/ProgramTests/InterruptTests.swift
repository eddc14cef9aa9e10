import Simulator
import TestSupport
import Testing
import Threads

/// ^C in a script, and commands of the system's shell.
@Suite struct InterruptTests {
  @Test func afterAnInterruptNothingMoreIsSent() async throws {
    let server = try await SimulatorServer.start()
    let script = """
      use \(server.baseURL)
      set model openai/story
      set concurrency 4
      def two(x) {
        let a = ask "{x}" --max-tokens 3
        return ask "{a}" --max-tokens 3
      }
      on end { log "one is done" }
      let v = each 1..500 two
      print len(v) "statements that send nothing still run"
      ask "never sent"
      print "never reached"
      """
    let result = try await Program.run(["-e", script], interruptAfter: "one is done")
    #expect(result.status == 130 && result.errors.contains("nothing more is sent; letting"), "\(result)")
    #expect(result.output.contains("500 statements that send nothing still run") && !result.output.contains("never"), "\(result)")
    // Of a thousand. On a busy machine the signal comes a little later.
    #expect(server.log.counts.requests < 300)
    try await server.stop()
  }

  /// Nothing is in flight: rows wait for a rate, for another try, for a server that is down.
  @Test(arguments: ["set rpm 6", "set retries 4\nset max-wait 600s", "use http://127.0.0.1:9/v1"])
  func whatWaitsIsNotSent(_ setting: String) async throws {
    let requests = Atomic(0)
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      let body = #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"yes"}}]}"#
      let isFirst = requests.add(1, ordering: .relaxed).newValue == 1
      let head = isFirst || setting.contains("rpm") ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 429 Later\r\nRetry-After: 300\r\n"
      connection.send("\(head)Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let isDown = setting.hasPrefix("use")
    let script = """
      set model openai/m
      set concurrency 1
      on end { log "one has ended" }
      on retry { log "one waits" }
      \(isDown ? "set retries 4" : setting)
      let v = map 1..50 "{it}"
      print len(v) (count(v | where not failed) < 5) "kept"
      retry v
      print "never reached"
      """
    let result = try await Program.run(
      ["-e", script], environment: ["OPENAI_BASE_URL": isDown ? "http://127.0.0.1:9/v1" : server.url, "OPENAI_API_KEY": "key-of-tests"],
      interruptAfter: setting.contains("rpm") ? "one has ended" : "one waits")
    #expect(result.status == 130 && result.output == "50 true kept\n", "\(result)")
    #expect(result.errors.contains("nothing more is sent") && requests.load(ordering: .relaxed) < 6, "\(result.errors)")
  }

  /// What `retry` did not get to had failed before, and is not sent: nothing of it was passed over.
  @Test func anInterruptedRetryCountsWhatItIs() async throws {
    let server = try ChatServer { call in
      if call.number <= 6 { call.refuse(400) } else { call.answer("made") }
      return true
    }
    let script = """
      set model openai/m
      set concurrency 1
      set retries 0
      let a = map 1..6 "row {it}"
      set rpm 2
      on end { log "one is made again" }
      retry a
      print len(a) len(failed(a))
      """
    let result = try await Program.run(["-e", script], environment: server.environment, interruptAfter: "one is made again")
    #expect(result.status == 130 && result.output == "6 5\n", "\(result)")
    #expect(result.errors.contains("a: 6 prompts, 1 answered, 5 not sent"), "\(result.errors)")
    #expect(!result.errors.contains("skipped"), "\(result.errors)")
  }

  @Test func aSingleReplyInFlightIsKept() async throws {
    let server = try await SimulatorServer.start()
    let script = """
      use \(server.baseURL)
      on start { log "it runs" }
      let v = ask "hello" --model openai/story --max-tokens 20
      print v.failed v.finish
      """
    let result = try await Program.run(["-e", script], interruptAfter: "it runs")
    #expect(result.status == 130 && result.output == "false length\n", "\(result)")
    try await server.stop()
  }

  @Test(arguments: [
    ("print status", 0, "0\n"), ("!true\nprint status", 0, "0\n"), ("!exit 7\nprint status", 0, "7\n"),
    ("!kill -9 $$\nprint status", 0, "137\n"),
    ("set strict on\n!exit 7\nprint 1", 1, ""), ("set strict on\n!true\nprint status", 0, "0\n"),
    ("def f() {\n!exit 3\nreturn status\n}\nprint f() status", 0, "3 3\n"),
    ("set strict on\nset strict off\n!false\nif status != 0 { exit 9 }", 9, ""),
  ])
  func theStatusOfACommand(_ script: String, _ status: Int32, _ output: String) async throws {
    let result = try await Program.run(["-e", script])
    #expect(result.status == status && result.output == output, "\(result)")
  }

  /// Rows come from a pipe that stays open: what has come is what there is, and the statements behind it that send nothing run.
  @Test(arguments: [
    "load - --format txt | map \"{it}\" | save \"FOLDER/o.jsonl\"\nprint len(load \"FOLDER/o.jsonl\")",
    "let r = load - --format txt | map \"{it}\"\nprint len(r)",
    "let r = load - --format txt | map \"{it}\" | where not failed | take 5\nprint len(r)",
    "let r = load - --format txt | map \"{it}\" &\nprint len(r)",
    "let a = ask \"hello\"\nload - --format txt | where it != \"\" | save \"FOLDER/o.jsonl\"\nprint 1",
  ])
  func aPipeThatStaysOpenIsNotWaitedFor(_ statements: String) async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      call.answer("yes")
      return true
    }
    let script =
      "set model openai/m\non end { log \"one has ended\" }\n" + statements.replacing("FOLDER", with: folder.path) + "\nask \"never\""
    let result = try await Program.run(
      ["-e", script], input: "one\n", environment: server.environment, interruptAfter: "one has ended", holdsInput: true)
    #expect(result.status == 130 && result.output == "1\n", "\(result)")
    #expect(server.calls == 1, "\(result)")
  }

  /// A row that was on its way to a second column lacks it, and the statements behind it run.
  @Test func columnsThatAreNotSent() async throws {
    let folder = try Scratch()
    let said = folder.path + "/said"
    let server = try ChatServer { call in
      // The first column is answered when nothing more is sent.
      if call.prompt == "z" {
        #expect(Patience.until { folder.read("said")?.contains("nothing more is sent") ?? false })
      }
      call.answer("<\(call.prompt)>")
      return true
    }
    let script = """
      set model openai/m
      on start { log "it is sent" }
      let r = [1] | add z { ask "z" } | add y { ask "y" }
      save r "\(folder.path)/r.jsonl"
      print r.z.text get(r[0], "y", "none")
      """
    let result = try await Program.run(
      ["-c", "exec \(Program.path) -e '\(script)' 2> >(tee \(said) >&2)"], environment: server.environment,
      interruptAfter: "it is sent", program: "/bin/bash")
    #expect(result.status == 130 && result.output == "[\"<z>\"] none\n", "\(result)")
  }
}
