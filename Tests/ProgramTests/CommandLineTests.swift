import TestSupport
import Testing

/// The command line: who reads an argument, and what comes of misuse.
@Suite struct CommandLineTests {
  private func folder(_ files: [String: String]) throws -> Scratch {
    let folder = try Scratch()
    for (file, text) in files { try folder.write(file, text) }
    return folder
  }

  static let lines: [(arguments: [String], output: String)] = [
    (["-e", "print 1", "-e", "print 2"], "1\n2\n"),
    // Whatever follows -e is its text.
    (["-e", "-1 + 2"], "1\n"),
    // One text may go on in the next.
    (["-e", "if true {", "-e", "print 3", "-e", "}"], "3\n"),
    (["-e", "print args", "a", "-e", "--b"], "[\"a\", \"-e\", \"--b\"]\n"),
    (["-e", "print args", "--", "--b", "--"], "[\"--b\", \"--\"]\n"),
    (["-e", "print args", "check", "help"], "[\"check\", \"help\"]\n"),
    (["--faults", "500=1", "-e", "print 4"], "4\n"),
    (["--faults=500=1", "-e", "print 4"], "4\n"),
    (["-m", "sim/fast", "-e", "print env(\"X\")"], "\n"),
    (["run", "-e", "print 5", "x"], "5\n"),
  ]

  @Test(arguments: lines) func reads(_ line: (arguments: [String], output: String)) async throws {
    let result = try await Program.run(line.arguments, environment: ["X": ""])
    #expect(result.output == line.output && result.errors == "", "\(result)")
  }

  @Test func scriptsAndTheirArguments() async throws {
    let folder = try folder(["s.psh": "print args\n", "-x.psh": "print \"dash\"\n", "check": "print \"a script named check\"\n"])
    #expect(try await Program.run(["\(folder.path)/s.psh", "a", "--b", "--"]).output == "[\"a\", \"--b\", \"--\"]\n")
    #expect(try await Program.run(["--", "\(folder.path)/s.psh", "--b"]).output == "[\"--b\"]\n")
    #expect(try await Program.run(["--", "\(folder.path)/-x.psh"]).output == "dash\n")
    #expect(try await Program.run(["run", "\(folder.path)/check"]).output == "a script named check\n")
    #expect(try await Program.run(["-", "a"], input: "print args").output == "[\"a\"]\n")
  }

  static let misuses: [[String]] = [
    ["-e"], ["-m"], ["--model"], ["--faults"], ["--nonsense"], ["-x"], ["--nonsense=1"], ["-e", "1", "--nonsense"], ["-ex"],
    ["nofile.psh"], [""], ["--", "--help"], ["--faults", "bogus", "-e", "print 1"], ["--faults=bogus", "-e", "print 1"],
    ["-m", "nomodel", "hi"], ["-m", "", "hi"], ["-m", "sim/nope", "hi"], ["-m", "nowhere/x", "hi"], ["-m", "openai/x", "hi"],
    ["-m", "sim/fast", "nofile.psh"], ["-m", "sim/fast"], ["-m", "sim/fast", ""], ["-m", "sim/fast", " ", "\n"], [""], ["check"],
    ["check", "nofile.psh"], ["check", "--nonsense"], ["fmt"],
    ["fmt", "nofile.psh"], ["help", "nosuch"], ["simulate", "--port", "99999"], ["simulate", "--port", "x"], ["simulate", "x"],
    ["simulate", "--faults", "bogus"], ["simulate", "--rpm", "0"], ["run", "--nonsense"], ["run", "nofile.psh"], ["-e", "print ("],
  ]

  @Test(arguments: misuses) func misuseIsTwo(_ arguments: [String]) async throws {
    let result = try await Program.run(arguments)
    #expect(result.status == 2 && result.output == "" && !result.errors.isEmpty, "\(result)")
  }

