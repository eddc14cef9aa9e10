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

  /// A key in an address's query is a key: it goes out, and is shown nowhere.
  @Test(arguments: [
    "key=QUERYSECRET1", "api-version=2024-06-01&token=QUERYSECRET1", "x=QUERYSECRET1&y=1", "k=Zq8vN3xYw1QUERYSECRET1Lk5Rt7",
    "model=gpt-4o-mini-2024-07-18&QUERYSECRET1",
  ])
  func aKeyInAQueryIsHidden(_ query: String) async throws {
    let folder = try Scratch()
    let requests = Mutex<[String]>([])
    let server = try Self.server("404 No", "{\"error\":{\"message\":\"no such path\"}}") { request in
      requests.withLock { $0.append(request) }
    }
    let url = "http://127.0.0.1:\(server.port)/v1?\(query)"
    let script = """
      use
      let r = map 1..2 "x {it}" --model openai/m --retries 0
      print r[0].error
      r
      use \(url)
      use | print
      jobs --json
      print "gpt-4o-mini-2024-07-18"
      """
    let text = try await Program.run(["-e", script], environment: ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url])
    // A model's name is words, wherever it stands.
    #expect(text.output.contains("\ngpt-4o-mini-2024-07-18\n"), "\(text)")
    #expect(requests.withLock { $0 }.contains { $0.contains("?\(query) HTTP/1.1") }, "\(text)")
    #expect(text.output.contains("‹hidden›"), "\(text)")
    if query.hasPrefix("api-version") { #expect(text.output.contains("?api-version=2024-06-01&token=‹hidden›"), "\(text)") }
    for text in [text.output, text.errors] { #expect(!text.contains("QUERYSECRET"), "\(text)") }
    let terminal = try PseudoTerminal(
      Program.path, environment: ["OPENAI_BASE_URL": url], folder: folder.path)
    try await terminal.wait(for: "> ")
    terminal.type("use http://127.0.0.1:1/v1?\(query)\r")
    try await terminal.wait(for: "cannot be reached")
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    let history = folder.read(".local/state/promptsh/history") ?? ""
    #expect(history.contains("use http://127.0.0.1:1/v1?") && !history.contains("QUERYSECRET"), "\(history)")
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
    // The advice is about the proxy, not about a key.
    #expect(result.errors.contains("`https_proxy` hold") && !result.errors.contains("the key is missing"), "\(result.errors)")
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

  /// Certificates of one's own, however they are named; the error says where they are taken from.
  @Test(.enabled(if: access("/usr/bin/openssl", X_OK) == 0)) func certificatesOfOnesOwn() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/v1", 0o700)
    try folder.write("v1/models", "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"data\":[{\"id\":\"m\"}]}")
    // The server ends with the shell that reads what it says: it is killed by its number, for the tests' threads block signals.
    let text = """
      cd '\(folder.path)' && mkdir certificates empty && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificates/c.pem \
      -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1 && openssl rehash certificates || exit 9
      openssl s_server -accept 127.0.0.1:0 -cert certificates/c.pem -key key.pem -HTTP >said 2>&1 &
      trap "kill -9 $!" EXIT
      until grep -q '^ACCEPT' said; do :; done
      url="https://127.0.0.1:$(sed -n 's/^ACCEPT 127.0.0.1://p' said)/v1"
      unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE
      for name in SSL_CERT_FILE=certificates/c.pem CURL_CA_BUNDLE=certificates/c.pem SSL_CERT_DIR=certificates SSL_CERT_DIR=empty NONE=; do
        echo "== $name"; env "$name" "$0" -e "use $url" 2>&1
      done
      """
    let result = try await Program.run(["-c", text, Program.path], program: "/bin/sh")
    let parts = result.output.split(separator: "== ")
    #expect(parts.count == 5, "\(result)")
    for part in parts.prefix(3) { #expect(part.contains("openai/m at https://"), "\(part)") }
    #expect(parts[3].contains("certificates are taken from SSL_CERT_DIR=empty"), "\(parts[3])")
    #expect(parts[4].contains("SSL_CERT_FILE, SSL_CERT_DIR or CURL_CA_BUNDLE name other certificates"), "\(parts[4])")
  }

  /// What NO_PROXY names is asked directly.
  @Test func namesWithoutAProxy() async throws {
    let server = try Self.server("200 OK", Self.reply("direct"))
    let proxy = try Self.server("200 OK", Self.reply("by proxy"))
    // One that is no loopback's, and leads there.
    let host = "127.0.0.1.nip.invalid"
    for (exceptions, isDirect) in [("*.invalid", true), ("\(host):1", false), (".nip.invalid,x", true), ("other", false)] {
      let result = try await Program.run(
        ["-e", "ask \"x\" --model openai/m --retries 0 --connect-timeout 2s"],
        environment: [
          "OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": "http://\(host):\(server.port)/v1", "no_proxy": exceptions,
          "http_proxy": "http://127.0.0.1:\(proxy.port)",
        ])
      // A name that nobody knows cannot be asked directly.
      #expect(result.output == (isDirect ? "" : "by proxy\n"), "\(exceptions): \(result)")
    }
  }

  /// A `/`, `#` or `?` that somebody forgot to encode does not bring the password out.
  @Test(arguments: ["hunter/22", "hunter#22", "hunter?22", "hunter@22"]) func aPasswordThatIsNotEncoded(_ password: String) async throws {
    let folder = try Scratch()
    let script = "let r = map 1..2 \"x {it}\" --model openai/m --retries 0\nprint r[0].error\nuse\nsave r \"\(folder.path)/rows.jsonl\""
    let result = try await Program.run(
      ["-e", script], environment: ["OPENAI_API_KEY": Self.key, "OPENAI_BASE_URL": "http://user:\(password)@127.0.0.1:1/v1"])
    for text in [result.output, result.errors, folder.read("rows.jsonl") ?? ""] { #expect(!text.contains("hunter"), "\(text)") }
    #expect(result.output.contains("http://127.0.0.1:1/v1"))
  }

  /// An address whose beginning is written wrongly, or is not there, holds a password all the same; and what failed has changed nothing.
  @Test(arguments: ["bob:hunter22@h", "bob:hunter22@myhost/v1", "http:/bob:hunter22@h/v1", "//bob:hunter22@h/v1", "http:bob:hunter22@h/v1"])
  func aPasswordWithoutItsScheme(_ address: String) async throws {
    let folder = try Scratch()
    let result = try await Program.run(
      ["-e", "print (ask \"x\" --model openai/m --retries 0).error\nuse"], environment: ["OPENAI_BASE_URL": address, "OPENAI_API_KEY": "k"])
    #expect(!(result.output + result.errors).contains("hunter22"), "\(result)")
    let terminal = try PseudoTerminal(Program.path, folder: folder.path)
    try await terminal.wait(for: "[?2004h")
    terminal.type("use \(address)\r")
    let length = try await terminal.wait(for: "was expected, not")
    terminal.type("set model\rprint 'the ' + 'end'\r")
    try await terminal.wait(for: "the end")
    #expect(String(terminal.output.dropFirst(length)).contains("sim/story"))
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    // What is typed is seen while it is typed; what is said of it, and kept, does not hold it.
    let said = try await terminal.rest().ranges(of: "error: ").first.map { String(terminal.output[$0.lowerBound...]) } ?? ""
    #expect(!said.isEmpty && !said.contains("hunter22"), "\(said)")
    let history = folder.read(".local/state/promptsh/history") ?? ""
    #expect(history.contains("use ") && !history.contains("hunter22"), "\(history)")
  }

  @Test func aNameThatIsNotASCIIIsReached() async throws {
    let server = try Self.server("200 OK", Self.reply("grüezi"))
    let result = try await Program.run(
      ["-e", "ask \"x\" --model openai/m"],
      environment: ["OPENAI_BASE_URL": "http://bücher.localhost:\(server.port)/v1", "OPENAI_API_KEY": "x"])
    #expect(result.output == "grüezi\n", "\(result.errors)")
  }
}
