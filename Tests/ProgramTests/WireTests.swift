import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What goes out and what comes in, seen from the program's two ends.
@Suite struct WireTests {
  private static func answer(_ connection: RawServer.Connection, _ body: String, status: Int = 200) {
    connection.send("HTTP/1.1 \(status) Because\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  /// `set request` and `set headers` go out, as flags too; what a header holds is shown nowhere and written nowhere.
  @Test func addedMembersAndHeaders() async throws {
    let seen = Mutex<[String]>([])
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      seen.withLock { $0.append(request) }
      Self.answer(connection, Sample.document("yes"))
    }
    let folder = try Scratch()
    let script = """
      set model openai/m
      set headers {"X-Team": env("TEAM")}
      set request {top_k: 20, stream_options: nothing}
      set headers
      let r = map ["a"] "{it}"
      print r[0].settings
      r | save "\(folder.path)/rows.jsonl"
      ask "b" --request {top_k: 7} --headers {"X-Team": "other"}
      """
    let result = try await Program.run(
      ["-e", script], environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k", "TEAM": " s3cret-team\n"])
    #expect(result.status == 0, "\(result.errors)")
    let requests = seen.withLock { $0 }
    try #require(requests.count == 2)
    #expect(requests[0].contains("X-Team: s3cret-team\r\n") && requests[0].contains(#""top_k":20"#))
    #expect(!requests[0].contains("stream_options"))
    #expect(requests[1].contains("X-Team: other\r\n") && requests[1].contains(#""top_k":7"#))
    #expect(result.output.contains("‹hidden›"))
    for text in [result.output, result.errors, folder.read("rows.jsonl") ?? ""] { #expect(!text.contains("s3cret")) }
  }

  /// Editors begin UTF-8 text with a mark that nobody sees.
  @Test func aByteOrderMarkIsNoPartOfAScript() async throws {
    let folder = try Scratch()
    try folder.write("bom.psh", "\u{FEFF}print \"hi\"\n")
    let path = "\(folder.path)/bom.psh"
    for arguments in [[path], ["-e", "source \"\(path)\""]] {
      let result = try await Program.run(arguments)
      #expect(result.status == 0 && result.output == "hi\n", "\(arguments): \(result.errors)")
    }
    let piped = try await Program.run([], input: "\u{FEFF}print \"hi\"\n")
    #expect(piped.status == 0 && piped.output == "hi\n", "\(piped.errors)")
  }

  /// A server that wants `max_completion_tokens` says so once, and is believed for the rest of the session.
  @Test func theOtherNameOfMaxTokensIsRemembered() async throws {
    let seen = Mutex<[String]>([])
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      seen.withLock { $0.append(request) }
      if request.contains(#""max_tokens""#) {
        let words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        Self.answer(connection, #"{"error":{"message":"\#(words)","code":"unsupported_parameter"}}"#, status: 400)
      } else {
        Self.answer(connection, Sample.document("yes"))
      }
    }
    let result = try await Program.run(
      ["-e", "set model openai/m\nset max-tokens 5\nask \"a\"\nask \"b\""],
      environment: ["OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"])
    #expect(result.status == 0 && result.output == "yes\nyes\n", "\(result.errors)")
    let requests = seen.withLock { $0 }
    #expect(requests.count == 3 && requests.filter { $0.contains("max_completion_tokens") }.count == 2)
  }
}
