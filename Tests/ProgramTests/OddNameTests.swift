import TestSupport
import Testing

/// What is said to type does what it says when it is typed, whatever a file is called.
@Suite struct OddNameTests {
  static let names = [
    "a b", "a;touch pwned;", "$(touch pwned)", "`touch pwned`", "it's", "a\"b", "{it} {1 - x}", "-x", "a\\nb\\", "a\nb", "a\tb%s", "é漢",
    "a*b?", "a\u{200B}b\u{202E}", "#a", "a|b & c", "~", "\u{10FFFF}",
  ]

  /// In the folder, as somebody who stands there.
  private func run(_ folder: Scratch, _ arguments: [String], _ environment: [String: String] = [:]) async throws -> Program.Result {
    try await Program.run(
      ["-c", "cd \"$0\" && exec \"$@\"", folder.path, Program.path] + arguments, environment: environment, program: "/bin/sh")
  }

  /// The last line that stands between these, typed.
  private func type(_ folder: Scratch, _ text: String, from start: String, to end: String, _ rest: String = "") async throws
    -> Program.Result
  {
    let from = try #require(text.ranges(of: start).last, "\(text)").upperBound
    let to = try #require(text[from...].firstRange(of: end), "\(text)").lowerBound
    try folder.write("typed.psh", "\(text[from..<to])\(rest)\n")
    return try await run(folder, ["typed.psh"], ["XDG_STATE_HOME": folder.path + "/none"])
  }

  @Test(arguments: names) func rowsBesideTakeTheirPlace(_ name: String) async throws {
    let folder = try Scratch()
    try folder.write("s.psh", "set retries 0\nset stop-after off\nmap 1..3 \"say {it}\" | save args[0]\n")
    let file = "\(name).jsonl"
    _ = try await run(folder, ["-m", "sim/fast", "s.psh", file])
    let result = try await run(folder, ["-m", "sim/flaky", "--faults", "500=1", "s.psh", file])
    #expect(result.status == 3 && result.errors.contains("is as it was"), "\(result)")
    let typed = try await type(folder, result.errors, from: "  = `", to: "` puts them in its place")
    #expect(typed.status == 0, "\(typed) \(result)")
    try folder.write("count.psh", "print (load args[0] | where failed | count)\n")
    let count = try await run(folder, ["count.psh", file])
    #expect(count.output == "3\n" && folder.read("pwned") == nil, "\(count) \(result)")
  }

  @Test(arguments: names) func theLineBehindACutRow(_ name: String) async throws {
    let folder = try Scratch()
    for (file, flag) in [("\(name).jsonl", ""), (name, " --format jsonl")] where name != "~" || flag.isEmpty {
      try folder.write("s.psh", "[{a: 1}] | save args[0]\(flag)\n!printf '{\"a\":' >> \"$FILE\"\nsave [{a: 2}] args[0]\(flag) --append\n")
      let result = try await run(folder, ["s.psh", file], ["FILE": file, "PATH": "/usr/bin:/bin"])
      // What is no UTF-8 has no way through the environment of a test.
      if name.unicodeScalars.contains("\u{10FFFF}") { continue }
      #expect(result.status == 1, "\(result)")
      let typed = try await type(folder, result.errors, from: "= `", to: "` leaves it out")
      #expect(typed.status == 0, "\(typed) \(result)")
      try folder.write("count.psh", "print (load args[0]\(flag) | count)\n")
      let count = try await run(folder, ["count.psh", file])
      #expect(count.output == "1\n" && folder.read("pwned") == nil, "\(count) \(result)")
    }
  }

  @Test(arguments: names) func whatIsWrittenDownIsLoaded(_ name: String) async throws {
    let folder = try Scratch()
    try folder.write("s.psh", "!mkdir -p \"$XDG_STATE_HOME\"\nlet r = map 1..3 \"say {it}\"\nprint 1 / 0\n")
    let environment = ["XDG_STATE_HOME": "\(folder.path)/\(name)", "PATH": "/usr/bin:/bin"]
    let result = try await run(folder, ["-m", "sim/fast", "s.psh"], environment)
    let typed = try await type(folder, result.errors, from: "` kept: ", to: "\n", " | count")
    #expect(typed.output == "3\n" && folder.read("pwned") == nil, "\(typed) \(result)")
    let next = try await run(folder, ["-e", "print 1"], environment)
    let again = try await type(folder, next.errors, from: "written down:\n  ", to: "\n", " | count")
    #expect(again.output == "3\n" && folder.read("pwned") == nil, "\(again) \(next)")
  }
}
