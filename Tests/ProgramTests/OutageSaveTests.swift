import TestSupport
import Testing
import Threads

/// An outage does not empty the file of yesterday: the run that feeds a `save` counts, and not only the rows that arrive there.
@Suite struct OutageSaveTests {
  /// The script is run three times: with everything answered, with everything from `from` on refused, and answered again.
  private func run(_ script: String, from: Int, _ folder: Scratch) async throws -> [(result: Program.Result, file: String?)] {
    let isOut = Atomic(false)
    let server = try ChatServer { call in
      let isRefused = (from...9).contains { call.prompt.hasPrefix("n\($0)") }
      if isOut.load(ordering: .relaxed), isRefused { call.refuse(400) } else { call.answer("<\(call.prompt)>") }
      return true
    }
    var all: [(result: Program.Result, file: String?)] = []
    for day in 0..<3 {
      isOut.store(day == 1, ordering: .relaxed)
      let result = try await Program.run(
        ["-m", "openai/m", "-e", "set stop-after off; set retries 0\n" + script.replacing("@", with: "\(folder.path)/x.jsonl")],
        environment: server.environment)
      all.append((result, folder.read("x.jsonl")))
    }
    return all
  }

  private static let scripts = [
    "map 1..4 \"n{it}\" | where not failed | save \"@\"", "map 1..4 \"n{it}\" | where not failed | select text | save \"@\"",
    "map 1..4 \"n{it}\" | where not failed | sort text | save \"@\"",
    "map 1..4 \"n{it}\" | where not failed | group text | summarize mean(index) | save \"@\"",
    "map 1..4 \"n{it}\" | where not failed | group text | save \"@\"", "save (map 1..4 \"n{it}\" | where not failed) \"@\"",
    "def f(x) { return [(ask \"n{x}\")] }; each 1..4 f | flatten | where not failed | save \"@\"",
    "let r = map 1..4 \"n{it}\"\nr | where not failed | save \"@\"",
    "let r = map 1..4 \"n{it}\"\nlet good = r | where not failed\ngood | save \"@\"",
    "let r = map 1..4 \"n{it}\" &\nr | where not failed | save \"@\"",
  ]

  @Test(arguments: scripts, [1, 3]) func theOldFileStays(_ script: String, _ from: Int) async throws {
    let folder = try Scratch()
    let days = try await run(script, from: from, folder)
    #expect(days[0].result.status == 0 && days[0].file?.split(separator: "\n").count == 4, "\(days[0])")
    #expect(days[1].result.status == 3 && days[1].file == days[0].file, "\(days[1])")
    // What did come stands beside it, and is named.
    if from > 1 { #expect(days[1].result.errors.contains("x.jsonl is as it was, for it has more rows"), "\(days[1])") }
    #expect(days[2].result.status == 0 && days[2].file?.split(separator: "\n").count == 4, "\(days[2])")
  }

  /// Fewer rows are what was asked for, where all prompts have an answer by then.
  @Test(arguments: [
    "let r = map 1..4 \"n{it}\"\nr | where text != \"<n9>\" | take 2 | save \"@\"",
    "let r = map 1..5 \"n{it}\" --model [openai/m]\nretry r\nr | take 2 | save \"@\"",
  ])
  func fewerRowsOfAWholeRunReplaceMore(_ script: String) async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n")
    let asked = Atomic(0)
    let server = try ChatServer { call in
      // Refused once, and answered when it is tried again.
      if call.prompt.hasPrefix("n5"), asked.add(1, ordering: .relaxed).newValue == 1 {
        call.refuse(400)
      } else {
        call.answer("<\(call.prompt)>")
      }
      return true
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "set retries 0\n" + script.replacing("@", with: "\(folder.path)/x.jsonl")], environment: server.environment)
    #expect(result.status == 0 && folder.lines("x.jsonl").count == 2, "\(result)")
  }
}
