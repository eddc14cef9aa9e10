import TestSupport
import Testing
import Threads

/// A server goes away under a prompt.
@Suite(.serialized) struct OutageTests {
  /// The progress line says whom the rows wait for, and for how long they have; ^C ends them.
  @Test func theProgressLineSaysWhoIsDown() async throws {
    var server: RawServer? = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      let body = #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"here"}}]}"#
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let pane = try await Pane(columns: 120, environment: ["OPENAI_BASE_URL": server?.url ?? "", "OPENAI_API_KEY": "k"])
    try await pane.prompt()
    await pane.enter("set model openai/m")
    await pane.enter("print (ask \"a\").text")
    try await pane.wait(for: "here")
    server = nil
    await pane.enter("let r = map 1..20 \"{it}\"")
    try await pane.wait(for: "openai is down, waiting (")
    await pane.press("C-c")
    try await pane.wait(for: "`retry r` sends the 20")
    try await pane.prompt()
    await pane.enter("why")
    try await pane.wait(for: "openai is down: one call looks every few seconds")
    await pane.close()
  }

  /// What is under way in the background is no answer that the line waits for: the first ^C ends a line that only computes.
  @Test func theBackgroundKeepsNoLine() async throws {
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      if request.contains("slow") { return connection.waitForClose() }
      let body = #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"here"}}]}"#
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }
    let pane = try await Pane(columns: 120, environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"])
    try await pane.prompt()
    await pane.enter("set model openai/m")
    await pane.enter("let b = map 1..4 \"slow {it}\" &")
    await pane.enter("def f(x) { let a = ask \"quick {x}\" ; log \"computes {x}.\" ; for i in 1..1000000000 { let y = i } }")
    await pane.enter("each 1..2 f")
    try await pane.wait(for: "computes 2.")
    await pane.press("C-c")
    try await pane.wait(for: "`retry _`")
    try await pane.prompt()
    await pane.close()
  }

  /// Nobody waits for another try, or for a server that says nothing, after the first ^C: what waits for neither is under way.
  @Test(arguments: [
    ("says nothing", "set first-token-timeout 300ms", "openai/m does not answer"),
    ("refuses", "set max-wait 300s", "openai/m: 429 until"),
  ])
  func theFirstInterruptEndsTheWait(kind: String, setting: String, news: String) async throws {
    let isFirst = Atomic(true)
    let server = try RawServer { connection, _ in
      while connection.request() != nil {
        if isFirst.exchange(false, ordering: .relaxed) {
          let body = #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"here"}}]}"#
          connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        } else if kind == "refuses" {
          connection.send("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 200\r\nContent-Length: 2\r\n\r\n{}")
        }
      }
    }
    let pane = try await Pane(columns: 120, environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"])
    try await pane.prompt()
    await pane.enter("set model openai/m")
    // The one that is answered goes before the setting: on a busy machine its answer may take longer than that allows.
    await pane.enter("print (ask \"a\").text")
    try await pane.wait(for: "here")
    await pane.enter(setting)
    await pane.enter("let r = map 1..20 \"{it}\"")
    try await pane.wait(for: news)
    await pane.press("C-c")
    try await pane.wait(for: "`retry r` sends the 20")
    try await pane.prompt()
    await pane.close()
  }
}
