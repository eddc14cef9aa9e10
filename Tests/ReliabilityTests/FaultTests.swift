import Chat
import Providers
import Scheduling
import TestSupport
import Testing
import Threads
import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Every fault against the whole way of a call: engine, provider, transport, a real socket. The table of `docs/reliability.md` is
/// made here.
@Suite(.serialized) struct FaultTests {
  struct Outcome: Sendable {
    var reply: Reply
    var requests: Int
    var waited: Duration
    /// Text that was shown of the try that counts.
    var shown: String
  }

  /// - Parameter isPermanent: the server fails every time; else only the first.
  static func run(
    _ fault: Fault, isPermanent: Bool, change: (inout ChatRequest) -> Void = { _ in }
  ) async throws -> Outcome {
    let requests = Mutex(0)
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      let number = requests.withLock { count in
        count += 1
        return count
      }
      if number > 1, !isPermanent { connection.send(Fault.stream) } else { fault.act(connection) }
    }
    let registry = Registry { _ in nil }
    registry.use(id: "s", baseURL: server.url, key: Secret("key-for-this-host-only"))
    let transport = HTTPTransport()
    defer { transport.shutdown() }
    let time = SkippingTime()
    // Of a server that says nothing the tries are looked at here: how long it is waited for, `SilenceTests` say.
    var limits = Limits()
    limits.downWait = nil
    let engine = CallEngine(
      limiter: Limiter(limits, time: time), client: ProviderClient(registry: registry, transport: transport), time: time, random: { 0.5 })
    var request = ChatRequest(model: ModelName(provider: "s", name: "m"), messages: [Message(.user, "hello")])
    fault.timeouts(&request.timeouts)
    change(&request)
    var policy = RetryPolicy()
    policy.retries = 1
    // Refusals use no try up: they are tried again until they have cost so much.
    policy.maximumWait = .seconds(10)
    let shown = Mutex("")
    var observer = CallEngine.Observer()
    observer.watch = { feed, _ in
      shown.withLock { $0 = "" }
      while let text = await feed.next() { shown.withLock { $0 += text } }
    }
    let job = Job(id: 1, name: "j", total: 1, time: time)
    let reply = await engine.call(PreparedCall(request), in: job, policy: policy, observer: observer)
    #expect(engine.limiter.inUse == 0, "a permit was kept")
    return Outcome(
      reply: reply, requests: requests.withLock { $0 }, waited: time.slept, shown: shown.withLock { $0 })
  }

  @Test(arguments: Fault.all)
  func isNamedAndRetriedAsItShould(_ fault: Fault) async throws {
    let permanent = try await Self.run(fault, isPermanent: true)
    let failure = permanent.reply.error
    #expect(permanent.reply.failure == nil || permanent.reply.attempt.wrong == nil)
    #expect((permanent.reply.failure == nil) == (fault.kind?.isWrongAnswer ?? true))
    #expect(failure?.kind == fault.kind, "\(String(describing: failure))")
    let isCertain = fault.kind == nil || failure?.message.contains("asks to wait") == true
    if fault.isRetried, !isCertain, fault.kind == .rateLimited || fault.kind == .overloaded, failure?.status != 503 {
      #expect(permanent.reply.attempts > 2 && permanent.reply.waited <= .seconds(10))
    } else {
      #expect(permanent.reply.attempts == (fault.isRetried && !isCertain ? 2 : 1))
    }
    // One request each try: but for a connection that went stale under it, nothing is sent behind the user's back.
    #expect(permanent.requests == permanent.reply.attempts)
    if let message = failure?.message {
      #expect(message.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
      #expect(!message.contains("key-for-this-host-only"))
    }
    // A fault that passes: the row is answered, and what had come before it is not part of the answer.
    guard fault.isRetried, !isCertain else { return }
    let passing = try await Self.run(fault, isPermanent: false)
    #expect(passing.reply.failure == nil, "\(String(describing: passing.reply.failure))")
    #expect(passing.reply.text == "a good answer" && passing.shown == "a good answer" && passing.reply.attempts == 2)
    #expect(passing.reply.waited == passing.waited)
  }

  /// A key goes to its own host: a redirect is refused, and whoever it names is not spoken to.
  @Test func aKeyNeverFollowsARedirect() async throws {
    let stranger = try RawServer { connection, _ in _ = connection.request() }
    let fault = Fault("redirect", .malformed, retried: false) { connection in
      connection.send("HTTP/1.1 308 Permanent Redirect\r\nLocation: \(stranger.url)\r\nContent-Length: 0\r\n\r\n")
    }
    _ = try await Self.run(fault, isPermanent: true)
    #expect(stranger.connections == 0)
  }

  /// `docs/reliability.md` says what these tests saw. `PROMPTSH_WRITE_TABLES=1 scripts/test --filter FaultTests` writes it.
  @Test func theTableIsTrue() async throws {
    var rows = ["| the server | what the row says | tries | waits asked for | requests the server saw |", "|---|---|---|---|---|"]
    for fault in Fault.all {
      let outcome = try await Self.run(fault, isPermanent: true)
      let reply = outcome.reply
      let answered = "answered, `finish` \(reply.attempt.finish?.text ?? "nothing")"
      let says = reply.failure.map(Self.words) ?? reply.error.map { "answered, and wrong: \(Self.words($0))" } ?? answered
      rows.append("| \(fault.name) | \(says) | \(reply.attempts) | \(Self.words(reply.waited)) | \(outcome.requests) |")
    }
    let path = String(#filePath.prefix(through: #filePath.lastIndex(of: "/")!)) + "../../docs/reliability.md"
    let document = try #require(Self.read(path))
    let marks = document.ranges(of: "<!-- faults -->")
    try #require(marks.count == 2)
    let table = "\n\n\(rows.joined(separator: "\n"))\n\n"
    if getenv("PROMPTSH_WRITE_TABLES") != nil {
      let new = document[..<marks[0].upperBound] + table + document[marks[1].lowerBound...]
      let file = try #require(fopen(path, "w"))
      fputs(String(new), file)
      fclose(file)
    } else {
      #expect(document[marks[0].upperBound..<marks[1].lowerBound] == table[...])
    }
  }

  private static func words(_ failure: Failure) -> String {
    // Ports differ from run to run, and libcurl's wording from version to version.
    var message = String(failure.message.replacing(/127\.0\.0\.1( port |:)\d+/, with: "SERVER").replacing("|", with: "\\|").prefix(110))
    // A wait until a date grows shorter every day.
    message = message.replacing(/\d{7,}/, with: "N")
    if failure.kind == .connection || failure.kind == .truncated { message = String(message.split(separator: ":").first ?? "") }
    if failure.kind == .connection { message = "libcurl's words" }
    return "`\(failure.kind.rawValue)`\(failure.status.map { " (\($0))" } ?? ""): \(message)"
  }

  private static func words(_ duration: Duration) -> String {
    let milliseconds = duration.components.seconds * 1000 + duration.components.attoseconds / 1_000_000_000_000_000
    return milliseconds == 0 ? "" : "\(milliseconds) ms"
  }

  static func read(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// Time in which every wait is over at once, and counted.
final class SkippingTime: Timekeeper {
  private let total = Mutex(Duration.zero)
  var now: Duration { total.withLock { $0 } }
  var slept: Duration { now }

  func sleep(for duration: Duration) async throws {
    try Task.checkCancellation()
    total.withLock { $0 += duration }
  }
}
