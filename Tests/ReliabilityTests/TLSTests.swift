import Chat
import Providers
import TestSupport
import Testing
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
    let folder = "/tmp/promptsh-tls-\(getpid())"
    let made = system(
      """
      mkdir -p \(folder) && cd \(folder) && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 \
      -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1
      """)
    #expect(made == 0)
    defer { _ = system("rm -rf \(folder)") }
    // -www answers any request with a page. Threads of the pool block signals, and so do their children: only SIGKILL ends one.
    let server = try #require(
      popen("cd \(folder) && echo $$ > pid && exec openssl s_server -naccept 2 -accept 127.0.0.1:0 -cert cert.pem -key key.pem -www", "r"))
    defer {
      _ = system("kill -9 $(cat \(folder)/pid)")
      pclose(server)
    }
    var port = 0
    var line = [CChar](repeating: 0, count: 512)
    while port == 0, fgets(&line, 512, server) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix("ACCEPT") { port = text.split(separator: ":").last.flatMap { Int($0.filter(\.isNumber)) } ?? 0 }
    }
    try #require(port > 0)
    let refused = await attempt("https://127.0.0.1:\(port)/v1")
    #expect(refused.failure?.kind == .tls, "\(String(describing: refused.failure))")
    let registry = Registry { _ in nil }
    registry.use(id: "s", baseURL: "https://127.0.0.1:\(port)/v1", key: nil)
    var settings = TransportSettings()
    settings.caBundle = folder + "/cert.pem"
    let transport = HTTPTransport(settings: settings)
    defer { transport.shutdown() }
    // It is a web page that comes then, over a connection that is trusted.
    guard case .failure(let failure) = await ProviderClient(registry: registry, transport: transport).models(of: "s") else {
      return #expect(Bool(false))
    }
    #expect(failure.kind == .malformed, "\(failure)")
  }
}
