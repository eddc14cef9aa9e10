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

  /// In the long lane every byte (of a long document not quite every, for it is parsed at each cut). Else those around the edges of events,
  /// all near the end, and some of the others, which differ from one reply to the next.
  static func someCuts(_ body: [UInt8]) -> Set<Int> {
    if getenv("PROMPTSH_LONG") != nil {
      return Set(body.first == UInt8(ascii: "{") ? cuts(body) : Array(body.indices))
    }
    let offset = body.count % 61
    return Set(
      body.indices.filter { index in
        index % 61 == offset || index > body.count - 80 || (body[index] == 0x0A && index % 3 == 0)
          || (index > 0 && body[index - 1] == 0x0A && index % 3 == 0)
      })
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

  static func decode(_ head: ResponseHead, _ pieces: [ArraySlice<UInt8>], error: TransportError? = nil) -> Attempt {
    let decoder = OpenAIDecoder()
    decoder.begin(head)
    for piece in pieces { Array(piece).withUnsafeBytes { decoder.feed($0) } }
    return decoder.finish(error)
  }

  private func decode(_ head: ResponseHead, _ pieces: [ArraySlice<UInt8>], error: TransportError? = nil) -> Attempt {
    Self.decode(head, pieces, error: error)
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
    if let usage = expected.3 { #expect(whole.usage?.input == usage.input && whole.usage?.output == usage.output) }
    if name != "lcpp_json_schema" { #expect(whole.finish == expected.2) }
    #expect(whole.failure == nil)
    for cut in Self.someCuts(cassette.body) {
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
    for cut in Self.someCuts(body) {
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
    for cut in Self.someCuts(cassette.body) {
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
    let none = OpenAIDecoder()
    #expect(none.finish(.broken("Empty reply from server")).failure?.kind == .connection)
  }

  static let names: [String] = {
    let folder = String(#filePath.prefix(through: #filePath.lastIndex(of: "/")!)) + "Cassettes"
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasSuffix(".txt") { names.append(String(name.dropLast(4))) }
    }
    return names.sorted()
  }()

  /// Whatever is missing at the end of any reply: it is an answer only if it is the whole answer.
  @Test(arguments: names)
  func cutAtEveryByteItIsAnAnswerOnlyIfItIsTheWholeAnswer(_ name: String) throws {
    let cassette = try Self.load(name)
    let whole = decode(cassette.head, [cassette.body[...]])
    let decoder = OpenAIDecoder()
    decoder.begin(cassette.head)
    var wrong: [Int] = []
    let cuts = Self.someCuts(cassette.body)
    for cut in cassette.body.indices {
      if cuts.contains(cut) {
        // The connection was closed there; or it broke off within a length or a chunk.
        for error in [nil, TransportError.broken("cut")] {
          let attempt = decoder.copy().finish(error)
          guard attempt.failure == nil else { continue }
          let isSame =
            whole.failure == nil && attempt.text == whole.text && attempt.reasoning == whole.reasoning && attempt.finish == whole.finish
            && attempt.wrong?.kind == whole.wrong?.kind
          if !isSame { wrong.append(cut) }
        }
      }
      decoder.feed(cassette.body, cut)
    }
    #expect(wrong.isEmpty, "\(name): an answer though cut at \(wrong.prefix(5))")
  }

  /// What each capture of a chat completion amounts to; one that is not named here is an answer.
  static let outcomes: [String: FailureKind] = [
    "real_lcppy_err_toolong": .tooLong, "real_vllm_err_toolong": .tooLong, "real_vllm_err_toolong_stream": .tooLong,
    "real_vllm_err_maxtokens_too_big": .tooLong,
    "real_lcppy_err_toolong_stream": .malformed,  // empty: asked again as a whole
    "real_lcppy_interrupted_1": .truncated, "real_lcppy_interrupted_2": .truncated,
    "real_mlx_killed_midstream": .truncated, "real_vllm_api_killed_midstream": .truncated,
    "real_vllmrouter_worker_killed_midstream": .truncated, "real_vllm_engine_killed_midstream": .server,
    "real_vllm_engine_killed_nonstream": .server, "real_vllmrouter_worker_killed_nonstream": .server,
    "real_vllmrouter_no_worker": .overloaded,
    "real_lcppy_auth_missing": .auth, "real_lcppy_auth_wrong": .auth, "real_vllm_auth_missing": .auth, "real_vllm_auth_wrong": .auth,
    "real_lcppy_chat_developer_role": .badRequest, "real_lcppy_chat_schema": .badRequest, "real_lcppy_chat_schema_cut": .badRequest,
    "real_lcppy_chat_schema_stream": .badRequest, "real_lcppy_err_bad_role": .badRequest, "real_lcppy_err_bad_schema": .badRequest,
    "real_lcppy_err_bad_temp_type": .badRequest, "real_lcppy_err_no_role": .badRequest,
    // Nothing in a bare 500 says that the request was at fault.
    "real_lcppy_chat_parts": .server, "real_lcppy_chat_image_err": .server, "real_lcppy_err_malformed_json": .server,
    "real_tfserve_err_bad_temp_type": .server, "real_tfserve_err_empty_messages": .server, "real_tfserve_err_no_messages": .server,
    "real_tfserve_err_no_role": .server,
    "real_lcppy_err_get": .badRequest, "real_tfserve_err_get": .badRequest, "real_vllm_err_get": .badRequest,
    "real_mlx_err_bad_temp_type": .badRequest, "real_mlx_err_bad_temp_value": .badRequest, "real_mlx_err_malformed_json": .badRequest,
    "real_mlx_err_no_messages": .badRequest, "real_mlx_err_top_logprobs": .badRequest,
    "real_mlx_err_empty_messages": .notFound, "real_mlx_err_no_role": .notFound, "real_mlx_err_unknown_model": .notFound,
    "real_mlx_err_unknown_model_stream": .notFound,
    "real_tfserve_err_malformed_json": .badRequest, "real_tfserve_err_unknown_field": .badRequest,
    "real_tfserve_err_unknown_model": .notFound, "real_tfserve_err_unknown_model_stream": .notFound,
    "real_vllm_err_unknown_model": .notFound, "real_vllm_err_unknown_model_stream": .notFound, "real_vllm_pooling_chat": .notFound,
    "real_vllm_pooling_chat_stream": .notFound,
    "real_vllm_chat_image_err": .badRequest, "real_vllm_err_bad_schema": .badRequest, "real_vllm_err_bad_temp_type": .badRequest,
    "real_vllm_err_bad_temp_value": .badRequest, "real_vllm_err_bad_top_p": .badRequest, "real_vllm_err_bad_top_p_stream": .badRequest,
    "real_vllm_err_empty_messages": .badRequest, "real_vllm_err_malformed_json": .badRequest, "real_vllm_err_n_too_big": .badRequest,
    "real_vllm_err_no_messages": .badRequest, "real_vllm_err_no_role": .badRequest, "real_vllm_err_top_logprobs": .badRequest,
    "real_lcpp_chat_err_image": .badRequest,
    "real_vllm_reasoning": .empty, "real_vllm_reasoning_stream": .empty,
    "documented_azure_chat_stream": .refused, "documented_azure_err_content_filter": .refused,
    "documented_openai_chat_refusal": .refused, "documented_openrouter_stream_error": .server,
  ]

  @Test(arguments: names.filter { $0.hasPrefix("real_") || $0.hasPrefix("documented_") })
  func capturesOfRealServersAreReadRight(_ name: String) throws {
    let cassette = try Self.load(name)
    if cassette.head.status == 0 { return }  // the connection was closed before a byte came
    let attempt = decode(cassette.head, [cassette.body[...]])
    #expect(attempt.failure == nil || attempt.wrong == nil)
    let error = attempt.failure ?? attempt.wrong
    #expect(error?.kind == Self.outcomes[name], "\(name): \(String(describing: error))")
    if let error { #expect(!error.message.isEmpty) } else { #expect(!attempt.text.isEmpty || attempt.toolCalls > 0) }
  }

  @Test func whatCapturesSayBesides() throws {
    func read(_ name: String) throws -> Attempt {
      let cassette = try Self.load(name)
      return decode(cassette.head, [cassette.body[...]])
    }
    #expect(try read("real_vllm_reasoning_stream").wrong?.message == "reasoning only; raise max-tokens")
    #expect(try read("real_vllm_reasoning").reasoning.hasPrefix("user\nWhat is the largest river"))
    #expect(try read("real_tfserve_chat_stream").usage == Usage(input: 34, output: 12))
    #expect(try read("real_lcppy_chat_stream").usage == nil)
    #expect(try read("real_vllm_chat_n2").text != "" && read("real_vllm_chat_n2").usage?.output == 10)
    #expect(try read("real_vllm_engine_killed_midstream").failure?.message.contains("EngineCore") == true)
    #expect(try read("real_vllmrouter_no_worker").failure?.message.contains("No available workers") == true)
    #expect(try read("documented_openai_chat_refusal").text == "I can't help.")
  }

  @Test func whatIsNoModelServer() {
    func attempt(_ status: Int, _ body: String) -> Failure? {
      decode(ResponseHead(status: status, raw: []), [Array(body.utf8)[...]]).failure
    }
    #expect(attempt(200, "<html><body>Welcome</body></html>")?.kind == .malformed)
    #expect(attempt(200, "")?.kind == .malformed)
    #expect(attempt(200, "{}")?.kind == .malformed)
    #expect(attempt(200, "data: {broken\n\ndata: [DONE]\n\n")?.kind == .malformed)
    #expect(attempt(301, "<html>moved</html>")?.kind == .malformed)
    #expect(attempt(500, "")?.kind == .server)
    #expect(
      attempt(429, "{\"error\":{\"message\":\"no credit\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}")?.kind
        == .quota)
    #expect(attempt(400, "{\"error\":\"plain words\"}")?.message == "plain words")
    #expect(attempt(422, "{\"detail\":[{\"loc\":[\"body\"]}]}")?.kind == .badRequest)
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

extension OpenAIDecoder {
  fileprivate func feed(_ body: [UInt8], _ index: Int) {
    body[index...index].withUnsafeBytes { feed($0) }
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
    // What is no finite time below a year is not stated.
    let nonsense = [
      "-1", "0", "soon", "", "Sun, 06 Nov 1990 08:49:37 GMT", "nan", "inf", "1e300", "40000000", "Sun, 06 Nov 2094 08:49:37 GMT",
    ]
    for text in nonsense { #expect(delay(nil, text) == nil) }
    for text in ["inf", "nan", "1e300", "-5", "40000000000"] { #expect(delay(text, nil) == nil) }
  }

  @Test func inWords() {
    #expect(RetryAfter.stated(in: "Rate limit reached. Please try again in 1.2s. Visit") == .milliseconds(1200))
    #expect(RetryAfter.stated(in: "Please try again in 6m0s.") == .seconds(360))
    #expect(RetryAfter.stated(in: "try again in 120ms") == .milliseconds(120))
    #expect(RetryAfter.stated(in: "Please retry in 36.4s.") == .milliseconds(36_400))
    #expect(RetryAfter.stated(in: "Retry after 5 seconds") == .seconds(5))
    #expect(RetryAfter.stated(in: "try again in 1 hour 2 minutes") == .seconds(3720))
    for words in ["try again in a moment", "try again in 20", "try again later", "try again in 500 years", "try again in 1e999s"] {
      #expect(RetryAfter.stated(in: words) == nil)
    }
    #expect(RetryAfter.duration("36s") == .seconds(36) && RetryAfter.duration("soon") == nil)
  }
}
