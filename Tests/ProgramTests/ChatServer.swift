import TestSupport
import Threads

/// A chat server on loopback as a test wants it: what it does with each prompt is told of by a closure. Connections are kept.
final class ChatServer: Sendable {
  struct Call: Sendable {
    var model: String
    /// The last user turn.
    var prompt: String
    /// Of the server, from 1.
    var number: Int
    /// Calls that are under way, this one among them.
    var live: Int
    /// Head and body, as they came.
    var request: String
    let connection: RawServer.Connection

    /// A whole answer.
    func answer(_ text: String) {
      connection.send(ChatServer.head(length: Sample.document(text).utf8.count) + Sample.document(text))
    }

    func refuse(_ status: Int, headers: String = "") {
      let body = #"{"error":{"message":"no"}}"#
      connection.send("HTTP/1.1 \(status) No\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }

    /// The head of a stream in pieces; the connection ends it.
    func beginStream() { connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n") }
    @discardableResult
    func piece(_ text: String) -> Bool {
      connection.send("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"}}]}\n\n")
    }
    func endStream() { connection.send("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n") }
  }

  private final class Tally: Sendable {
    let state = Mutex((calls: 0, live: 0, most: 0))
  }

  private let server: RawServer
  private let tally: Tally

  var url: String { server.url }
  var port: Int { server.port }
  var calls: Int { tally.state.withLock { $0.calls } }
  /// Calls at once, at most.
  var most: Int { tally.state.withLock { $0.most } }
  var environment: [String: String] { ["OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"] }

  /// - Parameter answer: returns whether the connection is kept.
  init(port: Int = 0, _ answer: @escaping @Sendable (Call) -> Bool) throws {
    let tally = Tally()
    self.tally = tally
    server = try RawServer(port: port) { connection, _ in
      while let request = connection.request() {
        let (number, live) = tally.state.withLock { state in
          state.calls += 1
          state.live += 1
          state.most = max(state.most, state.live)
          return (state.calls, state.live)
        }
        let call = Call(
          model: Self.text(of: "model", request), prompt: Self.text(of: "content", request), number: number, live: live,
          request: request,
          connection: connection)
        let isKept = answer(call)
        tally.state.withLock { $0.live -= 1 }
        if !isKept { return }
      }
    }
  }

  /// Refuses each prompt as often as said, and gives it back in angle brackets from then on.
  ///
  /// - Parameters:
  ///   - spared: begins prompts that are never refused.
  ///   - before: called with each call before it is dealt with; may wait.
  static func refusing(
    _ times: Int = 1, butNot spared: String, before: @escaping @Sendable (Call) -> Void = { _ in }
  ) throws -> ChatServer {
    let seen = Mutex<[String: Int]>([:])
    return try ChatServer { call in
      before(call)
      let count = seen.withLock { seen in
        seen[call.prompt, default: 0] += 1
        return seen[call.prompt] ?? 0
      }
      if count <= times, !call.prompt.hasPrefix(spared) { call.refuse(400) } else { call.answer("<\(call.prompt)>") }
      return true
    }
  }

  fileprivate static func head(length: Int) -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
  }

  /// The last text of this name in a request's body, as far as it stands there without escapes.
  private static func text(of name: String, _ request: String) -> String {
    guard let last = request.ranges(of: "\"\(name)\":\"").last else { return "" }
    return String(request[last.upperBound...].prefix { $0 != "\"" })
  }
}
