import Chat
import TestSupport

extension Fault {
  /// Everything that the server of these tests can do to a client.
  static let all: [Fault] = refusals + broken + timings + contents

  // MARK: statuses

  static let refusals: [Fault] = [
    Fault(status: 400, .badRequest, retried: false),
    Fault(
      status: 400, .tooLong, retried: false, type: "invalid_request_error", message: "maximum context length is 8192 tokens",
      note: "context too long"),
    Fault(status: 401, .auth, retried: false), Fault(status: 402, .quota, retried: false), Fault(status: 403, .auth, retried: false),
    Fault(status: 404, .notFound, retried: false), Fault(status: 408, .timeout, retried: true), Fault(status: 409, .server, retried: true),
    Fault(status: 413, .tooLong, retried: false),
    Fault(status: 422, .badRequest, retried: false), Fault(status: 425, .server, retried: true),
    Fault(status: 400, .auth, retried: false, type: "API_KEY_INVALID", note: "API_KEY_INVALID"),
    Fault(status: 400, .notFound, retried: false, message: "Server is pinned to 'a'; requested 'b'.", note: "another model than it serves"),
    Fault(status: 400, .refused, retried: false, type: "content_filter", message: "the prompt was filtered", note: "content_filter"),
    Fault(status: 403, .refused, retried: false, message: "your input was flagged by moderation", note: "a moderation"),
    Fault(status: 429, .rateLimited, retried: true),
    Fault(status: 429, .rateLimited, retried: true, "retry-after: 1\r\n"),
    Fault(
      status: 429, .rateLimited, retried: true, "retry-after: Sun, 06 Nov 2094 08:49:37 GMT\r\n", note: "a date beyond a year is not stated"
    ),
    Fault(status: 429, .rateLimited, retried: true, "retry-after-ms: 250\r\n"),
    Fault(status: 429, .rateLimited, retried: true, "llm_provider-retry-after: 2\r\n"),
    Fault(status: 429, .rateLimited, retried: true, message: "Please try again in 1.2s.", note: "try again in 1.2s, in words"),
    Fault(status: 429, .rateLimited, retried: true, "retry-after: soon\r\n", note: "nonsense is ignored"),
    Fault(status: 429, .rateLimited, retried: false, "retry-after: 600\r\n", note: "longer than max-wait"),
    Fault(status: 429, .rateLimited, retried: false, "x-should-retry: false\r\n"),
    Fault(status: 429, .quota, retried: false, type: "insufficient_quota", note: "insufficient_quota"),
    Fault(status: 498, .overloaded, retried: true),
    Fault(status: 500, .server, retried: true),
    Fault(status: 500, .badRequest, retried: false, message: "1 validation error: x", note: "the client's mistake"),
    Fault(status: 502, .server, retried: true), Fault(status: 503, .overloaded, retried: true),
    Fault(status: 504, .timeout, retried: true), Fault(status: 529, .overloaded, retried: true, type: "overloaded_error"),
    Fault("302 to another host, with a key in the request", .malformed, retried: false) { connection in
      connection.send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/elsewhere\r\nContent-Length: 0\r\n\r\n")
    },
    Fault("307 to the same host", .malformed, retried: false) { connection in
      connection.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: /v1/chat/completions\r\nContent-Length: 0\r\n\r\n")
    },
  ]

  // MARK: connections that break