  static let told: [(arguments: [String], says: [String])] = [
    (["--help"], ["-m, --model", "-e TEXT", "--faults", "SUBCOMMANDS", "check", "simulate", "Exit status"]),
    (["-h"], ["SUBCOMMANDS"]), (["run", "--help"], ["-e <TEXT>", "-m, --model", "--faults"]), (["help", "run"], ["-m, --model"]),
    (["-e", "x", "--help"], ["-m, --model"]), (["check", "--help"], ["Scripts"]), (["help", "simulate"], ["--port", "--faults"]),
    (["--version"], ["promptsh "]), (["help", "map"], ["map items"]), (["reference"], ["## "]),
    (["--generate-completion-script", "bash"], ["--model", "simulate"]), (["--generate-completion-script", "zsh"], ["#compdef promptsh"]),
    (["--generate-completion-script", "fish"], ["promptsh"]),
  ]

  @Test(arguments: told) func helps(_ arguments: [String], _ says: [String]) async throws {
    let result = try await Program.run(arguments)
    #expect(result.status == 0 && result.errors == "", "\(result)")
    for words in says { #expect(result.output.contains(words), "\(words)") }
  }

  /// The simulator says the same to the same prompt: what was sent is told by what comes back.
  private func reply(to prompt: String) async throws -> String {
    let result = try await Program.run(["-e", "print (ask args[0]).text", "--", prompt], environment: ["PROMPTSH_MODEL": "sim/fast"])
    #expect(result.status == 0)
    return result.output
  }

  @Test func wordsAreOnePrompt() async throws {
    let result = try await Program.run(["-m", "sim/fast", "Write {it} and {nobody} \"so\"."])
    let expected = try await reply(to: "Write {it} and {nobody} \"so\".")
    #expect(result.status == 0 && result.output == expected, "\(result)")
    let several = try await Program.run(["--model", "sim/fast", "Write", "it", "--so"])
    #expect(try await several.output == reply(to: "Write it --so"))
    let dashed = try await Program.run(["-m", "sim/fast", "--", "--so"])
    #expect(try await dashed.output == reply(to: "--so"))
    // A word that names a subcommand, or a folder, is a word.
    #expect(try await Program.run(["-m", "sim/fast", "check"]).output == reply(to: "check"))
    #expect(try await Program.run(["-m", "sim/fast", "/tmp"]).output == reply(to: "/tmp"))
  }

  @Test func whatIsPipedStandsBeforeTheWords() async throws {
    let piped = "line {one}\nline two\n\n"
    let result = try await Program.run(["-m", "sim/fast", "Summarise."], input: piped)
    let expected = try await reply(to: "line {one}\nline two\n\nSummarise.")
    #expect(result.status == 0 && result.output == expected, "\(result)")
    let alone = try await Program.run(["-m", "sim/fast"], input: piped)
    #expect(try await alone.output == reply(to: "line {one}\nline two"))
    #expect(try await Program.run(["-m", "sim/fast", "x"], input: "\n").output == reply(to: "x"))
  }

  @Test func aFileIsAScriptWithThatModel() async throws {
    let script = "let a = ask \"hello\"\nprint a.model args\n"
    let folder = try folder(["s.psh": script, "plain": script])
    for name in ["s.psh", "plain"] {
      let result = try await Program.run(["-m", "sim/fast", "\(folder.path)/\(name)"], input: "unread")
      #expect(result.output == "sim/fast []\n", "\(result)")
    }
    #expect(try await Program.run(["-m", "sim/fast", "\(folder.path)/s.psh", "a"]).output == "sim/fast [\"a\"]\n")
    #expect(try await Program.run(["-m", "sim/fast", "-"], input: script).output == "sim/fast []\n")
    #expect(try await Program.run(["-m", "sim/fast", "-e", script]).output == "sim/fast []\n")
  }

  @Test func aPromptThatFailedIsThree() async throws {
    let result = try await Program.run(["--faults", "500=1", "-m", "sim/flaky", "-e", "set retries 0", "-e", "ask \"x\""])
    #expect(result.status == 3)
  }
}
