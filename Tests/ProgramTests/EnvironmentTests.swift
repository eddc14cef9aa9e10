import TestSupport
import Testing
import Threads

/// What the environment names, as the program takes it up: keys and addresses as people paste them, models by a bare name.
@Suite struct EnvironmentTests {
  /// A server that keeps the heads of its requests and answers each as told: the status, and a body.
  private final class Server: Sendable {
    private let seen = Seen()
    let raw: RawServer

    init(_ answer: @escaping @Sendable (_ path: String, _ head: String) -> (status: String, body: String)) throws {
      raw = try RawServer { [seen] connection, _ in
        while let request = connection.request() {
          seen.add(request)
          let path = request.split(separator: " ").dropFirst().first.map(String.init) ?? ""
          let (status, body) = answer(path, request)
          connection.send(
            "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        }
      }
    }

    var requests: [String] { seen.all }
    var paths: [String] { requests.compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) } }
    /// Without `/v1`.
    var root: String { "http://127.0.0.1:\(raw.port)" }
  }

  private final class Seen: Sendable {
    private let requests = Mutex<[String]>([])
    func add(_ request: String) { requests.withLock { $0.append(request) } }
    var all: [String] { requests.withLock { $0 } }
  }

  private static let answer = """
    {"choices":[{"index":0,"message":{"role":"assistant","content":"Paris"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1}}
    """
  private static let listing = #"{"object":"list","data":[{"id":"m1"},{"id":"m2"}]}"#
  private static let refusal = #"{"error":{"message":"who are you?"}}"#