  static let broken: [Fault] = [
    Fault("closed without an answer", .connection, retried: true) { _ in },
    Fault("reset before the headers", .connection, retried: true) { $0.reset() },
    Fault("reset within the headers", .connection, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Ty")
      connection.reset()
    },
    Fault("closed within the headers", .connection, retried: true) { $0.send("HTTP/1.1 200 OK\r\nContent-Ty") },
    Fault("reset after the headers", .truncated, retried: true) { connection in
      connection.send(streamHead)
      connection.reset()
    },
    Fault("cut in mid stream, after tokens", .truncated, retried: true) { $0.send(streamHead + delta("half an ")) },
    Fault("reset in mid stream, after tokens", .truncated, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
      let event = delta("half an ")
      connection.send("\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n")
      connection.reset()
    },
    Fault("a length longer than the body", .truncated, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9000\r\n\r\n" + delta("half"))
    },
    Fault("a length shorter than the body", .truncated, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 40\r\n\r\n" + delta("half") + finish("stop"))
    },
    Fault("invalid chunking", .truncated, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + delta("x"))
    },
    Fault("no HTTP at all", .connection, retried: true) { $0.send("SSH-2.0-OpenSSH_9.2\r\n") },
  ]

  // MARK: servers that take their time

  static let timings: [Fault] = [
    Fault("stall before the headers", .timeout, retried: true, timeouts: { $0.firstToken = .milliseconds(400) }) { $0.waitForClose() },
    Fault("headers, then nothing", .timeout, retried: true, timeouts: { $0.firstToken = .milliseconds(400) }) { connection in
      connection.send(streamHead)
      connection.waitForClose()
    },
    Fault("headers, then keep-alive comments, without end", .timeout, retried: true, timeouts: { $0.total = .milliseconds(250) }) {
      connection in
      connection.send(streamHead)
      while connection.send(": ping\n\n"), !connection.hasClosed(within: 10) {}
    },
    Fault(
      "keep-alive comments for longer than the first token may take, then the answer", nil, retried: false,
      timeouts: { $0.firstToken = .milliseconds(400) }
    ) { connection in
      connection.send(streamHead)
      for _ in 0..<12 where connection.send(": ping\n\n") && connection.hasClosed(within: 50) { return }
      connection.send(delta("late") + finish("stop"))
    },
    Fault("tokens, then keep-alive comments only", .timeout, retried: true, timeouts: { $0.idle = .milliseconds(400) }) { connection in
      connection.send(streamHead + delta("half"))
      while connection.send(": ping\n\n"), !connection.hasClosed(within: 10) {}
    },
    Fault("[DONE], and the connection stays open", nil, retried: false) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + delta("whole") + finish("stop"))
      connection.waitForClose()
    },
    Fault("finish and usage, no [DONE], and the connection stays open", nil, retried: false) { connection in
      connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + delta("whole")
          + finish("stop").replacing("data: [DONE]\n\n", with: ""))
      connection.waitForClose()
    },
    Fault("stall in mid stream", .timeout, retried: true, timeouts: { $0.idle = .milliseconds(400) }) { connection in
      connection.send(streamHead + delta("half"))
      connection.waitForClose()
    },
    Fault("a byte now and then", .timeout, retried: true, timeouts: { $0.total = .milliseconds(250) }) { connection in
      connection.send(streamHead)
      for byte in delta("never ends").utf8 where connection.send([byte]) && connection.hasClosed(within: 20) { return }
    },
  ]

  // MARK: answers that are none

  static let contents: [Fault] = [
    Fault("a web page, status 200", .malformed, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html><body>Sign in</body></html>")
    },
    Fault("binary, status 200", .malformed, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
      connection.send((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37) })
    },
    Fault("an empty answer, status 200", .malformed, retried: true) { $0.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") },
    Fault("100 MB of headers", .malformed, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\n")
      let line = [UInt8]("X-Long: \(String(repeating: "a", count: 8000))\r\n".utf8)
      for _ in 0..<12_500 where !connection.send(line) { return }
    },
    Fault("a document without end", .malformed, retried: true) { connection in
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"choices\": \"")
      let block = [UInt8](repeating: 0x61, count: 1 << 20)
      while connection.send(block) {}
    },
    Fault("a line without end in a stream", .malformed, retried: true) { connection in
      connection.send(streamHead + "data: ")
      let block = [UInt8](repeating: 0x61, count: 1 << 20)
      while connection.send(block) {}
    },
    Fault("a gzip bomb that nobody asked for", .malformed, retried: true) { connection in
      // 1 MB of zeros in 1 KB; the answer is not unpacked, so it stays 1 KB.
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n")
      connection.send([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3] + [UInt8](repeating: 0xED, count: 1024))
    },
    Fault("invalid UTF-8 in a token", nil, retried: false) { connection in
      connection.send(streamHead + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a ")
      connection.send([0xFF, 0xC3])
      connection.send("\"},\"finish_reason\":null}]}\n\n" + finish("stop"))
    },
    Fault("an event that does not parse, after the finish reason", .malformed, retried: true) { connection in
      connection.send(streamHead + delta("whole") + finish("stop").replacing("data: [DONE]", with: "data: {broken"))
    },
    Fault("cut within an event, after the finish reason", .truncated, retried: true) { connection in
      connection.send(streamHead + delta("whole") + finish("stop").replacing(/,"usage"[^\]]*\[DONE\]\n\n/, with: "}\n\ndata: {\"choi"))
    },
    Fault("[DONE] without a finish reason", .truncated, retried: true) { $0.send(streamHead + delta("half") + "data: [DONE]\n\n") },
    Fault("an error within the stream, status 200", .server, retried: true) { connection in
      connection.send(streamHead + delta("half") + "data: {\"error\":{\"message\":\"engine died\",\"code\":500}}\n\ndata: [DONE]\n\n")
    },
    Fault("an error named by its event", .server, retried: true) { connection in
      connection.send(streamHead + delta("half") + "event: error\ndata: {\"message\":\"backend gone\"}\n\n")
    },
    Fault("a rate limit within the stream, status 200", .rateLimited, retried: true) { connection in
      connection.send(streamHead + "data: {\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}\n\ndata: [DONE]\n\n")
    },
    Fault("finish reason `error`", .server, retried: true) { $0.send(streamHead + delta("half") + finish("error")) },
    Fault("finish reason `insufficient_system_resource`", .overloaded, retried: true) { connection in
      connection.send(streamHead + delta("half") + finish("insufficient_system_resource"))
    },
    Fault("a finish reason that nobody knows", .malformed, retried: false) { $0.send(streamHead + delta("half") + finish("brand_new")) },
    Fault("a refusal in words", .refused, retried: false) { connection in
      connection.send(streamHead + "data: {\"choices\":[{\"index\":0,\"delta\":{\"refusal\":\"I cannot\"}}]}\n\n" + finish("stop"))
    },
    Fault("a finish reason and not one word", .empty, retried: false) { $0.send(streamHead + finish("stop")) },
    Fault("stopped by the content filter", .refused, retried: false) { $0.send(streamHead + delta("half") + finish("content_filter")) },
    Fault("cut at max_tokens", nil, retried: false) { $0.send(streamHead + delta("half") + finish("length")) },
    Fault("one JSON document for a stream", nil, retried: false) { connection in
      let body = #"{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}"#
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    },
    Fault("a document without a finish reason", nil, retried: false) { connection in
      let body = #"{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"}}]}"#
      connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    },
    Fault("a document that is cut, its finish reason first", .truncated, retried: true) { connection in
      connection.send(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
          + #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"half"#)
    },
    Fault("control characters in an error", .server, retried: true) { connection in
      connection.send(Fault.refusal(500, "", #"{"error":{"message":"\u001b[2Jboo\u0007","type":"x"}}"#))
    },
  ]
}
