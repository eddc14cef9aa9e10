import TestSupport
import Testing

/// Answers that never end: each is an error at a stated size, and sixteen at once do not take the machine's memory.
@Suite(.serialized) struct EndlessTests {
  private static let script =
    "set concurrency 16; set retries 0; let r = map 1..16 \"x {it}\"; for e in errors(r) { print e.count e.example }"

  @Test(arguments: [true, false])
  func sixteenAtOnce(_ isStream: Bool) async throws {
    let piece =
      isStream
      ? String(
        repeating:
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(String(repeating: "x", count: 1000))\"},\"finish_reason\":null}]}\n\n",
        count: 32) : String(repeating: "x", count: 32_768)
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: \(isStream ? "text/event-stream" : "application/json")\r\n\r\n")
      if !isStream { connection.send("{\"a\":\"") }
      while connection.send(piece) {}
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", Self.script + "\n!grep VmHWM /proc/$PPID/status"],
      environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"])
    let most = isStream ? "4 MiB of text" : "8 MiB of body"
    #expect(result.output.contains("16 the answer was too large: more than \(most)"), "\(result)")
    #if os(Linux)
      // A sanitizer's memory is counted too.
      if Patience.isSanitized { return }
      let peak = result.output.split(separator: "\n").first { $0.contains("VmHWM") }?.split(whereSeparator: \.isWhitespace).dropFirst()
        .first
      let kilobytes = try #require(peak.flatMap { Int($0) }, "\(result)")
      // The bound is 200 MiB for the program that `scripts/build` makes; a debug build on a busy machine has been seen at that.
      #expect(kilobytes < 240 << 10, "\(kilobytes) kB")
    #endif
  }
}
