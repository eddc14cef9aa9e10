import Chat
import TestSupport
import Testing

/// One way in which a server can fail: what it does, and how a row should read after it.
struct Fault: Sendable, CustomTestStringConvertible {
  /// As the table calls it.
  var name: String
  /// The kind of failure; nil where the row is answered all the same.
  var kind: FailureKind?
  var isRetried: Bool
  /// Deals with one request; the connection is closed when it returns.
  var act: @Sendable (RawServer.Connection) -> Void
  var timeouts: @Sendable (inout Timeouts) -> Void = { _ in }

  var testDescription: String { name }

  init(
    _ name: String, _ kind: FailureKind?, retried: Bool, timeouts: @escaping @Sendable (inout Timeouts) -> Void = { _ in },
    _ act: @escaping @Sendable (RawServer.Connection) -> Void
  ) {
    (self.name, self.kind, isRetried, self.act, self.timeouts) = (name, kind, retried, act, timeouts)
  }

  /// A refusal with a body like OpenAI's.
  init(
    status: Int, _ kind: FailureKind, retried: Bool, _ headers: String = "", type: String = "some_error", message: String = "no",
    note: String = ""
  ) {
    let shown = [headers.replacing("\r\n", with: " ").trimmed, note].filter { !$0.isEmpty }.joined(separator: ", ")
    self.init("\(status)\(shown.isEmpty ? "" : ", \(shown)")", kind, retried: retried) { connection in
      connection.send(Fault.refusal(status, headers, #"{"error":{"message":"\#(message)","type":"\#(type)","code":null}}"#))
    }
  }

  static func refusal(_ status: Int, _ headers: String, _ body: String) -> String {
    "HTTP/1.1 \(status) Because\r\nContent-Type: application/json\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
  }

  // MARK: the pieces of a good answer

  static let streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
  static func delta(_ text: String) -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\(text)\"},\"finish_reason\":null}]}\n\n"
  }
  static func finish(_ reason: String) -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\(reason)\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\ndata: [DONE]\n\n"
  }
  static let stream = streamHead + delta("a good ") + delta("answer") + finish("stop")
}

extension String {
  fileprivate var trimmed: String { String(reversed().drop(while: \.isWhitespace).reversed()) }
}
