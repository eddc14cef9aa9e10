import TestSupport
import Testing
import Threads

/// Rows without an answer that stand in a file: what of them can be sent again, and what the exit status says of those that cannot.
@Suite struct ChainFileTests {
  /// Refuses prompts with FAIL in them until it is told to answer.
  private final class Moody: Sendable {
    let answers = Atomic(false)
    func server() throws -> ChatServer {
      try ChatServer { call in
        let isRefused = call.prompt.contains("FAIL") && !self.answers.load(ordering: .relaxed)
        if isRefused { call.refuse(400) } else { call.answer("<\(call.prompt)>") }
        return true
      }
    }
  }

  private static let chains = [
    "map [\"a\", \"FAIL\"] \"Draft {it}\" | map \"Grade {text}\" | save \"FILE\"",
    "map [\"a\", \"FAIL\"] \"Draft {it}\" | add z 1 | take 2 | map \"Grade {text}\" | add y 2 | save \"FILE\"",
    "let d = map [\"a\", \"FAIL\"] \"Draft {it}\"\nlet g = map d \"Grade {text}\"\nsave g \"FILE\"",
    "def grade(d) = ask \"Grade {d}\"\nlet g = map [\"a\", \"FAIL\"] \"Draft {it}\" | each grade\nsave g \"FILE\"",
  ]

  /// A row that failed before the last of a chain's prompts is not sent again from a file: the answer would be a draft among grades.
  @Test(arguments: ["jsonl", "json", "csv"], chains)
  func aDraftIsNoGrade(_ format: String, _ chain: String) async throws {
    let folder = try Scratch()
    let mood = Moody()
    let server = try mood.server()
    let file = "\(folder.path)/ch.\(format)"
    func run(_ script: String) async throws -> Program.Result {
      try await Program.run(["-m", "openai/m", "-e", script.replacing("FILE", with: file)], environment: server.environment)
    }
    let saved = try await run(chain)
    #expect(saved.status == 3, "\(saved)")
    mood.answers.store(true, ordering: .relaxed)
    let calls = server.calls
    let before = folder.read("ch.\(format)")
    // Through a second file it is the same.
    let again = try await run("save (load \"FILE\") \"FILE\"\nlet s = load \"FILE\"\nretry s\nsave s \"FILE\"")
    #expect(again.status == 1 && again.errors.contains("row 1 of `s` failed with 1 more of its prompts or functions behind it"), "\(again)")
    #expect(server.calls == calls && folder.read("ch.\(format)") == before)
    // Nor where another prompt follows.
    let more = try await run("let s = load \"FILE\" | map \"More {text}\"\nretry s")
    #expect(more.status == 1 && more.errors.contains("row 1 of `s` failed with"), "\(more)")
  }

  /// In the session that made it, it goes through all of them; and one that failed at the last is sent again from a file.
  @Test func theLastPromptIsSentAgain() async throws {
    let folder = try Scratch()
    let mood = Moody()
    let server = try mood.server()
    let file = "\(folder.path)/ch.jsonl"
    let first = try await Program.run(
      [
        "-m", "openai/m", "-e",
        "let w = [\"ok\", \"FAIL\"]\nmap [\"a\", \"b\"] \"Draft {it}\" | map \"{w[index]} {text}\" | add z 1 | save \"\(file)\"",
      ],
      environment: server.environment)
    #expect(first.status == 3, "\(first)")
    mood.answers.store(true, ordering: .relaxed)
    let again = try await Program.run(
      ["-m", "openai/m", "-e", "let s = load \"\(file)\"\nretry s\nprint s.text s.z"], environment: server.environment)
    #expect(again.status == 0 && again.output == "[\"<ok <Draft a>>\", \"<FAIL <Draft b>>\"] [1, 1]\n", "\(again)")
  }

  /// What `add` had made of the answer before stands beside the new one: that is said, for nothing else would show it.
  @Test(arguments: ["jsonl", "csv"])
  func aColumnIsOlderThanItsAnswer(_ format: String) async throws {
    let folder = try Scratch()
    let wrong = Atomic(true)
    let server = try ChatServer { call in
      call.answer(wrong.load(ordering: .relaxed) ? "seven" : "7")
      return true
    }
    let file = "\(folder.path)/r.\(format)"
    func run(_ script: String) async throws -> Program.Result {
      try await Program.run(["-m", "openai/m", "-e", script.replacing("FILE", with: file)], environment: server.environment)
    }
    let first = try await run("map [1] \"{it}\" --as number --temperature [0, 1] | add right (value == 7) | save \"FILE\"")
    #expect(first.status == 0, "\(first)")
    wrong.store(false, ordering: .relaxed)
    let again = try await run("let s = load \"FILE\"\nretry s --wrong\nlet s = s | add right (value == 7)\nprint s.right")
    #expect(
      again.errors.contains("2 rows of `s`: `right` as the file has it, from before the new answer\n  = `s | add right …`"), "\(again)")
    #expect(again.output == "[true, true]\n", "\(again)")
    // Where the row knows how it is made, so does its column.
    let live = try await run("let s = map [1] \"{it}\" --as json | add right (value == 8)\nretry s --wrong")
    #expect(!live.errors.contains("as the file has"), "\(live)")
  }

  /// A failed row of a file that is skipped has no answer at the end, unless a retry gave it one.
  @Test(arguments: [
    ("load \"FILE\" | map \"More {text}\" | save -", 3),
    ("load \"FILE\" | where failed | map \"More {text}\" | save -", 3),
    ("def f(r) = ask \"More {r}\"\nlet n = each (load \"FILE\") f", 3),
    ("let n = load \"FILE\" | add z { ask \"More {text}\" }", 3),
    ("let n = load \"FILE\" | select text failed | map \"More {text}\"", 3),
    ("def f(r) = ask \"More {r}\"\ndef g() { return len((each (load \"FILE\") f) | where not failed) }\nprint g()", 0),
    ("let r = load \"FILE\"\nlet n = map r \"More {text}\"\nretry n", 0),
    ("let n = load \"FILE\" | map \"More {text}\"\nretry n", 0),
    ("let r = load \"FILE\"\nlet n = map r \"More {text}\"\nretry r", 0),
    ("let n = load \"FILE\" | select text failed | map \"More {text}\"\nretry n", 0),
    ("let r = load \"FILE\"\nretry r", 0),
    // Nothing is asked of them.
    ("load \"FILE\" | where not failed | map \"More {text}\" | save -", 0),
  ])
  func aSkippedRowIsATicket(_ script: String, _ status: Int32) async throws {
    let folder = try Scratch()
    let mood = Moody()
    let server = try mood.server()
    let file = "\(folder.path)/r.jsonl"
    let first = try await Program.run(
      ["-m", "openai/m", "-e", "map [\"a\", \"FAIL\"] \"{it}\" | save \"\(file)\""], environment: server.environment)
    #expect(first.status == 3, "\(first)")
    mood.answers.store(true, ordering: .relaxed)
    let result = try await Program.run(
      ["-m", "openai/m", "-e", script.replacing("FILE", with: file)], environment: server.environment)
    #expect(result.status == status, "\(result)")
  }
}
