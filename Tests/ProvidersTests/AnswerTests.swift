import Chat
import Testing
import Transport

@testable import Providers

/// What counts as an answer, and what is wrong with what does not.
@Suite struct AnswerTests {
  static func read(
    _ body: String, status: Int = 200, type: String = "", error: TransportError? = nil, keepsThink: Bool = false, bytewise: Bool = false
  ) -> Attempt {
    let decoder = OpenAIDecoder(keepsThink: keepsThink)
    decoder.begin(ResponseHead(status: status, raw: Array("content-type: \(type)\r\n".utf8)))
    let bytes = Array(body.utf8)
    if bytewise {
      for index in bytes.indices { bytes[index...index].withUnsafeBytes { decoder.feed($0) } }
    } else {
      bytes.withUnsafeBytes { decoder.feed($0) }
    }
    return decoder.finish(error)
  }

  static func delta(_ members: String, finish: String? = nil) -> String {
    #"data: {"choices":[{"index":0,"delta":{\#(members)},"finish_reason":\#(finish.map { "\"\($0)\"" } ?? "null")}]}"# + "\n\n"
  }
  static func text(_ text: String, finish: String? = nil) -> String { delta(#""content":"\#(text)""#, finish: finish) }
  static let stop = delta("", finish: "stop")
  static let done = "data: [DONE]\n\n"

  // MARK: what breaks

  @Test(arguments: [
    "data: {broken\n\n", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}\n\n", "data: nonsense\n\n", "data: {}}\n\n",
    "data: {\"choices\":[}\n\n", "data: {\"a\":01}\n\n", "event: message\ndata: {\"choices\":\n\n",
  ])
  func anEventThatDoesNotParseIsMalformedWhereverItStands(_ event: String) {
    for body in [event + Self.text("a") + Self.stop + Self.done, Self.text("a") + event + Self.stop, Self.text("a") + Self.stop + event] {
      let attempt = Self.read(body)
      #expect(attempt.failure?.kind == .malformed, "\(body)")
      #expect(attempt.wrong == nil)
    }
    // After the mark of the end only usage is read.
    #expect(Self.read(Self.text("a") + Self.stop + Self.done + event).failure == nil)
  }

