import Chat
import Providers
import TestSupport
import Testing
import Threads
import Transport

/// Answers cut anywhere, over real sockets: with a length, in chunks, up to the close. (HTTP/2 is spoken from libcurl 8.7 on, and over TLS.)
@Suite(.serialized) struct FramingTests {
  enum Framing: String, CaseIterable, Sendable { case length, chunked, close }

  static let document =
    #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"a good answer"}}],"#
    + #""usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#
  static let stream = Fault.delta("a good ") + Fault.delta("answer") + Fault.finish("stop")

  /// The bytes on the wire, and where a frame begins or ends.
  static func wire(_ body: String, _ framing: Framing) -> (bytes: [UInt8], edges: [Int]) {
    let type = body.hasPrefix("data:") ? "text/event-stream" : "application/json"
    var bytes = Array("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n".utf8)
    switch framing {
    case .length: bytes += Array("Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    case .close: bytes += Array("Connection: close\r\n\r\n\(body)".utf8)
    case .chunked:
      bytes += Array("Transfer-Encoding: chunked\r\n\r\n".utf8)
      var edges = [bytes.count]
      let pieces =
        body.hasPrefix("data:")
        ? body.split(separator: "\n\n").map { $0 + "\n\n" }
        : [body[...].prefix(60), body[...].dropFirst(60)]
          .map { $0 + "" }
      for piece in pieces {
        bytes += Array("\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n".utf8)
        edges.append(bytes.count)
      }
      bytes += Array("0\r\n\r\n".utf8)
      return (bytes, edges + [bytes.count])
    }
    return (bytes, [bytes.count - body.utf8.count, bytes.count])
  }

  @Test(arguments: Framing.allCases, [stream, document])
  func anAnswerOnlyIfItIsTheWholeAnswer(_ framing: Framing, _ body: String) async throws {
    let (bytes, edges) = Self.wire(body, framing)
    // Every seventh, and all within 64 bytes of a frame's edge.
    let near = 64
    let cuts = (0...bytes.count).filter { cut in cut % 7 == 0 || edges.contains { abs($0 - cut) <= near } }
    let position = Atomic(0)
    let server = try RawServer { connection, _ in
      guard connection.request() != nil else { return }
      connection.send(Array(bytes.prefix(position.load(ordering: .relaxed))))
    }
    let registry = Registry { _ in nil }
    registry.use(id: "s", baseURL: server.url, key: nil)
    let transport = HTTPTransport()
    defer { transport.shutdown() }
    let client = ProviderClient(registry: registry, transport: transport)
    for cut in cuts {
      position.store(cut, ordering: .relaxed)
      let attempt = await client.send(
        ChatRequest(model: ModelName(provider: "s", name: "m"), messages: [Message(.user, "x")]), feed: nil, activity: nil)
      if cut == bytes.count {
        #expect(attempt.failure == nil)
      }
      if attempt.failure == nil {
        #expect(attempt.text == "a good answer" && attempt.finish == .stop && attempt.wrong == nil, "\(framing) cut at \(cut)")
        // A document is not whole before its last byte; of the last chunk the blank line behind it may be missing.
        if body == Self.document {
          #expect(cut >= bytes.count - (framing == .chunked ? 2 : 0), "\(framing) cut at \(cut) of \(bytes.count)")
        }
      }
    }
  }
}
