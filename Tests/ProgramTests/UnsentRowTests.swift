import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The rows that a stop left unsent are in the file of `map … | save`, as they are in a variable: `load` and `retry` make it whole.
@Suite struct UnsentRowTests {
  private func server() throws -> ChatServer {
    try ChatServer { call in
      if call.prompt.hasPrefix("bad") { call.refuse(400) } else { call.answer("<\(call.prompt)>") }
      return true
    }
  }

  @Test(arguments: [
    "set budget tokens 40; map 1..20 \"n{it}\" --max-tokens 5 | save \"@/x.jsonl\"",
    "set budget tokens 40; load \"@/items.csv\" | map \"n{n}\" --max-tokens 5 | save \"@/x.jsonl\"",
    "set budget tokens 40; map 1..20 \"n{it}\" --max-tokens 5 | unique | save \"@/x.jsonl\" --append",
    "set budget tokens 40; map 1..20 \"n{it}\" --max-tokens 5 | unique | map \"{text}\" --max-tokens 5 | save \"@/x.jsonl\"",
    "set budget tokens 40; map 1..20 \"n{it}\" --max-tokens 5 | map \"{text}\" --max-tokens 5 | save \"@/x.jsonl\"",
    "set stop-after 2; set retries 0; map 1..20 \"bad{it}\" | save \"@/x.jsonl\"",
    "set stop-after 2; set retries 0; map 1..30 \"bad{it}\" | take 20 | save \"@/x.jsonl\"",
  ])
  func aRunThatStopsKeepsThemInTheFile(_ script: String) async throws {
    let folder = try Scratch()
    try folder.write("items.csv", "n\n" + (1...20).map { "\($0)\n" }.joined())
    let server = try server()
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "set concurrency 2; " + script.replacing("@", with: folder.path)], environment: server.environment)
    #expect(result.status == 3 && folder.lines("x.jsonl").count == 20, "\(result) \(folder.lines("x.jsonl").count)")
    #expect(server.calls < 20 && result.errors.contains("20 rows written to"), "\(result)")
    let whole = try await Program.run(
      ["-m", "openai/m", "-e", "let r = load \"\(folder.path)/x.jsonl\"; retry r; print (r | where not failed | count)"],
      environment: server.environment)
    // Of a chain the file does not hold the prompts behind the first: it is not made whole with drafts.
    if script.contains("{text}") {
      #expect(whole.errors.contains("with 1 more of its prompts or functions behind it"), "\(whole)")
    } else {
      #expect(whole.output == (script.contains("bad") ? "0\n" : "20\n"), "\(whole)")
      #expect(server.calls >= 20, "\(whole)")
    }
  }

  @Test func anInterruptKeepsThemToo() async throws {
    let folder = try Scratch()
    let result = try await Program.run(
      [
        "-m", "sim/story", "-e",
        "set concurrency 1; on end { log \"one is done\" }; map 1..20000 \"Tell a story of {it}.\" --max-tokens 3 | save \"\(folder.path)/x.jsonl\"",
      ], interruptAfter: "one is done")
    #expect(result.status == 130 && folder.lines("x.jsonl").count == 20_000, "\(result) \(folder.lines("x.jsonl").count)")
  }

  @Test func aTimeLimitKeepsThemToo() async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      if call.number == 1 { call.answer("yes") } else { call.connection.waitForClose() }
      return call.number == 1
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "set concurrency 2; timeout 2s { map 1..20 \"n{it}\" | save \"\(folder.path)/x.jsonl\" }"],
      environment: server.environment)
    #expect(folder.lines("x.jsonl").count == 20, "\(result)")
  }

  /// A filter that drops what has no answer does not make a run whole that was stopped.
  @Test func theOldFileStaysWhereNoneOfThemArrives() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{}\n")
    let server = try server()
    let result = try await Program.run(
      [
        "-m", "openai/m", "-e",
        "set concurrency 1; set budget tokens 40; map 1..20 \"n{it}\" --max-tokens 5 | where not failed | save \"\(folder.path)/x.jsonl\"",
      ], environment: server.environment)
    #expect(result.status == 3 && folder.read("x.jsonl") == "{}\n", "\(result)")
    #expect(result.errors.contains("x.jsonl is as it was, for the run is not whole"), "\(result)")
  }
}
