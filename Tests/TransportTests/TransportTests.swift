import Chat
import Providers
import Simulator
import TestSupport
import Testing
import Threads

@testable import Transport

/// The transport against real sockets, with either way of waiting.
@Suite struct TransportTests {
  final class Collector: ResponseHandler, @unchecked Sendable {
    var head: ResponseHead?
    var body: [UInt8] = []
    var turns = 0
    let verdict: @Sendable (Int) -> BodyVerdict
    init(_ verdict: @escaping @Sendable (Int) -> BodyVerdict = { _ in .proceed }) { self.verdict = verdict }
    func received(head: ResponseHead) { self.head = head }
    func received(body bytes: UnsafeRawBufferPointer) -> BodyVerdict {
      body.append(contentsOf: bytes)
      return verdict(body.count)
    }
    func turnEnded() { turns += 1 }
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  private func transport(polling: Bool) -> HTTPTransport {
    var settings = TransportSettings()
    settings.usesPoll = polling
    return HTTPTransport(settings: settings)
  }

  private func get(_ url: String) -> HTTPRequest { HTTPRequest(HTTPAddress(url), method: .get, headers: HeaderList([])) }

  @Test(arguments: [false, true])
  func answersArriveWhole(_ polling: Bool) async throws {
    let server = try RawServer { connection, _ in
      while let request = connection.request() {
        let body = request.hasPrefix("POST") ? String(request.suffix(5)) : "hello"
        connection.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Test: Yes \r\nContent-Length: 5\r\n\r\n\(body)")
      }
    }
    let transport = transport(polling: polling)
    defer { transport.shutdown() }
    let collector = Collector()
    let result = await transport.transfer(get(server.url), handler: collector).run()
    #expect(result.error == nil && collector.head?.status == 200 && collector.text == "hello" && collector.head?["x-TEST"] == "Yes")
    let post = Collector()
    let request = HTTPRequest(HTTPAddress(server.url), method: .post(Array("say: world".utf8)), headers: HeaderList([]))
    #expect(await transport.transfer(request, handler: post).run().error == nil)
    #expect(post.text == "world")
    // Keep-alive: both went over one connection.
    #expect(server.connections == 1)
  }