  @Test func anEventsTextIsTakenWholeOrNotAtAll() {
    let attempt = Self.read(Self.text("a") + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half")
    #expect(attempt.text == "a" && attempt.failure?.kind == .truncated)
    let broken = Self.read(
      Self.text("a") + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"half\"},\"finish_reason\":\"stop\"}],}\n\n")
    #expect(broken.text == "a" && broken.finish == nil && broken.failure?.kind == .malformed)
  }

  @Test func theEnd() {
    #expect(Self.read(Self.text("a") + Self.done).failure?.kind == .truncated)
    #expect(Self.read(Self.text("a") + Self.stop + Self.done, error: .broken("no last chunk")).failure == nil)
    #expect(Self.read(Self.text("a") + Self.stop, error: .broken("no last chunk")).failure?.kind == .truncated)
    #expect(Self.read(Self.text("a") + Self.stop).failure == nil)
    let counted = #"data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"# + "\n\n"
    #expect(Self.read(Self.text("a") + Self.stop + counted, error: .broken("no last chunk")).failure == nil)
    // Usage after the mark.
    #expect(Self.read(Self.text("a") + Self.stop + Self.done + counted).usage == Usage(input: 1, output: 2))
    #expect(Self.read(Self.text("a") + Self.stop + Self.done + Self.text("b")).text == "a")
    // Silence after the finish reason leaves nothing out; silence before it does.
    #expect(Self.read(Self.text("a") + Self.stop, error: .timedOut(.idle, after: .seconds(1))).failure == nil)
    #expect(Self.read(Self.text("a"), error: .timedOut(.idle, after: .seconds(1))).failure?.kind == .timeout)
  }

  @Test(arguments: [
    ": comment\n\n", "data:\n\n", "data: \n\n", "event: ping\ndata: not json\n\n", "event: progress\ndata: {\"x\":\n\n", "id: 7\n\n",
    "retry: 100\n\n",
    "data: {\"choices\":[],\"odd\":NaN}\n\n", "data: {\"odd\":[NaN,-Infinity,Infinity],\"choices\":[]}\n\n",
    "data: {\"odd\":" + String(repeating: "[", count: 2000) + String(repeating: "]", count: 2000) + "}\n\n", "data: {\"choices\":[]}\n\n",
    "data: {\"type\":\"ping\"}\n\n", "data: {\"message\":\"queued\"}\n\n", "data: {\"error\":null}\n\n",
  ])
  func whatIsNotMalformed(_ event: String) {
    let attempt = Self.read(event + Self.text("a") + event + Self.stop + event + Self.done)
    #expect(attempt.failure == nil && attempt.text == "a" && attempt.finish == .stop, "\(String(describing: attempt.failure))")
  }

  @Test(arguments: ["[DONE]", "[done]", "\"[DONE]\"", " [DONE] "])
  func marksOfTheEnd(_ mark: String) {
    #expect(Self.read(Self.text("a") + Self.stop + "data: \(mark)\n\n", error: .broken("x")).failure == nil)
    #expect(Self.read(Self.text("a") + "data: \(mark)\n\n").failure?.kind == .truncated)
  }

  @Test func aDocumentParsesToItsEnd() {
    let whole = #"{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"hello"}}]}"#
    #expect(Self.read(whole).failure == nil)
    #expect(Self.read(whole + "\n ").text == "hello")
    #expect(Self.read(whole + "x").failure?.kind == .malformed)
    #expect(Self.read(whole, error: .broken("too short")).failure?.kind == .truncated)
    for cut in 1..<whole.utf8.count {
      let attempt = Self.read(String(whole.prefix(cut)))
      #expect(attempt.failure != nil && attempt.text.isEmpty, "cut at \(cut)")
    }
    let open = Self.read(#"{"choices":[{"index":0,"message":{"content":"hello"},"finish_reason":null}]}"#)
    #expect(open.failure == nil && open.finish == nil && open.text == "hello")
    for none in [#"{"choices":[]}"#, "{}", #"{"choices":[{"finish_reason":"stop"}]}"#, #"{"choices":null}"#, "[]", "\"x\"", "7", "null"] {
      #expect(Self.read(none).failure != nil, "\(none)")
    }
  }

  // MARK: finish words

  /// A library that is missing is no more there at the next try; a descriptor may be.
  @Test func whatThisMachineLacksIsTriedOnce() {
    let missing = Failure(TransportError.unavailable("libcurl cannot be loaded"))
    #expect(missing?.detail == .ours && missing?.shouldRetry == false)
    #expect(Failure(TransportError.noDescriptors)?.shouldRetry == nil)
    // Nor has a server refused what was never sent.
    #expect(Failure(TransportError.badURL("no host"))?.advice.contains("nothing was sent") == true)
  }

  @Test func finishWordsAreAClosedSet() {
    func finished(_ word: String) -> Attempt { Self.read(Self.text("so far") + Self.delta("", finish: word) + Self.done) }
    for word in ["stop", "eos", "eos_token", "end_turn", "stop_sequence", "STOP", "COMPLETE", "length", "max_tokens", "model_length"] {
      #expect(finished(word).failure == nil && finished(word).wrong == nil, "\(word)")
    }
    for (word, kind) in [
      ("error", FailureKind.server), ("network_error", .server), ("abort", .server), ("insufficient_system_resource", .overloaded),
      ("MALFORMED_FUNCTION_CALL", .server),
    ] {
      let attempt = finished(word)
      #expect(attempt.failure?.kind == kind && attempt.failure?.shouldRetry == nil && kind.isTransient, "\(word)")
    }
    let unknown = finished("brand_new")
    #expect(unknown.failure?.kind == .malformed && unknown.text == "so far" && unknown.failure?.shouldRetry == false)
    for word in ["content_filter", "content_filtered", "SAFETY", "sensitive", "refusal"] {
      let attempt = finished(word)
      #expect(attempt.failure == nil && attempt.wrong?.kind == .refused && attempt.text == "so far", "\(word)")
    }
    // A filter that speaks late; an error is not undone.
    #expect(Self.read(Self.text("a", finish: "stop") + Self.delta("", finish: "content_filter") + Self.done).wrong?.kind == .refused)
    #expect(Self.read(Self.text("a", finish: "error") + Self.stop + Self.done).failure?.kind == .server)
    // An empty word is null.
    #expect(Self.read(Self.text("a", finish: "") + Self.text("b", finish: "stop")).text == "ab")
    #expect(Self.read(Self.text("a", finish: "") + Self.done).failure?.kind == .truncated)
  }

  @Test func refusalsAndEmptyAnswers() {
    let refused = Self.read(Self.delta(#""content":null,"refusal":"I can""#) + Self.delta(#""refusal":"not""#) + Self.stop + Self.done)
    #expect(refused.failure == nil && refused.wrong?.kind == .refused && refused.text == "I cannot")
    #expect(Self.read(Self.delta(#""refusal":"I can""#)).failure?.kind == .truncated)
    #expect(Self.read(Self.stop + Self.done).wrong?.kind == .empty)
    #expect(Self.read(#"{"choices":[{"index":0,"message":{"content":""},"finish_reason":"stop"}]}"#).wrong?.kind == .empty)
    #expect(Self.read(Self.delta(#""reasoning":"hm""#) + Self.stop).wrong == nil)
    #expect(Self.read(Self.delta(#""tool_calls":[{"index":0}]"#) + Self.stop).wrong == nil)
    let cut = Self.read(Self.delta(#""reasoning":"hm""#) + Self.delta("", finish: "length"))
    #expect(cut.wrong?.message == "reasoning only; raise max-tokens" && cut.failure == nil)
    let tools = Self.read(Self.delta(#""tool_calls":[{"index":0}]"#) + Self.delta("", finish: "tool_calls") + Self.done)
    #expect(tools.finish == .toolCalls && tools.toolCalls == 1 && tools.failure == nil && tools.wrong == nil)
  }

  // MARK: text and reasoning

  @Test(arguments: [false, true])
  func marksHalvesAndNames(_ bytewise: Bool) {
    func text(_ body: String) -> String { Self.read(body, bytewise: bytewise).text }
    #expect(text("\u{FEFF}" + Self.text("hello") + Self.stop) == "hello")
    #expect(text("\u{FEFF}" + #"{"choices":[{"message":{"content":"hello"}}]}"#) == "hello")
    #expect(text(Self.text(#"a\ud83d"#) + Self.text(#"\ude00b"#) + Self.stop) == "a😀b")
    #expect(text(Self.text(#"a\ud83d"#) + Self.text("") + Self.text(#"\ude00"#) + Self.stop) == "a😀")
    #expect(text(Self.text(#"a\ud83d"#) + Self.text("b") + Self.stop) == "a\u{FFFD}b")
    #expect(text(Self.text(#"a\ud83d"#) + Self.stop) == "a\u{FFFD}")
    #expect(text(Self.text(#"a\\ud83d"#) + Self.text(#"b"#) + Self.stop) == #"a\ud83db"#)
    #expect(text(Self.delta(#""content":"x","content":"hello""#) + Self.stop) == "hello")
    #expect(text(Self.delta(#""\u0063ontent":"hello""#) + Self.stop) == "hello")
    #expect(
      text(#"data: {"choices":[{"delta":{"content":"x"}}],"choices":[{"delta":{"content":"y"},"finish_reason":"stop"}]}"# + "\n\n") == "y")
    #expect(text(Self.delta(#""content":[{"type":"text","text":"hel"},{"type":"text","text":"lo"}]"#) + Self.stop) == "hello")
  }

  @Test func reasoningCountsOnce() {
    func both(_ members: String) -> (String, String) {
      let attempt = Self.read(Self.delta(members) + Self.text("yes") + Self.stop)
      return (attempt.text, attempt.reasoning)
    }
    #expect(both(#""reasoning":"hm","reasoning_content":"hm""#) == ("yes", "hm"))
    #expect(both(#""reasoning_content":"hm","reasoning":"hm""#) == ("yes", "hm"))
    #expect(both(#""reasoning":"","reasoning_content":"hm""#) == ("yes", "hm"))
    #expect(both(#""reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm"}]"#) == ("yes", "hm"))
    #expect(both(#""reasoning_details":[{"type":"reasoning.summary","summary":"h"},{"text":"m"}]"#) == ("yes", "hm"))
    #expect(both(#""content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]"#) == ("yes", "hm"))
    #expect(both(#""content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"oh "}]"#) == ("oh yes", "hm"))
  }

  @Test(arguments: [false, true])
  func thoughtsBeforeTheAnswer(_ bytewise: Bool) {
    func both(_ pieces: String...) -> (String, String) {
      let attempt = Self.read(pieces.map { Self.text($0) }.joined() + Self.stop, bytewise: bytewise)
      return (attempt.text, attempt.reasoning)
    }
    #expect(both("<think>", "hm", #"</think>\n\nhello"#) == ("hello", "hm"))
    #expect(both("<thi", "nk>h", "m</th", "ink>", " ", "hello ", "you") == ("hello you", "hm"))
    #expect(both(#"\n<think>\nhm\n</think>\nhello"#) == ("hello", "hm"))
    #expect(both("<think>a < b </thin") == ("", "a < b </thin"))
    #expect(both("a <think>b</think>") == ("a <think>b</think>", ""))
    #expect(both("  ", "hello") == ("  hello", ""))
    #expect(both("<thi") == ("<thi", "") && both("<b>x") == ("<b>x", ""))
    let kept = Self.read(Self.text(#"<think>hm</think>\n\nhello"#) + Self.stop, keepsThink: true, bytewise: bytewise)
    #expect(kept.text == "<think>hm</think>\n\nhello" && kept.reasoning.isEmpty)
  }

  @Test func usage() {
    func counted(_ usage: String) -> Usage? { Self.read(Self.text("a") + Self.stop + "data: {\"choices\":[],\(usage)}\n\n").usage }
    #expect(counted(#""usage":{"prompt_tokens":7.0,"completion_tokens":3e0}"#) == Usage(input: 7, output: 3))
    #expect(counted(#""x_groq":{"id":"x","usage":{"prompt_tokens":7,"completion_tokens":3}}"#) == Usage(input: 7, output: 3))
    #expect(counted(#""usage":{"prompt_tokens":-1,"completion_tokens":3}"#) == nil)
    #expect(counted(#""usage":{"prompt_tokens":7.5,"completion_tokens":3}"#) == nil)
    #expect(counted(#""usage":{"prompt_tokens":NaN,"completion_tokens":1e300}"#) == nil && counted(#""usage":null"#) == nil)
    #expect(
      counted(
        #""usage":{"prompt_tokens":9,"completion_tokens":5,"cost":0.25,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}"#
      ) == Usage(input: 9, output: 5, cacheRead: 4, reasoning: 2, cost: 0.25))
    #expect(counted(#""usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":8}"#)?.cacheRead == 8)
    // xAI counts reasoning beside the answer.
    #expect(
      counted(#""usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":2}}"#)?
        .output == 7)
  }

  // MARK: errors

  @Test(arguments: [
    "event: error\ndata: {\"message\":\"backend gone\",\"type\":\"server_error\"}\n\n", "error: {\"message\":\"backend gone\"}\n\n",
    "data: {\"object\":\"error\",\"message\":\"backend gone\",\"code\":50001}\n\n", "data: {\"error\":\"backend gone\"}\n\n",
    "data: {\"error\":{\"message\":\"backend gone\",\"code\":null}}\n\n", "data: [{\"error\":{\"message\":\"backend gone\"}}]\n\n",
    "data: {\"detail\":\"backend gone\"}\n\n", "data: \"backend gone\"\n\n", "data: {\"code\":500,\"msg\":\"backend gone\"}\n\n",
    "event: error\ndata: backend gone\n\n", "data: {\"x_groq\":{\"error\":\"backend gone\"}}\n\n",
    "data: {\"error\":{\"message\":\"backend gone\"},\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"error\"}]}\n\n",
  ])
  func errorsInsideAStream(_ event: String) {
    for body in [event, Self.text("a") + event + Self.done, Self.text("a") + Self.stop + event + Self.done] {
      let failure = Self.read(body).failure
      #expect(failure?.kind == .server && failure?.message.contains("backend gone") == true, "\(String(describing: failure))")
    }
  }

  @Test(arguments: [
    "{\"error\":\"backend gone\"}", "[{\"error\":{\"message\":\"backend gone\"}}]", "{\"detail\":\"backend gone\"}",
    "{\"message\":\"backend gone\"}", "{\"object\":\"error\",\"message\":\"backend gone\"}", "\"backend gone\"",
  ])
  func errorsInsideADocument(_ body: String) {
    let failure = Self.read(body).failure
    #expect(failure?.kind == .server && failure?.message.contains("backend gone") == true, "\(String(describing: failure))")
  }

  @Test func kindsOfRefusals() {
    func failed(_ status: Int, _ body: String) -> Failure? { Self.read(body, status: status).failure }
    #expect(failed(400, #"{"error":{"message":"no","details":[{"reason":"API_KEY_INVALID"}],"status":"INVALID_ARGUMENT"}}"#)?.kind == .auth)
    #expect(failed(409, #"{"error":{"message":"conflict"}}"#)?.kind.isTransient == true && failed(425, "")?.kind.isTransient == true)
    #expect(failed(500, #"{"error":{"message":"2 validation errors:\n x","type":"internal_server_error"}}"#)?.kind == .badRequest)
    #expect(failed(400, #"{"detail":"Server is pinned to 'a'; requested 'b'."}"#)?.kind == .notFound)
    #expect(failed(400, #"{"error":"no such model: x"}"#)?.kind == .notFound)
    let limited = Self.read("data: {\"error\":{\"message\":\"Please try again in 2s\",\"code\":\"rate_limit_exceeded\"}}\n\n").failure
    #expect(limited?.kind == .rateLimited && limited?.retryAfter == .seconds(2))
    let google = failed(429, #"{"error":{"message":"quota","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"36s"}]}}"#)
    #expect(google?.kind == .rateLimited && google?.retryAfter == .seconds(36))
    for (status, body) in [
      (400, #"{"error":{"message":"filtered","code":"content_filter"}}"#),
      (403, #"{"error":{"message":"Your input was flagged","metadata":{"reasons":["violence"]}}}"#),
    ] {
      let attempt = Self.read(body, status: status)
      #expect(attempt.failure == nil && attempt.wrong?.kind == .refused && attempt.wrong?.status == status && attempt.text.isEmpty)
    }
    #expect(failed(403, #"{"error":{"message":"no access"}}"#)?.kind == .auth)
    #expect(failed(500, "data: {\"error\":{\"message\":\"in an event\"}}\n\n")?.message == "in an event")
    #expect(failed(502, "plain words")?.message.contains("plain words") == true)
  }
}
