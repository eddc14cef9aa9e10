import Chat
import JSON
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `Streams/streams.jsonl`: a server's exact bytes, and what the row must say.
@Suite(.serialized) struct StreamCaseTests {
  struct Case: Sendable {
    enum Step: Sendable {
      case send(String)
      case wait
    }
    var name: String
    /// What the first request gets, and every further one.
    var first: [Step]
    var then: [Step]
  }

  static let cases: [Case] = {
    let path = String(#filePath.prefix(through: #filePath.lastIndex(of: "/")!)) + "Streams/streams.jsonl"
    var answers: [String: [Case.Step]] = [:]
    let documents = (FaultTests.read(path) ?? "").split(separator: "\n").compactMap { try? JSONValue(parsing: $0.utf8) }
    for document in documents {
      guard let name = document["name"]?.string, let steps = document["answer"]?.array else { continue }
      answers[name] = steps.map { step in step["send"]?.string.map(Case.Step.send) ?? .wait }
    }
    return documents.compactMap { document in
      guard let name = document["name"]?.string else { return nil }
      if let steps = answers[name] { return Case(name: name, first: steps, then: steps) }
      let first = document["first"]?.array?.compactMap { $0.string.map(Case.Step.send) } ?? []
      return Case(name: name, first: first, then: document["then"]?.string.flatMap { answers[$0] } ?? [])
    }
  }()

  private func run(_ name: String, _ change: (inout ChatRequest) -> Void = { _ in }) async throws -> FaultTests.Outcome {
    let found = try #require(Self.cases.first { $0.name == name }, "streams.jsonl lacks \(name)")
    let requests = Mutex(0)
    let fault = Fault(name, nil, retried: false) { connection in
      let number = requests.withLock { count in
        count += 1
        return count
      }
      for step in number == 1 ? found.first : found.then {
        switch step {
        case .send(let text): if !connection.send(text) { return }
        // Whoever leaves the connection open sees that it is closed, long before the time is over.
        case .wait: #expect(connection.hasClosed(within: 5000), "the connection was kept")
        }
      }
    }
    return try await FaultTests.run(fault, isPermanent: true, change: change)
  }

  @Test func allCasesAreHere() {
    #expect(Self.cases.count == 19)
  }

  @Test func answers() async throws {
    let plain = try await run("plain").reply
    #expect(plain.failure == nil && plain.text == "hello world" && plain.attempt.finish == .stop)
    #expect(plain.attempt.usage == Usage(input: 7, output: 3))
    #expect(try await run("bom").reply.text == "hello")
    let both = try await run("reasoning_both").reply
    #expect(both.text == "hello" && both.attempt.reasoning == "think")
    let think = try await run("think_tags").reply
    #expect(think.text == "hello" && think.attempt.reasoning == "hm")
    #expect(try await run("think_tags", { $0.keepsThink = true }).reply.text == "<think>hm</think>\n\nhello")
    let open = try await run("full_nofinish").reply
    #expect(open.failure == nil && open.text == "hello" && open.attempt.finish == nil && open.error == nil)
    #expect(try await run("usage_float").reply.attempt.usage == Usage(input: 7, output: 3))
    #expect(try await run("split_surrogate").reply.text == "a😀b")
    #expect(try await run("dup_keys").reply.text == "hello")
    let tools = try await run("tool_only").reply
    #expect(tools.failure == nil && tools.text.isEmpty && tools.attempt.finish == .toolCalls && tools.attempt.toolCalls == 2)
    #expect(tools.error == nil)
  }

  @Test func wrongAnswers() async throws {
    let streamed = try await run("refusal").reply
    #expect(streamed.failure == nil && streamed.error?.kind == .refused && streamed.text == "I cannot help" && streamed.attempts == 1)
    let whole = try await run("full_refusal").reply
    #expect(whole.failure == nil && whole.error?.kind == .refused && whole.text == "I cannot help")
  }

  @Test(arguments: [
    ("finish_overloaded", FailureKind.overloaded, ""), ("event_error", .server, "backend gone"), ("err_object", .server, "backend gone"),
    ("err_rate_in_stream", .rateLimited, "Rate limit reached"),
  ])
  func failuresThatAreTriedAgain(_ name: String, _ kind: FailureKind, _ words: String) async throws {
    let outcome = try await run(name)
    // A refusal uses no try up: it is tried again until it has cost the longest wait.
    let isRefusal = kind == .rateLimited || kind == .overloaded
    #expect(outcome.reply.failure?.kind == kind && outcome.requests == outcome.reply.attempts)
    #expect(isRefusal ? outcome.reply.attempts > 2 : outcome.reply.attempts == 2)
    #expect(outcome.reply.failure?.message.contains(words) == true || words.isEmpty)
  }

  @Test func refusals() async throws {
    let array = try await run("err400_array").reply
    #expect(array.failure?.message == "API key not valid" && array.attempts == 1)
    let waited = try await run("ra_msg")
    #expect(waited.reply.failure == nil && waited.reply.text == "hello world" && waited.reply.waited >= .milliseconds(1200))
    #expect(waited.reply.waited < .milliseconds(3200) && waited.requests == 2)
    let conflict = try await run("once_409").reply
    #expect(conflict.failure == nil && conflict.text == "hello world" && conflict.attempts == 2)
  }

  @Test func doneEndsTheCall() async throws {
    let started = ContinuousClock.now
    let reply = try await run("done_then_open").reply
    #expect(reply.failure == nil && reply.text == "hello" && started.duration(to: .now) < .seconds(5))
  }
}
