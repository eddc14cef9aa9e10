import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `save --append` adds to whatever is the file's end when a row is written: others may add to it meanwhile, or empty it.
@Suite struct AppendTests {
  /// What another program does to the file while the third prompt is asked.
  private func run(_ meanwhile: @escaping @Sendable (Int32) -> Void, _ path: String) async throws -> Program.Result {
    let server = try ChatServer { call in
      if call.number == 3 {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
        meanwhile(descriptor)
        close(descriptor)
      }
      call.answer("yes")
      return true
    }
    return try await Program.run(
      ["-m", "openai/m", "-e", "set concurrency 1; map 1..6 \"n{it}\" | save \"\(path)\" --append"], environment: server.environment)
  }

  private func add(_ text: String, _ descriptor: Int32) { _ = text.withCString { write(descriptor, $0, strlen($0)) } }

  private func rows(_ lines: some Sequence<String>) -> [Int] {
    lines.compactMap { line in (1...6).first { line.hasPrefix("{") && line.contains("\"n\($0)\"") && line.hasSuffix("}") } }
  }

  @Test func linesOfOthersStay() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{\"v\":0}\n")
    let result = try await run({ add("{\"v\":\"other\"}\n", $0) }, "\(folder.path)/x.jsonl")
    let lines = folder.lines("x.jsonl")
    #expect(result.status == 0 && lines.count == 8 && rows(lines) == Array(1...6), "\(result) \(lines)")
    #expect(lines.first == "{\"v\":0}" && lines.contains("{\"v\":\"other\"}"), "\(lines)")
  }

  /// What it is the half of may follow: a row stands on a line of its own all the same.
  @Test func noRowIsGluedToHalfALine() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{\"v\":0}")
    let result = try await run({ add("{\"half\":", $0) }, "\(folder.path)/x.jsonl")
    let lines = folder.lines("x.jsonl")
    #expect(result.status == 0 && lines.count == 8 && rows(lines) == Array(1...6), "\(result) \(lines)")
    #expect(lines.first == "{\"v\":0}" && lines.contains("{\"half\":"), "\(lines)")
  }

  @Test func aFileThatIsEmptiedMeanwhile() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "{\"v\":0}\n{\"v\":1}\n")
    let result = try await run({ _ = ftruncate($0, 0) }, "\(folder.path)/x.jsonl")
    let lines = folder.lines("x.jsonl")
    #expect(result.status == 0 && rows(lines).suffix(4) == [3, 4, 5, 6] && rows(lines).count == lines.count, "\(result) \(lines)")
  }

  /// A table that is emptied begins with its header again, so that what stands there is still what it was.
  @Test(arguments: ["", "text,finish\nold,stop\n"]) func aTableThatIsEmptiedMeanwhile(_ old: String) async throws {
    let folder = try Scratch()
    try folder.write("x.csv", old)
    let path = "\(folder.path)/x.csv"
    let server = try ChatServer { call in
      // The first rows are there by then.
      if call.number == 30 { truncate(path, 0) }
      call.answer("<\(call.prompt)>")
      return true
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "set concurrency 1; map 1..60 \"n{it}\" | select text finish | save \"\(path)\" --append"],
      environment: server.environment)
    let lines = folder.lines("x.csv")
    #expect(result.status == 0 && lines.first == "text,finish" && lines.last == "<n60>,stop", "\(result) \(lines)")
    #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("<n") } && lines.count >= 30, "\(lines)")
  }

  /// (The thread sanitizer needs files of its own.) The half row behind the last whole one is ours, and goes.
  @Test(.enabled(if: !Patience.isSanitized)) func aFullDiskLeavesNoHalfRow() async throws {
    let folder = try Scratch()
    try folder.write("x.jsonl", "0")
    try folder.write("s.psh", "save (1..2000) \"\(folder.path)/x.jsonl\" --append\n")
    let result = try await Program.run(["-e", "!trap '' XFSZ; ulimit -f 2; \(Program.path) \(folder.path)/s.psh 2>&1 | cat"])
    let numbers = folder.lines("x.jsonl").compactMap { Int($0) }
    #expect(result.output.contains("File too large") && folder.read("x.jsonl")?.hasSuffix("\n") == true, "\(result)")
    #expect(numbers.count > 200 && numbers == Array(0..<numbers.count), "\(numbers.suffix(3))")
    #expect(result.output.contains("\(numbers.count - 1) rows written to"), "\(result)")
  }
}
