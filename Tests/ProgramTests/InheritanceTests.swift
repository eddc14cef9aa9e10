import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the program was started with: signals, limits, descriptors, folders, and names that are not text.
@Suite struct InheritanceTests {
  /// A shell that sets the stage and then runs the program: `$0` is its path.
  private func shell(_ text: String, _ environment: [String: String] = [:]) async throws -> Program.Result {
    try await Program.run(["-c", text, Program.path], environment: environment, program: "/bin/sh")
  }

  @Test func childrenGetTheUsersLimitOfOpenFiles() async throws {
    let result = try await shell("ulimit -S -n 512; exec \"$0\" -e '!ulimit -n'")
    #expect(result.output == "512\n" && result.status == 0, "\(result.errors)")
  }

  @Test func whatIsIgnoredAtTheStartStaysSo() async throws {
    let script = "!kill -HUP $PPID\nprint \"alive\"\n!kill -HUP $$; echo child alive"
    let ignoring = try await shell("trap '' HUP; exec \"$0\" -e '\(script)'")
    #expect(ignoring.output.split(separator: "\n").sorted() == ["alive", "child alive"] && ignoring.status == 0, "\(ignoring.errors)")
    let usual = try await shell("exec \"$0\" -e '!kill -HUP $$; echo child alive'")
    #expect(!usual.output.contains("alive"))
  }

  @Test func closedDescriptorsTakeNoFile() async throws {
    let folder = try Scratch()
    let script = "save [{a: 1}] \"\(folder.path)/rows.jsonl\"\nprint \"lost\""
    let result = try await shell("exec \"$0\" -e '\(script)' <&- >&- 2>&-")
    #expect(result.status == 0)
    #expect(folder.read("rows.jsonl") == "{\"a\":1}\n")
  }

  @Test func relativeFoldersAreNotSet() async throws {
    let folder = try Scratch()
    for name in ["conf/promptsh", "rel/.config/promptsh"] {
      mkdir(folder.path + "/" + name.split(separator: "/")[0], 0o700)
      if name.hasPrefix("rel") { mkdir(folder.path + "/rel/.config", 0o700) }
      mkdir(folder.path + "/" + name, 0o700)
      try folder.write(name + "/init.psh", "print \"HIJA\" + \"CKED\"\n")
    }
    for variables in [["XDG_CONFIG_HOME": "conf"], ["HOME": "rel"], ["XDG_STATE_HOME": "promptsh-test-state"]] {
      let terminal = try PseudoTerminal(Program.path, environment: variables, folder: folder.path)
      try await terminal.wait(for: "> ")
      terminal.type("exit\r")
      #expect(try await terminal.end() == 0)
      #expect(!terminal.output.contains("HIJACKED"), "\(variables)")
      for (name, value) in variables {
        #expect(terminal.output.ranges(of: "\(name) is `\(value)`, no absolute path: it counts as not set").count == 1, "\(variables)")
      }
    }
    #expect(access("/promptsh-test-state", F_OK) != 0 && access("/rel", F_OK) != 0)
  }

