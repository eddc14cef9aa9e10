import Chat
import Providers
import TestSupport
import Testing
import Threads
import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// TLS that is slow, and TLS that nobody vouches for.
@Suite(.serialized) struct TLSTests {
  private func attempt(_ url: String, _ change: (inout Timeouts) -> Void = { _ in }) async -> Attempt {
    let registry = Registry { _ in nil }
    registry.use(id: "s", baseURL: url, key: Secret("key-of-the-tls-tests"))
    let transport = HTTPTransport()
    defer { transport.shutdown() }
    var request = ChatRequest(model: ModelName(provider: "s", name: "m"), messages: [Message(.user, "x")])
    change(&request.timeouts)
    return await ProviderClient(registry: registry, transport: transport).send(request, feed: nil, activity: nil)
  }

  @Test func aServerThatNeverShakesHands() async throws {
    let server = try RawServer { connection, _ in connection.waitForClose() }
    let attempt = await attempt("https://127.0.0.1:\(server.port)/v1") { $0.connect = .milliseconds(100) }
    #expect(attempt.failure?.kind == .timeout && attempt.failure?.message.contains("connect") == true)
  }

  @Test func plainTextWhereTLSShouldBe() async throws {
    let server = try RawServer { connection, _ in connection.send("HTTP/1.1 400 Bad Request\r\n\r\n") }
    let attempt = await attempt("https://127.0.0.1:\(server.port)/v1")
    #expect(attempt.failure?.kind == .tls && attempt.failure?.kind.isTransient == false, "\(String(describing: attempt.failure))")
  }

  /// Signed by nobody: refused, and nothing is sent; accepted where SSL_CERT_FILE names its certificate.
  @Test(.enabled(if: access("/usr/bin/openssl", X_OK) == 0)) func aCertificateThatNobodyVouchesFor() async throws {
    let folder = try Scratch()
    let made = await Spawn.run(
      """
      cd \(folder.path) && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 \
      -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1 \
      && cp cert.pem "$(printf 'c\\351rt.pem')" && echo made
      """)
    try #require(made == "made")
    // -www answers any request with a page.
    let (said, end) = try Spawn.pipe()
    let server = try Spawn.start(
      "/usr/bin/openssl",
      [
        "s_server", "-naccept", "2", "-accept", "127.0.0.1:0", "-cert", folder.path + "/cert.pem", "-key", folder.path + "/key.pem", "-www",
      ], environment: Spawn.inherited, descriptors: [.file("/dev/null"), .descriptor(end), .file("/dev/null")])
    close(end)
    startThread { _ = Spawn.end(of: server) }
    defer {
      kill(server, SIGKILL)
      close(said)
    }
    let port = await onOwnThread { Self.port(said) } ?? 0
    try #require(port > 0)
    let refused = await attempt("https://127.0.0.1:\(port)/v1")
    #expect(refused.failure?.kind == .tls, "\(String(describing: refused.failure))")
    let registry = Registry { _ in nil }
    registry.use(id: "s", baseURL: "https://127.0.0.1:\(port)/v1", key: nil)
    var settings = TransportSettings()
    // A name that is not UTF-8, as the environment may hold one (`SystemText`).
    settings.caBundle = folder.path + "/c\u{10FFE9}rt.pem"
    let transport = HTTPTransport(settings: settings)
    defer { transport.shutdown() }
    // It is a web page that comes then, over a connection that is trusted.
    guard case .failure(let failure) = await ProviderClient(registry: registry, transport: transport).models(of: "s") else {
      return #expect(Bool(false))
    }
    #expect(failure.kind == .malformed, "\(failure)")
  }

  /// Where the server says that it listens; what it says is read up to there.
  private static func port(_ descriptor: Int32) -> Int {
    var said = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
      said += String(decoding: buffer[..<count], as: UTF8.self)
      let lines = said.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = lines.first(where: { $0.hasPrefix("ACCEPT") }), let port = line.split(separator: ":").last { return Int(port) ?? 0 }
    }
    return 0
  }
}