  private static func answers(_ path: String, _ head: String) -> (String, String) {
    if path.contains("/chat/completions") { return ("200 OK", answer) }
    return path.hasPrefix("/v1/models") ? ("200 OK", listing) : ("404 Not Found", #"{"detail":"Not Found"}"#)
  }

  // MARK: keys and addresses

  @Test(arguments: ["sk-1\n", " sk-1 ", "\"sk-1\"", "'sk-1'\r\n", "\u{FEFF}sk-1"])
  func aKeyIsTrimmed(_ key: String) async throws {
    let server = try Server(Self.answers)
    let result = try await Program.run(
      ["-e", "print (ask \"hi\").text"], environment: ["OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.root + "/v1"])
    #expect(result.status == 0 && result.output == "Paris\n", "\(result)")
    #expect(server.requests.count == 1 && server.requests[0].contains("\r\nAuthorization: Bearer sk-1\r\n"))
    let named = try await Program.run(["-e", "use \(server.root)/v1 --key-env K\nask \"hi\""], environment: ["K": key])
    #expect(named.status == 0 && server.requests.dropFirst().allSatisfy { $0.contains("\r\nAuthorization: Bearer sk-1\r\n") })
  }

  @Test(arguments: ["sk-1\nsk-2", "sk-1\r\nX-Other: yes", "sk-\u{1B}", "sk-é"])
  func aKeyThatNoHeaderCanHoldIsNeverLeftOut(_ key: String) async throws {
    let server = try Server(Self.answers)
    for script in ["ask \"hi\"", "map 1..3 \"{it}\"", "stream \"hi\"", "chat { user \"hi\" }", "models openai"] {
      let result = try await Program.run(
        ["-e", script], environment: ["OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.root + "/v1"])
      #expect(result.status != 0 && result.output == "", "\(script): \(result)")
      #expect(!result.errors.contains("sk-"))
    }
    let told = try await Program.run(["-e", "ask \"hi\""], environment: ["OPENAI_API_KEY": key])
    #expect(told.status == 1 && told.errors.contains("OPENAI_API_KEY") && told.errors.contains("no header can carry"), "\(told)")
    let named = try await Program.run(["-e", "use \(server.root)/v1 --key-env K\nask \"hi\""], environment: ["K": key])
    #expect(named.status == 1 && named.errors.contains("no header can carry") && !named.errors.contains("sk-"), "\(named)")
    #expect(server.requests.isEmpty)
  }

  @Test(arguments: [
    ("{}/v1", "/v1/chat/completions"), (" {}/v1/\n", "/v1/chat/completions"), ("\"{}/v1\"", "/v1/chat/completions"),
    ("{}/v1/chat/completions", "/v1/chat/completions"), ("{}/v1/chat/completions/", "/v1/chat/completions"),
    ("{}/v1/models", "/v1/chat/completions"),
    ("{}/openai/deployments/d?api-version=2024-10-21", "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
    ("{}/d/chat/completions?api-version=1&x=2", "/d/chat/completions?api-version=1&x=2"), ("{}/v1/?", "/v1/chat/completions"),
    ("{}/v1#anchor", "/v1/chat/completions"),
  ])
  func anAddressIsReadAsItIsPasted(_ address: String, _ path: String) async throws {
    let server = try Server(Self.answers)
    let result = try await Program.run(
      ["-e", "print (ask \"hi\").text"],
      environment: ["OPENAI_BASE_URL": address.replacing("{}", with: server.root), "OPENAI_MODEL": " m1\n"])
    #expect(result.status == 0 && result.output == "Paris\n", "\(result)")
    #expect(server.paths == [path] && server.requests[0].contains("\"m1\""))
  }

  @Test(arguments: ["localhost:8080", "ftp://x/v1", "http://", "nonsense"])
  func anAddressThatIsNoneIsAnErrorBeforeSending(_ address: String) async throws {
    let result = try await Program.run(["-e", "ask \"hi\""], environment: ["OPENAI_BASE_URL": address])
    #expect(result.status == 1 && result.output == "" && result.errors.contains("OPENAI_BASE_URL"), "\(result)")
  }

  // MARK: models

  @Test(arguments: [
    (["PROMPTSH_MODEL": "gpt-4o-mini"], "OPENAI_API_KEY"), (["PROMPTSH_MODEL": "gpt-nonsense"], "OPENAI_API_KEY"),
    (["PROMPTSH_MODEL": " openai/gpt-4o \n"], "OPENAI_API_KEY"), (["OPENAI_MODEL": "gpt-4o"], "OPENAI_API_KEY"),
    (["PROMPTSH_MODEL": "nowhere/x"], "nowhere"), (["PROMPTSH_MODEL": "openai/"], "openai"),
    (["PROMPTSH_MODEL": "deepseek-chat"], "DEEPSEEK_API_KEY"),
    (["PROMPTSH_MODEL": "sim/nope"], "story, fast and flaky"), (["PROMPTSH_MODEL": "/"], "provider"),
  ])
  func aModelThatCannotBeReachedIsNotTheSimulator(_ environment: [String: String], _ says: String) async throws {
    for script in ["ask \"hi\"", "map 1..3 \"{it}\" | save -", "stream \"hi\""] {
      let result = try await Program.run(["-e", script], environment: environment)
      #expect(result.status == 1 && result.output == "" && result.errors.contains(says), "\(result)")
    }
  }

  @Test func aBareNameGoesToTheServerThatTheEnvironmentNames() async throws {
    let server = try Server(Self.answers)
    let result = try await Program.run(
      ["-e", "let v = ask \"hi\"\nprint v.model v.text"],
      environment: ["PROMPTSH_MODEL": "gpt-4o-mini", "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.root + "/v1"])
    #expect(result.output == "openai/gpt-4o-mini Paris\n", "\(result)")
  }

  @Test func theSimulatorSaysSo() async throws {
    let unnamed = try await Program.run(["-e", "let v = ask \"hi\" --as number\nask \"more\" --max-tokens 2"])
    #expect(unnamed.status == 0 && unnamed.errors.components(of: "no model was named") == 1, "\(unnamed)")
    for arguments in [["--model", "sim/fast"], ["-m", "sim/fast"], ["--model=sim/fast"]] {
      let named = try await Program.run(arguments + ["-e", "let v = map 1..3 \"{it}\" --max-tokens 2\nprint len(v) v[0].model"])
      #expect(named.status == 0 && named.output == "3 sim/fast\n", "\(named)")
      #expect(named.errors.contains("v: 3 prompts, 3 answered") && named.errors.contains(", simulated, "), "\(named)")
      #expect(!named.errors.contains("no model was named"))
    }
    let server = try Server(Self.answers)
    let mixed = try await Program.run(
      ["-e", "use \(server.root)/v1\nlet v = map 1..2 \"{it}\" --model [sim/fast, openai/m1] --max-tokens 2"])
    #expect(mixed.errors.contains(", 2 simulated, "), "\(mixed)")
    let real = try await Program.run(["-e", "use \(server.root)/v1\nlet v = map 1..2 \"{it}\""])
    #expect(!real.errors.contains("simulated"), "\(real)")
  }

  // MARK: use

  @Test func aMissingVersionIsTriedOnce() async throws {
    let server = try Server(Self.answers)
    let result = try await Program.run(["-e", "use \(server.root)\nprint (ask \"hi\").text"])
    #expect(
      result.status == 0 && result.output == "Paris\n" && result.errors.contains("openai/m1 at \(server.root)/v1 (2 models)"), "\(result)")
    #expect(server.paths == ["/models", "/v1/models", "/v1/chat/completions"])
  }

  /// A page or an error with status 200 where no API is, as LM Studio and llama.cpp answer.
  @Test(arguments: [("200 OK", "<html>hello</html>"), ("200 OK", #"{"error":"Unexpected endpoint"}"#), ("405 Method Not Allowed", "")])
  func whateverAnswersThereOtherwise(_ status: String, _ body: String) async throws {
    let server = try Server { path, head in path == "/models" ? (status, body) : Self.answers(path, head) }
    let result = try await Program.run(["-e", "use \(server.root)?api-version=1\nprint (ask \"hi\").text"])
    #expect(result.status == 0 && result.output == "Paris\n", "\(result)")
    #expect(server.paths == ["/models", "/v1/models", "/v1/chat/completions"].map { $0 + "?api-version=1" })
  }

  @Test(arguments: ["401 Unauthorized", "403 Forbidden"], [true, false])
  func aRefusedUseSendsNothing(_ status: String, _ hasKey: Bool) async throws {
    let server = try Server { _, _ in (status, Self.refusal) }
    let use = "use \(server.root)/v1" + (hasKey ? " --key-env K" : "")
    let result = try await Program.run(["-e", use + "\nmap 1..3 \"{it}\" | save -"], environment: ["K": "wrong-key"])
    #expect(result.status == 1 && result.output == "" && result.errors.contains("who are you?"), "\(result)")
    #expect(result.errors.contains("--key-env") && !result.errors.contains("wrong-key"))
    #expect(server.paths == ["/v1/models"])
    // At the root, the `/v1` that refuses us is what was meant.
    let other = try Server { path, _ in path == "/models" ? ("404 Not Found", "") : (status, Self.refusal) }
    let rooted = try await Program.run(["-e", "use \(other.root)\nask \"hi\""])
    #expect(rooted.status == 1 && rooted.errors.contains("\(other.root)/v1") && other.paths == ["/models", "/v1/models"], "\(rooted)")
  }

  @Test(arguments: [("200 OK", #"{"data":[]}"#), ("404 Not Found", ""), ("500 Internal Server Error", ""), ("200 OK", "<html>")])
  func aServerThatListsNoModelsIsAskedForOne(_ status: String, _ body: String) async throws {
    let server = try Server { path, head in path.contains("/chat/") ? Self.answers(path, head) : (status, body) }
    for environment in [[:], ["OPENAI_API_KEY": "k"]] {
      let none = try await Program.run(["-e", "use \(server.root)/v1\nmap 1..3 \"{it}\" | save -"], environment: environment)
      #expect(none.status == 1 && none.output == "" && none.errors.contains("set model openai/NAME"), "\(none)")
    }
    #expect(!server.paths.contains { $0.contains("chat") })
    let shown = try await Program.run(["-e", "use \(server.root)/v1 --as mine\nset model"])
    #expect(shown.output == "model = none chosen at mine\n", "\(shown)")
    let chosen = try await Program.run(["-e", "use \(server.root)/v1 --as mine\nset model mine/x\nprint (ask \"hi\").text"])
    #expect(chosen.status == 0 && chosen.output == "Paris\n", "\(chosen)")
  }

  /// At the prompt a line that fails does not end the session: the next one must not be answered by somebody else.
  @Test func afterAFailedUseNobodyAnswers() async throws {
    let server = try Server { _, _ in ("401 Unauthorized", Self.refusal) }
    let lines = [
      "use \(server.root)/v1", "use http://127.0.0.1:1/v1", "use openai/gpt-4o", "set model openai/gpt-4o", "use nowhere/x",
    ]
    for line in lines {
      let folder = try Scratch()
      let terminal = try PseudoTerminal(Program.path, folder: folder.path)
      var seen = try await terminal.wait(for: "> ")
      terminal.type(line + "\r")
      seen = try await terminal.wait(for: "psh none chosen at", after: seen)
      terminal.type("ask \"hi\"\r")
      seen = try await terminal.wait(for: "error: ", after: seen)
      terminal.type("exit 7\r")
      #expect(try await terminal.end() == 7)
      #expect(!terminal.output.contains("[simulated]"))
    }
  }
}

extension String {
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}
