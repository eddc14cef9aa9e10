import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Keys and passwords, on their way through the whole program: errors, notes, tables, files, history. And proxies, which have some.
@Suite struct SecretTests {
  private static let key = "sk-test-Zq8vN3xYw1Lk5Rt7"

  /// Answers every request with a status and a JSON body.
  private static func server(_ status: String, _ body: String, headers: String = "", seen: @escaping @Sendable (String) -> Void = { _ in })
    throws -> RawServer
  {
    try RawServer { connection, _ in
      while let request = connection.request() {
        seen(request)
        connection.send(
          "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
    }
  }

  private static func reply(_ text: String) -> String {
    "{\"choices\":[{\"message\":{\"content\":\"\(text)\"},\"finish_reason\":\"stop\"}]}"
  }

  @Test func aKeyThatAServerRepeatsIsHidden() async throws {
    let folder = try Scratch()
    let server = try Self.server("401 No", "{\"error\":{\"message\":\"Incorrect API key provided: \(Self.key).\"}}")
    let script = """
      let r = map 1..2 "x {it}" --model openai/m --retries 0
      print r[0].error
      r
      save r "\(folder.path)/rows.jsonl"
      """
    let result = try await Program.run(["-e", script], environment: ["OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": server.url])
    #expect(result.output.contains("‹hidden›") && result.errors.contains("‹hidden›"))
    for text in [result.output, result.errors, folder.read("rows.jsonl") ?? ""] { #expect(!text.contains(Self.key), "\(text)") }
  }

  @Test func longKeysAreHiddenInReplies() async throws {
    for key in [Self.key, "x"] {
      let server = try Self.server("200 OK", Self.reply("your key is \(key)"))
      let result = try await Program.run(
        ["-e", "ask \"x\" --model openai/m\nstream \"x\" --model openai/m"],
        environment: ["OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.url])
      let shown = key == "x" ? "your key is x\n" : "your key is ‹hidden›\n"
      #expect(result.output == shown + shown, "\(result.errors)")
    }
  }

  /// In pieces, as a stream brings it.
  @Test func aKeyInPiecesIsHiddenToo() async throws {
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
      for character in "it is \(Self.key), you know" {
        connection.send("data: {\"choices\":[{\"delta\":{\"content\":\"\(character)\"}}]}\n\n")
      }
      connection.send("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
    }
    let result = try await Program.run(
      ["-e", "stream \"x\" --model openai/m"], environment: ["OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": server.url])
    #expect(result.output == "it is ‹hidden›, you know\n", "\(result.errors)")
  }

  @Test func aPasswordInAnAddressGoesToTheHeader() async throws {
    let requests = Mutex<[String]>([])
    let server = try Self.server("200 OK", "{\"data\":[{\"id\":\"m\"}]}") { request in requests.withLock { $0.append(request) } }
    let url = "http://Aladdin:open-sesame-77@127.0.0.1:\(server.port)/v1"
    let result = try await Program.run(["-e", "use \(url)\nuse | print\nuse http://me:open-sesame-78@127.0.0.1:1/v1"])
    #expect(requests.withLock { $0 }.contains { $0.contains("Authorization: Basic QWxhZGRpbjpvcGVuLXNlc2FtZS03Nw==") })
    #expect(!(result.output + result.errors).contains("open-sesame"), "\(result)")
    #expect(result.errors.contains("127.0.0.1:1"))
  }

  @Test func historyKeepsNoSecrets() async throws {
    let folder = try Scratch()
    let terminal = try PseudoTerminal(
      Program.path, environment: ["OPENAI_API_KEY": "short-key-9"], folder: folder.path)
    try await terminal.wait(for: "> ")
    terminal.type("let a = \"http://me:hunter22@host/\"\r")
    terminal.type("let b = \"short-key-9\"\r")
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    let history = folder.read(".local/state/promptsh/history") ?? ""
    #expect(history.contains("http://‹hidden›@host/") && history.contains("let b"))
    #expect(!history.contains("hunter22") && !history.contains("short-key-9"), "\(history)")
  }

  // MARK: proxies

  @Test(arguments: ["http", "https"]) func aWrongProxyPasswordIsTriedOnce(_ scheme: String) async throws {
    let proxy = try Self.server("407 Proxy Authentication Required", "no", headers: "Proxy-Authenticate: Basic realm=\"p\"\r\n")
    let address = "http://user:hunter22secret@127.0.0.1:\(proxy.port)"
    let script = "set concurrency 10\nlet r = map 1..15 \"x {it}\" --model openai/m\nprint r[0].error.kind r[14].error.kind\nr"
    let result = try await Program.run(
      ["-e", script],
      environment: [
        "OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": "\(scheme)://api.example/v1", "http_proxy": address, "https_proxy": address,
      ])
    #expect(result.output.hasPrefix("auth auth\n"), "\(result.output)\(result.errors)")
    #expect(proxy.connections == 1)
    #expect(!(result.output + result.errors).contains("hunter22"))
  }

  @Test func aRightProxyPasswordLetsAllThrough() async throws {
    let requests = Mutex<[String]>([])
    let proxy = try Self.server("200 OK", Self.reply("fine")) { request in requests.withLock { $0.append(request) } }
    let script = "set concurrency 10\nlet r = map 1..30 \"x {it}\" --model openai/m\nprint len(r | where it.text == \"fine\")"
    let result = try await Program.run(
      ["-e", script],
      environment: [
        "OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": "http://api.example/v1",
        "http_proxy": "http://Aladdin:open%20sesame@127.0.0.1:\(proxy.port)",
      ])
    #expect(result.output == "30\n", "\(result.errors)")
    #expect(requests.withLock { $0 }.allSatisfy { $0.contains("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") })
  }

  @Test(arguments: [
    "http://user:hunter22@", "http://user:hunter22@127.0.0.1:port", "htp://user:hunter22@127.0.0.1:1", "http://user:hunter22/x@127.0.0.1:1",
    "user:hunter22@a b", "http://user:hunter22@127.0.0.1:99999",
  ])
  func aMalformedProxyIsSaidWithoutItsPassword(_ proxy: String) async throws {
    let folder = try Scratch()
    let script = "let r = map 1..2 \"x {it}\" --model openai/m --retries 0\nprint r[0].error\nsave r \"\(folder.path)/rows.jsonl\""
    let result = try await Program.run(
      ["-e", script],
      environment: ["OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": "https://api.example/v1", "https_proxy": proxy])
    for text in [result.output, result.errors, folder.read("rows.jsonl") ?? ""] { #expect(!text.contains("hunter22"), "\(text)") }
    #expect(result.output.contains("https_proxy"), "\(result.output)")
  }

  @Test func aNameThatIsNotASCIIIsReached() async throws {
    let server = try Self.server("200 OK", Self.reply("grüezi"))
    let result = try await Program.run(
      ["-e", "ask \"x\" --model openai/m"],
      environment: ["OPENAI_BASE_URL": "http://bücher.localhost:\(server.port)/v1", "OPENAI_API_KEY": "x"])
    #expect(result.output == "grüezi\n", "\(result.errors)")
  }
}
