import TestSupport
import Testing

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
    await pane.press("C-c", "C-c")
    try await pane.wait(for: "`retry r` sends the 20")
    try await pane.prompt()
    await pane.enter("why")
    try await pane.wait(for: "openai is down: one call looks every few seconds")
    await pane.close()
  }
}