  @Test(arguments: [false, true])
  func manyAtOnce(_ polling: Bool) async throws {
    let server = try await SimulatorServer.start()
    let transport = transport(polling: polling)
    let registry = Registry { _ in nil }
    registry.use(id: "sim", baseURL: server.baseURL, key: nil)
    let client = ProviderClient(registry: registry, transport: transport)
    let texts = await withTaskGroup(of: String?.self) { group in
      for index in 0..<600 {
        group.addTask(executorPreference: transport) {
          let attempt = await client.send(
            ChatRequest(model: ModelName(provider: "sim", name: "fast"), messages: [Message(.user, "n \(index % 10)")]), feed: nil,
            activity: nil)
          return attempt.failure == nil ? attempt.text : nil
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(texts.count == 600 && !texts.contains(nil))
    #expect(Set(texts.compactMap { $0 }).count == 10)
    transport.shutdown()
    try await server.stop()
  }

  /// Cancelling closes the stream: the server sees it.
  @Test(arguments: [false, true])
  func cancellingClosesTheStream(_ polling: Bool) async throws {
    let closed = AsyncStream<Void>.makeStream()
    let started = AsyncStream<Void>.makeStream()
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
      started.continuation.yield()
      connection.waitForClose()
      closed.continuation.yield()
    }
    let transport = transport(polling: polling)
    defer { transport.shutdown() }
    let request = get(server.url)
    let task = Task { await transport.transfer(request, handler: Collector()).run() }
    for await _ in started.stream { break }
    task.cancel()
    #expect(await task.value.error == .cancelled)
    for await _ in closed.stream { break }
    // A task that is cancelled before it begins sends nothing.
    let early = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await transport.transfer(request, handler: Collector()).run()
    }
    #expect(await early.value.error == .cancelled)
  }

  @Test func oneSilentRetryOnAStaleConnection() async throws {
    let server = try RawServer { connection, number in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
      // The first connection takes a second request and dies without a byte of answer.
      if number == 1 { _ = connection.request() }
    }
    let transport = transport(polling: false)
    defer { transport.shutdown() }
    for _ in 0..<2 {
      let collector = Collector()
      #expect(await transport.transfer(get(server.url), handler: collector).run().error == nil)
      #expect(collector.text == "ok")
    }
    #expect(server.connections == 2)
  }

  static let faults: [(String, String, @Sendable (TransportError?) -> Bool)] = [
    ("nothing", "", { if case .broken? = $0 { true } else { false } }),
    ("short body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", { if case .broken? = $0 { true } else { false } }),
    ("bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", { if case .broken? = $0 { true } else { false } }),
    ("no http", "SSH-2.0-OpenSSH\r\n", { if case .broken? = $0 { true } else { false } }),
    ("redirect is not followed", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", { $0 == nil }),
  ]

  @Test(arguments: faults.map(\.0))
  func faultsHaveAName(_ name: String) async throws {
    let fault = try #require(Self.faults.first { $0.0 == name })
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send(fault.1)
    }
    let transport = transport(polling: false)
    defer { transport.shutdown() }
    let result = await transport.transfer(get(server.url), handler: Collector()).run()
    #expect(fault.2(result.error), "\(String(describing: result.error))")
  }

  @Test func limitsAndDeadlines() async throws {
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      if request.contains("/head") {
        connection.send("HTTP/1.1 200 OK\r\n" + String(repeating: "X-Long: \(String(repeating: "a", count: 1000))\r\n", count: 400))
      } else if request.contains("/body") {
        connection.send("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "a", count: 300_000))
      } else if request.contains("/stall") {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
      }
      connection.waitForClose()
    }
    let transport = transport(polling: false)
    defer { transport.shutdown() }
    func error(_ path: String, _ change: (inout HTTPRequest) -> Void) async -> TransportError? {
      var request = get(server.url + path)
      change(&request)
      return await transport.transfer(request, handler: Collector()).run().error
    }
    if case .tooLarge? = await error("/head", { _ in }) {} else { Issue.record("headers without end") }
    if case .tooLarge? = await error("/body", { $0.maximumBody = 200_000 }) {} else { Issue.record("a body without end") }
    #expect(await error("/silent", { $0.deadlines.firstToken = .milliseconds(60) }) == .timedOut(.firstToken, after: .milliseconds(60)))
    #expect(await error("/stall", { $0.deadlines.idle = .milliseconds(60) }) == .timedOut(.idle, after: .milliseconds(60)))
    #expect(await error("/stall", { $0.deadlines.total = .milliseconds(60) }) == .timedOut(.total, after: .milliseconds(60)))
    #expect(
      await transport.transfer(get("http://127.0.0.1:1/"), handler: Collector()).run().error.map {
        if case .connection = $0 { true } else { false }
      } == true)
    #expect(
      await transport.transfer(get("ftp://127.0.0.1/"), handler: Collector()).run().error.map {
        if case .badURL = $0 { true } else { false }
      } == true)
    #expect(
      await transport.transfer(get("nonsense"), handler: Collector()).run().error.map { if case .badURL = $0 { true } else { false } }
        == true)
  }

  /// A reader that stops reading stops the server: no more than the mark and what one read brings is held.
  @Test func backPressure() async throws {
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(64 << 20)\r\n\r\n")
      let block = [UInt8](repeating: 0x61, count: 1 << 20)
      for _ in 0..<64 { connection.send(block) }
    }
    let transport = transport(polling: false)
    defer { transport.shutdown() }
    let paused = AsyncStream<Int>.makeStream()
    let collector = Collector { count in
      paused.continuation.yield(count)
      return .pause
    }
    var request = get(server.url)
    request.maximumBody = 128 << 20
    let transfer = transport.transfer(request, handler: collector)
    let task = Task { await transfer.run() }
    var last = 0
    for await count in paused.stream {
      // Between two resumes libcurl hands over no more than one buffer's worth.
      #expect(count - last <= 1 << 20)
      last = count
      if count == 64 << 20 { break }
      transfer.resume()
    }
    transfer.resume()
    #expect(await task.value.error == nil)
    #expect(collector.body.count == 64 << 20)
  }

  @Test func headersCannotBeSmuggled() async throws {
    let server = try RawServer { connection, _ in
      guard let request = connection.request() else { return }
      let count = request.lowercased().contains("evil") ? 1 : 0
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\(count)")
    }
    let transport = transport(polling: false)
    defer { transport.shutdown() }
    let collector = Collector()
    let headers = HeaderList([("Authorization", "Bearer x\r\nEvil: yes"), ("X-Fine", "1")])
    _ = await transport.transfer(HTTPRequest(HTTPAddress(server.url), method: .get, headers: headers), handler: collector).run()
    #expect(collector.text == "0")
  }
}
