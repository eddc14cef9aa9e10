import Chat
import Testing
import Transport

@testable import Providers

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Raw replies of real servers (`Cassettes/`), replayed at the decoder.
@Suite struct CassetteTests {
  struct Cassette: CustomTestStringConvertible {
    var name: String
    var head: ResponseHead
    var body: [UInt8]
    var testDescription: String { name }
  }

  /// Splits a recording at its blank line, and takes HTTP's own chunking off the one that was recorded with it.
  static func load(_ name: String) throws -> Cassette {
    let folder = String(#filePath.prefix(through: #filePath.lastIndex(of: "/")!)) + "Cassettes/"
    guard let file = fopen(folder + name + ".txt", "r") else { throw Missing(name: name) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    var lines: [[UInt8]] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      var line = Array(rest[..<end])
      if line.last == 0x0D { line.removeLast() }
      rest = rest[(end + 1)...]
      if line.isEmpty { break }
      lines.append(line)
    }
    let status = lines.first.map { String(decoding: $0, as: UTF8.self) }?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    let head = ResponseHead(status: status ?? 0, raw: Array(lines.dropFirst().joined(separator: [0x0D, 0x0A])) + [0x0A])
    return Cassette(name: name, head: head, body: name.contains("rawchunks") ? unchunked(Array(rest)) : Array(rest))
  }

  struct Missing: Error { var name: String }

  /// Every byte boundary; of a long body every one near its ends and every seventh between, which over its repeated events meets each
  /// place of an event.
  static func cuts(_ body: [UInt8]) -> [Int] {
    body.indices.filter { body.count < 4000 || $0 < 1200 || $0 > body.count - 1200 || $0 % 7 == 0 }
  }

  private static func unchunked(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A),
      let count = Int(String(decoding: rest[..<end].filter { $0 != 0x0D }, as: UTF8.self), radix: 16), count > 0
    {
      out += rest[(end + 1)...].prefix(count)
      rest = rest[(end + 1)...].dropFirst(count).drop { $0 == 0x0D || $0 == 0x0A }
    }
    return out
  }

  private func decode(_ head: ResponseHead, _ pieces: [ArraySlice<UInt8>], error: TransportError? = nil) -> Attempt {
    var decoder = OpenAIDecoder()
    decoder.begin(head)
    for piece in pieces { Array(piece).withUnsafeBytes { decoder.feed($0) } }
    return decoder.finish(error)
  }

  static let answers: [(String, String, FinishReason, Usage?)] = [
    ("lcpp_chat", "L'Étoile, la Marseillaise", .length, Usage(input: 37, output: 32)),
    ("lcpp_chat_length", "The story of", .length, Usage(input: 34, output: 3)),
    ("lcpp_chat_stream", "L'Étoile", .length, nil), ("lcpp_chat_stream_usage", "L'Étoile", .length, Usage(input: 37, output: 32)),
    ("lcpp_n2_stream", "Hello", .length, nil), ("lcpp_utf8_stream", "", .stop, nil), ("lcpp_return_progress", "Hello there", .length, nil),
    ("lcpp_sse_ping_rawchunks", "\n*\"As", .length, nil), ("lcpp_timings_per_token", "", .length, nil),
    ("lcpp_toolcall_stream", "", .toolCalls, nil),
    ("lcpp_logprobs", "Hey there", .length, Usage(input: 31, output: 2)), ("lcpp_json_schema", "", .length, nil),
    (
      "lite_chat_stream", "This is a mock reply from the LiteLLM proxy, served without any model at all.", .stop,
      Usage(input: 8, output: 19)
    ),
    ("lite_key_rpm3_1", "This is a mock reply", .stop, Usage(input: 10, output: 20)),
  ]