  @Test func anEmptyConfigurationFolderIsNotSet() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/.config", 0o700)
    mkdir(folder.path + "/.config/promptsh", 0o700)
    try folder.write(".config/promptsh/init.psh", "print \"init was \" + \"run\"\n")
    let terminal = try PseudoTerminal(Program.path, environment: ["XDG_CONFIG_HOME": ""], folder: folder.path)
    try await terminal.wait(for: "init was run")
    try await terminal.wait(for: "> ")
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    // The state folder was made below the home that is there, and nothing above one that is not.
    #expect(access(folder.path + "/.local/state/promptsh", F_OK) == 0)
    let nowhere = try PseudoTerminal(Program.path, environment: ["HOME": folder.path + "/no/home"], folder: folder.path)
    try await nowhere.wait(for: "> ")
    nowhere.type("exit\r")
    #expect(try await nowhere.end() == 0)
    #expect(access(folder.path + "/no", F_OK) != 0)
  }

  /// What the user would wonder at is said once, at the start; empty variables are no news, nor is it anybody's but the prompt's.
  @Test func foldersThatCannotBeAreSaid() async throws {
    let folder = try Scratch()
    try folder.write("plain", "")
    let plain = folder.path + "/plain"
    let cases: [(variables: [String: String], said: String?)] = [
      (["XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""], nil),
      (["XDG_CONFIG_HOME": plain + "/below"], "there can be no \(plain)/below/promptsh/init.psh"),
      (["XDG_STATE_HOME": plain], "no history is kept: \(plain) is no folder"),
      (["XDG_STATE_HOME": plain + "/below"], "no history is kept: \(plain) is no folder"),
      (["HOME": ""], "no history is kept: neither XDG_STATE_HOME nor HOME names a folder for it"),
      (["HOME": folder.path + "/away"], "no history is kept: \(folder.path)/away is not there"),
    ]
    for (variables, said) in cases {
      let terminal = try PseudoTerminal(Program.path, environment: variables, folder: folder.path, columns: 400)
      try await terminal.wait(for: "> ")
      terminal.type("print \"~\"\rexit\r")
      #expect(try await terminal.end() == 0)
      let output = try await terminal.rest()
      if let said { #expect(output.ranges(of: said).count == 1, "\(variables): \(output)") }
      #expect(output.ranges(of: "no history").count + output.ranges(of: "there can be no").count == (said == nil ? 0 : 1), "\(output)")
    }
    let script = try await shell("\"$0\" -e 'print 1'", ["HOME": "", "XDG_CONFIG_HOME": "conf", "XDG_STATE_HOME": plain])
    #expect(script.output == "1\n" && script.errors == "", "\(script)")
    // A home that is none is not the root of everything.
    let saved = try await shell("cd '\(folder.path)'; \"$0\" -e 'save [1] \"~/promptsh-test.csv\"'", ["HOME": ""])
    #expect(saved.status != 0 && access("/promptsh-test.csv", F_OK) != 0, "\(saved)")
  }

  @Test func anInitFileThatCannotBeReadIsSaid() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/.config", 0o700)
    mkdir(folder.path + "/.config/promptsh", 0o700)
    mkdir(folder.path + "/.config/promptsh/init.psh", 0o700)
    let terminal = try PseudoTerminal(Program.path, folder: folder.path)
    try await terminal.wait(for: "init.psh: this is a directory: it was not run")
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
  }

  @Test func namesThatAreNotTextAreKept() async throws {
    let folder = try Scratch()
    // \351 is é in Latin 1, and no UTF-8.
    let script = "save [{a: 1}] args[0]\nlet rows = load args[0]\nprint len(rows)"
    let text = """
      cd '\(folder.path)'; name=$(printf 'caf\\351.jsonl'); printf '%s' '\(script)' > "$(printf 'scr\\351.psh')"
      "$0" "$(printf 'scr\\351.psh')" "$name" && ls | LC_ALL=C od -An -c | tr -d ' \\n'
      """
    let result = try await shell(text)
    #expect(result.output.hasPrefix("1\ncaf351.jsonl\\nscr351.psh") || result.output.hasPrefix("1\ncaf\\351.jsonl"), "\(result)")
  }

  @Test func namesThatAreNotTextAreShown() async throws {
    let result = try await shell("cd /tmp; name=$(printf 'no-caf\\351'); \"$0\" \"$name\"; \"$0\" -e 'load args[0]' \"$name.csv\"")
    #expect(result.errors.contains("error: no-caf\\xE9: No such file"), "\(result)")
    #expect(result.errors.contains("error: no-caf\\xE9.csv: No such file"), "\(result)")
  }

  @Test func theEditorGetsThePathAsAnArgument() async throws {
    let folder = try Scratch()
    // A folder whose name would be read as shell text.
    let odd = folder.path + "/it's $(touch hacked)"
    mkdir(odd, 0o700)
    try folder.write("editor", "#!/bin/sh\nprintf 'print 40 + 2' > \"$1\"\n")
    chmod(folder.path + "/editor", 0o755)
    let terminal = try PseudoTerminal(
      Program.path, environment: ["EDITOR": folder.path + "/editor", "TMPDIR": odd], folder: folder.path)
    try await terminal.wait(for: "> ")
    terminal.type("edit\r")
    let length = try await terminal.wait(for: "print")
    terminal.type("\r")
    try await terminal.wait(for: "42", after: length)
    terminal.type("exit\r")
    #expect(try await terminal.end() == 0)
    #expect(access(folder.path + "/hacked", F_OK) != 0)
  }

  @Test func importsAreLookedForBesideTheFile() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/real", 0o700)
    mkdir(folder.path + "/links", 0o700)
    try folder.write("real/lib.psh", "def twice(x) { return x * 2 }\n")
    try folder.write("real/main.psh", "import \"lib.psh\"\nprint twice(21)\n")
    symlink("../real/main.psh", folder.path + "/links/main.psh")
    let result = try await Program.run([folder.path + "/links/main.psh"])
    #expect(result.output == "42\n", "\(result.errors)")
  }

  @Test func aCycleOfImportsIsFoundByTheFile() async throws {
    let folder = try Scratch()
    mkdir(folder.path + "/a", 0o700)
    mkdir(folder.path + "/b", 0o700)
    try folder.write("a/one.psh", "import \"../b/two.psh\"\n")
    try folder.write("b/two.psh", "import \"../a/other.psh\"\n")
    symlink("one.psh", folder.path + "/a/other.psh")
    let result = try await Program.run([folder.path + "/a/one.psh"])
    #expect(result.status == 1 || result.status == 2)
    #expect(result.errors.contains("a cycle") && result.errors.utf8.count < 1000, "\(result.errors)")
  }
}