  @Test(arguments: answers.map(\.0))
  func answersAreReadHoweverTheyAreCut(_ name: String) throws {
    let cassette = try Self.load(name)
    let expected = try #require(Self.answers.first { $0.0 == name })
    let whole = decode(cassette.head, [cassette.body[...]])
    #expect(whole.text.hasPrefix(expected.1))
    if expected.3 != nil { #expect(whole.usage == expected.3) }
    if name != "lcpp_json_schema" { #expect(whole.finish == expected.2) }
    #expect(whole.failure == nil)
    for cut in Self.cuts(cassette.body) {
      let split = decode(cassette.head, [cassette.body[..<cut], cassette.body[cut...]])
      #expect(
        split.text == whole.text && split.finish == whole.finish && split.usage == whole.usage && split.failure == nil, "cut at \(cut)")
    }
    let bytewise = decode(cassette.head, cassette.body.indices.map { cassette.body[$0...$0] })
    #expect(bytewise.text == whole.text && bytewise.finish == whole.finish)
  }

  @Test(arguments: ["lcpp_chat_stream_usage", "lite_chat_stream", "lcpp_utf8_stream"], ["\r\n", "\r"])
  func everyLineEnding(_ name: String, _ ending: String) throws {
    let cassette = try Self.load(name)
    let body = cassette.body.flatMap { $0 == 0x0A ? Array(ending.utf8) : [$0] }
    let expected = decode(cassette.head, [cassette.body[...]])
    for cut in Self.cuts(body) {
      let split = decode(cassette.head, [body[..<cut], body[cut...]])
      #expect(split.text == expected.text && split.failure == nil, "cut at \(cut)")
    }
  }

  static let refusals: [(String, FailureKind, Duration?)] = [
    ("lcpp_auth_missing", .auth, nil), ("lcpp_auth_wrong", .auth, nil), ("lcpp_err_wrong_path", .notFound, nil),
    ("lcpp_err_too_long", .tooLong, nil),
    ("lcpp_err_too_long_stream", .tooLong, nil), ("lcpp_err_malformed_json", .badRequest, nil), ("lcpp_err_no_role", .badRequest, nil),
    ("lcpp_err_bad_temp_type", .badRequest, nil), ("lcpp_loading_503", .overloaded, nil), ("lcpp_kvfull_nonstream_1", .server, nil),
    ("lcpp_kvfull_stream_1", .server, nil), ("lite_key_rpm3_4", .rateLimited, .seconds(60)), ("lite_cooldown_3", .rateLimited, .seconds(7)),
    ("lite_mock429", .rateLimited, nil), ("lite_mock500", .server, nil), ("lite_dead_upstream", .server, nil),
    ("lite_unknown_model", .notFound, nil),
    ("lite_auth_wrong", .auth, nil), ("lite_malformed", .badRequest, nil),
  ]

  @Test(arguments: refusals.map(\.0))
  func refusalsHaveAKind(_ name: String) throws {
    let cassette = try Self.load(name)
    let expected = try #require(Self.refusals.first { $0.0 == name })
    for cut in Self.cuts(cassette.body) {
      let attempt = decode(cassette.head, [cassette.body[..<cut], cassette.body[cut...]])
      #expect(attempt.failure?.kind == expected.1, "cut at \(cut)")
      #expect(attempt.failure?.retryAfter == expected.2)
      #expect(attempt.failure?.message.isEmpty == false)
    }
  }

  @Test func aStreamThatIsCutIsNeverASuccess() throws {
    let killed = try Self.load("lcpp_killed_midstream")
    #expect(decode(killed.head, [killed.body[...]]).failure?.kind == .truncated)
    #expect(decode(killed.head, [killed.body[...]], error: .broken("reset")).failure?.kind == .truncated)
    // Wherever a good stream is cut before its finish reason, the text so far is kept and the attempt has failed.
    let good = try Self.load("lcpp_chat_stream")
    let finish = try #require(String(decoding: good.body, as: UTF8.self).range(of: "\"finish_reason\":\"length\""))
    let limit = String(decoding: good.body, as: UTF8.self)[..<finish.lowerBound].utf8.count
    for cut in Self.cuts(good.body) where cut < limit { #expect(decode(good.head, [good.body[..<cut]]).failure != nil, "cut at \(cut)") }
    var none = OpenAIDecoder()
    #expect(none.finish(.broken("Empty reply from server")).failure?.kind == .connection)
  }

  @Test func whatIsNoModelServer() {
    func attempt(_ status: Int, _ body: String) -> Failure? {
      decode(ResponseHead(status: status, raw: []), [Array(body.utf8)[...]]).failure
    }
    #expect(attempt(200, "<html><body>Welcome</body></html>")?.kind == .malformed)
    #expect(attempt(200, "")?.kind == .malformed)
    #expect(attempt(200, "{}")?.kind == .malformed)
    #expect(attempt(200, "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":null}]}")?.kind == .malformed)
    #expect(attempt(200, "data: {broken\n\ndata: [DONE]\n\n")?.kind == .malformed)
    #expect(attempt(301, "<html>moved</html>")?.kind == .malformed)
    #expect(attempt(500, "")?.kind == .server)
    #expect(
      attempt(429, "{\"error\":{\"message\":\"no credit\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}")?.kind
        == .quota)
    #expect(attempt(400, "{\"error\":\"plain words\"}")?.message == "plain words")
    #expect(attempt(422, "{\"detail\":[{\"loc\":[\"body\"]}]}")?.kind == .badRequest)
    #expect(
      attempt(200, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"content_filter\"}]}\n\n")?.kind == .refused)
    // No control character of a server's words survives.
    #expect(attempt(400, "{\"error\":\"a\\u001b[31mb\"}")?.message == "a [31mb")
  }

  @Test func theLastEventNeedsNoBlankLine() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\ndata:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}"
    let attempt = decode(ResponseHead(status: 200, raw: []), [Array(body.utf8)[...]])
    #expect(attempt.text == "hi" && attempt.failure == nil)
  }

  @Test func reasoningIsKeptApart() {
    let body =
      "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"yes\"},\"finish_reason\":\"stop\"}]}\n\n"
    let attempt = decode(ResponseHead(status: 200, raw: []), [Array(body.utf8)[...]])
    #expect(attempt.text == "yes" && attempt.reasoning == "hm")
  }
}

extension String {
  fileprivate func range(of needle: String) -> Range<String.Index>? {
    indices.first { self[$0...].hasPrefix(needle) }.map { $0..<index($0, offsetBy: needle.count) }
  }
}

@Suite struct RetryAfterTests {
  @Test func everyForm() {
    func delay(_ milliseconds: String?, _ value: String?) -> Duration? {
      RetryAfter(milliseconds: milliseconds, value: value, now: 784_111_700)?.delay
    }
    #expect(delay("1500", "9") == .milliseconds(1500))
    #expect(delay(nil, "2.5") == .milliseconds(2500))
    #expect(delay(nil, "Sun, 06 Nov 1994 08:49:37 GMT") == .seconds(77))
    for nonsense in ["-1", "0", "soon", "", "Sun, 06 Nov 1990 08:49:37 GMT", "nan", "inf"] { #expect(delay(nil, nonsense) == nil) }
  }
}
