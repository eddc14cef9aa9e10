import Terminal
import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The places where something from outside is shown, as they stand in the code, one by one: arguments and environment, names and contents
/// of files, a server's words, what is typed, and who attaches. Each with every class of characters that could do harm; what the program
/// wrote is read from a pseudo-terminal. `GuardTests` has the values themselves, the menus and the pager.
@Suite(.serialized) struct PlacesTests {
  private static let evil = GuardTests.evil
  private static let json = GuardTests.json

  struct Place: Sendable, CustomTestStringConvertible {
    var name: String
    var arguments: [String] = []
    var variables: [String: String] = [:]
    var files: [String: String] = [:]
    /// Something of it is shown behind these words; nil for what is told without it.
    var shows: String? = "MARK"
    /// What is shown is a text, which may have lines of its own, and no name.
    var isText = false
    var testDescription: String { name }
  }

  /// What stands for what comes from outside.
  private static let mark = "MARK\(evil)"

  // MARK: one run

  private static let commandLine: [Place] = [
    Place(name: "an option", arguments: ["--\(mark)"]),
    Place(name: "an option of a subcommand", arguments: ["attach", "--\(mark)"]),
    Place(name: "a value of an option", arguments: ["simulate", "--port", mark]),
    Place(name: "a model", arguments: ["-m", mark, "x"]),
    Place(name: "a provider", arguments: ["-m", "\(mark)/x", "x"]),
    Place(name: "a simulated model", arguments: ["-m", "sim/\(mark)", "x"]),
    Place(name: "faults", arguments: ["--faults", mark]),
    Place(name: "a script that is not there", arguments: [mark]),
    Place(name: "a script's name in an error", arguments: [mark], files: [mark: "let x = = 1\n"]),
    Place(name: "a script's text in an error", arguments: ["s.psh"], files: ["s.psh": "let x = = \"\(mark)\"\n"], isText: true),
    Place(name: "a text", arguments: ["-e", "let x = = \"\(mark)\""], isText: true),
    Place(name: "an argument of a script", arguments: ["-e", "print args[0]", mark], isText: true),
    Place(name: "a file to check", arguments: ["check", mark]),
    Place(name: "a text to check", arguments: ["check", "s.psh"], files: ["s.psh": "let x = = \"\(mark)\"\n"], isText: true),
    Place(name: "a file to lay out", arguments: ["fmt", "--check", mark], files: [mark: "let   x=1\n"]),
    Place(name: "a text laid out", arguments: ["fmt", "-"], files: ["input": "print   '\(mark)'\n"], isText: true),
    Place(name: "a topic", arguments: ["help", mark]),
    Place(name: "a session", arguments: ["attach", mark]),
    Place(name: "a socket", arguments: ["attach", "./\(mark)", "-e", "jobs"]),
    Place(name: "a place for a socket", arguments: ["--control", "./no/\(mark)", "-e", "let r = map 1..2 \"x\" --model sim/fast"]),
    Place(name: "a shell for completions", arguments: ["--generate-completion-script", mark], shows: nil),
    Place(name: "no command", arguments: ["-e", "MARK\(GuardTests.unseen) 1"]),
    Place(name: "a file to load", arguments: ["-e", "load args[0]", mark]),
    Place(name: "a file to save", arguments: ["-e", "save [1] args[0]", "no/\(mark)"]),
    Place(name: "rows saved to a terminal", arguments: ["-e", "[args[0]] | save - --format txt", mark], isText: true),
    Place(name: "a value", arguments: ["-e", "args[0]", mark], isText: true),
    Place(name: "raw", arguments: ["-e", "print args[0] --raw", mark], isText: true),
    Place(name: "a pattern", arguments: ["-e", "print \"x\" matches args[0]", "(\(mark)"]),
    Place(name: "a header", arguments: ["-e", "set headers {\"\(mark)\": \"x\"}"]),
    Place(name: "a member", arguments: ["-e", "set request {\"\(mark)\": 1}\nset request"]),
    Place(name: "a rule that breaks", arguments: ["-e", "let t = [{a: args[0]}] | where number(a) > 1", mark], shows: nil),
    Place(name: "a job", arguments: ["-e", "log args[0] &\nstream \"x\" --model sim/fast\ngather", mark], isText: true),
    Place(name: "a log", arguments: ["-e", "log args[0]", mark], isText: true),
    Place(name: "a regular program's status", arguments: ["-e", "set strict on\n!exit 3 # '\(mark)'"], shows: nil),
  ]

  private static let environment: [Place] = [
    Place(name: "PROMPTSH_MODEL", arguments: ["-e", "ask \"x\""], variables: ["PROMPTSH_MODEL": "\(mark)/x"]),
    Place(name: "OPENAI_MODEL", arguments: ["-e", "set model"], variables: ["OPENAI_MODEL": mark, "OPENAI_API_KEY": "k"]),
    Place(name: "an address", arguments: ["-e", "use\nask \"x\""], variables: ["OPENAI_BASE_URL": mark]),
    Place(
      name: "an address that is none", arguments: ["-e", "use\nask \"x\" --retries 0"], variables: ["OPENAI_BASE_URL": "http://\(mark)/v1"]),
    Place(
      name: "a plain address elsewhere", arguments: ["-e", "print 1"],
      variables: ["OPENAI_BASE_URL": "http://example.invalid/\(mark)", "OPENAI_API_KEY": "k"]),
    Place(name: "a key", arguments: ["-e", "ask \"x\" --model openai/m"], variables: ["OPENAI_API_KEY": mark], shows: nil),
    Place(
      name: "a proxy", arguments: ["-e", "ask \"x\" --model openai/m --retries 0"],
      variables: ["OPENAI_API_KEY": "k", "https_proxy": "http://\(mark)"], shows: nil),
    Place(
      name: "certificates", arguments: ["-e", "ask \"x\" --model openai/m --retries 0"],
      variables: ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://127.0.0.1:PORT/v1", "SSL_CERT_FILE": mark]),
    Place(
      name: "a folder for sockets", arguments: ["-e", "let r = map 1..2 \"x\" --model sim/fast"],
      variables: ["XDG_RUNTIME_DIR": "FOLDER/\(mark)"], shows: nil),
    Place(name: "a variable", arguments: ["-e", "print env(\"OUTSIDE\")"], variables: ["OUTSIDE": mark], isText: true),
    Place(name: "a key's variable", arguments: ["-e", "use http://127.0.0.1:1 --key-env \"\(mark)\""]),
    Place(name: "TERM", arguments: ["-e", "print 1"], variables: ["TERM": mark], shows: nil),
    Place(name: "the time zone", arguments: ["-e", "print timestamp()\nset concurrency 3\nwhy"], variables: ["TZ": mark], shows: nil),
    Place(
      name: "what a signal left", arguments: ["-e", "print 1"], variables: ["XDG_STATE_HOME": "FOLDER/\(mark)"],
      files: ["\(mark)/promptsh/recovered/\(mark).jsonl": "{}\n"]),
  ]

  private static let contents: [Place] = [
    Place(
      name: "columns", arguments: ["-e", "let t = load \"d.csv\"\nt\nt | table --wide\nshow t[0]\nvars\nprint t[0]"],
      files: ["d.csv": "\"\(mark)\",b\n\"\(mark)\",2\n"]),
    Place(name: "a bad row", arguments: ["-e", "load \"d.jsonl\""], files: ["d.jsonl": "{\"a\": \"\(mark)\n"], shows: nil),
    Place(
      name: "bad rows passed over", arguments: ["-e", "load \"d.jsonl\" --lenient"],
      files: ["d.jsonl": "{\"a\": 1}\n\(mark)\n{\"\(mark)\"\n"], shows: nil),
    Place(
      name: "a cell of another type", arguments: ["-e", "load \"d.csv\""],
      files: ["d.csv": "a\n1\n" + String(repeating: "1\n", count: 200_000) + "\"\(mark)\"\n"], shows: nil),
    Place(name: "a bad document", arguments: ["-e", "load \"d.json\""], files: ["d.json": "{\"a\": \(mark)}"], shows: nil),
    Place(name: "an import", arguments: ["-e", "import \"i.psh\""], files: ["i.psh": "let x = = '\(mark)'\n"]),
    Place(name: "an import that fails", arguments: ["-e", "import \"i.psh\""], files: ["i.psh": "load '\(mark)'\n"]),
    Place(
      name: "parameters of a sweep", arguments: ["-e", "let r = map load(\"d.jsonl\") \"x\" --model sim/fast\nr\nr[0].input"],
      files: ["d.jsonl": "{\(json(mark)): \(json(mark))}\n"], shows: nil),
  ]

  /// What a server may say; the prompt says which.
  private static let words: [Place] = [
    "error", "string", "detail", "event", "finish", "redirect", "type", "binary", "reason", "model", "retry", "refusal", "limits", "shut",
  ].map { word in
    Place(
      name: "a server's \(word)",
      arguments: [
        "-e",
        """
        set retries 0
        set max-wait 1s
        on end { log event.reply.error event.reply.text }
        let r = map ["\(word)"] "{it}" --model openai/m
        r
        show r[0]
        r[0].reasoning
        print errors(r)
        stream "\(word)" --model openai/m
        together { ask "\(word)" --model openai/m ; ask "\(word)" --model openai/m }
        why
        jobs
        """,
      ],
      variables: ["OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:PORT/v1"],
      shows: ["error", "string", "detail", "event", "finish", "redirect", "reason", "refusal"].contains(word) ? "MARK" : nil)
  }

  private static func server(_ mark: String) throws -> RawServer {
    try RawServer { connection, _ in
      func reply(_ status: String, _ type: String, _ body: String, _ headers: String = "") {
        connection.send(
          "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
      func stream(_ delta: String, _ finish: String = "\"stop\"", model: String = "m") {
        reply(
          "200 OK", "text/event-stream",
          "data: {\"model\": \(json(model)), \"choices\": [{\"delta\": {\(delta)}}]}\n\n"
            + "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \(finish)}]}\n\ndata: [DONE]\n\n")
      }
      while let request = connection.request() {
        func asks(_ word: String) -> Bool { request.contains("\"content\":\"\(word)\"") }
        // A reply may have lines of its own.
        let words = mark.replacing("\n", with: " ")
        let text = "\"content\": \(json(words))"
        // Header lines hold no line ends and no NUL; everything else goes.
        let line = mark.replacing("\n", with: "")
        if request.hasPrefix("GET") {
          reply("200 OK", "application/json", "{\"data\": [{\"id\": \(json(mark))}]}")
        } else if asks("error") {
          reply(
            "400 \(line)", "application/json", "{\"error\": {\"message\": \(json(mark)), \"type\": \(json(mark)), \"code\": \(json(mark))}}"
          )
        } else if asks("string") {
          reply("500 No", "text/plain", mark)
        } else if asks("detail") {
          reply("422 No", "application/json", "{\"detail\": [{\"loc\": [\(json(mark))], \"msg\": \(json(mark)), \"type\": \(json(mark))}]}")
        } else if asks("event") {
          reply("200 OK", "text/event-stream", "event: error\ndata: {\"message\": \(json(mark))}\n\n")
        } else if asks("finish") {
          stream(text, json(mark))
        } else if asks("redirect") {
          reply("302 Found", "text/html", "", "Location: http://127.0.0.1/\(line)\r\n")
        } else if asks("type") {
          reply("200 OK", "text/html", "<html>\(mark)</html>")
        } else if asks("binary") {
          reply("200 OK", line, "\u{0}\u{1}\(mark)")
        } else if asks("reason") {
          stream("\"reasoning_content\": \(json(words)), \(text)")
        } else if asks("model") {
          stream(text, model: mark)
        } else if asks("retry") {
          reply(
            "429 Slow", "application/json", "{\"error\": {\"message\": \(json(mark))}}", "Retry-After: \(line)\r\nX-Request-Id: \(line)\r\n"
          )
        } else if asks("refusal") {
          stream("\"refusal\": \(json(words))")
        } else if asks("limits") {
          reply(
            "200 OK", "application/json", "{\"choices\":[{\"message\":{\"content\":\"fine\"},\"finish_reason\":\"stop\"}]}",
            "x-ratelimit-limit-requests: \(line)\r\nx-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: \(line)\r\n")
        } else {
          reply("429 Slow", "application/json", "{\"error\": {\"message\": \(json(mark))}}", "Retry-After: 300\r\n")
        }
      }
    }
  }

  @Test(arguments: commandLine + environment + contents + words) func aPlace(_ place: Place) async throws {
    let output = try await Self.shown(at: place, Self.mark)
    GuardTests.check(Array(output.utf8), place.name)
    if let shows = place.shows { #expect(output.contains(shows), "\(place.name): \(output.debugDescription)") }
  }

  private static let names = (commandLine + environment + contents + words).filter { !$0.isText }

  /// A line feed in a name makes no second line, which would look like a message of ours.
  @Test(arguments: names) func aNameIsOnOneLine(_ place: Place) async throws {
    var place = place
    func forged(_ text: String) -> String {
      text.replacing(Self.evil, with: "\nFORGED").replacing(Self.json(Self.evil).dropFirst().dropLast(), with: "\\nFORGED")
    }
    place.arguments = place.arguments.map(forged)
    place.variables = place.variables.mapValues(forged)
    place.files = Dictionary(uniqueKeysWithValues: place.files.map { (forged($0.key), forged($0.value)) })
    let output = try await Self.shown(at: place, "MARK\nFORGED")
    let lines = output.split(whereSeparator: \.isNewline)
    #expect(!lines.contains { $0.hasPrefix("FORGED") }, "\(place.name): \(output.debugDescription)")
    if let shows = place.shows { #expect(output.contains(shows), "\(place.name): \(output.debugDescription)") }
  }

  /// - Parameter mark: what the server's words hold.
  private static func shown(at place: Place, _ mark: String) async throws -> String {
    let folder = try Scratch()
    let server = try server(mark)
    for (name, text) in place.files {
      var path = folder.path
      for part in name.split(separator: "/").dropLast() {
        path += "/" + part
        mkdir(path, 0o700)
      }
      try folder.write(name, text)
    }
    func real(_ text: String) -> String { text.replacing("PORT", with: "\(server.port)").replacing("FOLDER", with: folder.path) }
    let isFed = place.files["input"] != nil
    let terminal = try PseudoTerminal(
      isFed ? "/bin/sh" : Pane.program, isFed ? ["-c", "exec \"$0\" \"$@\" < input", Pane.program] + place.arguments : place.arguments,
      environment: place.variables.mapValues(real), folder: folder.path, columns: 300)
    _ = try await terminal.end()
    return try await terminal.rest()
  }

  // MARK: the prompt

  /// What is typed or pasted, and what is shown of it while something runs; who attaches; other programs.
  private static let lines: [String] = [
    "use http://127.0.0.1:1/\(mark) --as other", "use", "set system '\(mark)'", "set system", "unset system", "set stop ['\(mark)']",
    "set stop",
    "unset stop", "set prompt '\(mark) {model} psh openai/>'", "unset prompt", "set model 'openai/\(mark)'", "help '\(mark)'",
    "let r = map ['\(mark)'] 'fail {it}'", "r", "show r[0]", "retry r", "history", "vars", "jobs", "why",
    "let name\u{200D}x = 1", "name\u{FEFF}", "print '\(mark)' --raw", "throw '\(mark)'", "import '\(mark)'", "load '\(mark)'",
    "save r 'no/\(mark)'", "stream '\(mark)' &", "gather", "edit '\(mark)'",
  ]

  @Test func atThePrompt() async throws {
    let folder = try Scratch()
    let server = try Self.server(Self.mark)
    for name in [".config", ".config/promptsh"] { mkdir(folder.path + "/" + name, 0o700) }
    try folder.write(".config/promptsh/init.psh", "log '\(Self.mark)'\nlet x = nobody('\(Self.mark)')\n")
    try folder.write(".editrc", "bind \"\(Self.mark)\" \(Self.mark)\n\(Self.mark)\n")
    let terminal = try PseudoTerminal(
      Pane.program,
      environment: [
        "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url, "OPENAI_MODEL": Self.mark, "EDITOR": "false '\(Self.mark)'", "PAGER": "cat",
        "XDG_RUNTIME_DIR": folder.path,
      ], folder: folder.path, columns: 300)
    // What is sent before the prompt has the terminal is echoed by the system; from here on it stays ours.
    try await terminal.wait("the prompt") { $0.contains("\u{1B}[?2004h") }
    var length = try await terminal.wait(for: "MARK")
    var number = 0
    func enter(_ line: String) async throws {
      terminal.send(bytes: Array("\u{1B}[200~".utf8) + Array(line.utf8) + Array("\u{1B}[201~".utf8) + [0x0D])
      // A word that nothing else says: jobs are told to be done too.
      number += 1
      terminal.type("log 'line-' + '\(number).'\r")
      length = try await terminal.wait(for: "line-\(number).", after: length)
    }
    for line in Self.lines { try await enter(line) }
    // Typed ahead, while a job waits for a server; a job's name, and who attaches and says why.
    let pasted = Array("\u{1B}[200~log '\(Self.mark)'\u{1B}[201~\r".utf8)
    terminal.type("set max-wait 1000s; set retries 4; let big = map ['shut', 'x'] \"{it}\"\r")
    length = try await terminal.wait(for: "in flight of", after: length)
    terminal.send(bytes: pasted)
    length = try await terminal.wait(for: "then: ", after: length)
    let board = try PseudoTerminal(
      Pane.program, ["attach", "\(terminal.process)", "--why", Self.mark], environment: ["XDG_RUNTIME_DIR": folder.path],
      folder: folder.path, columns: 300)
    try await board.wait(for: "in flight of")
    for line in ["set concurrency 3", "why", "vars", "jobs", "peek '\(Self.mark)'", "set model '\(Self.mark)'"] {
      board.send(bytes: Array("\u{1B}[200~".utf8) + Array(line.utf8) + Array("\u{1B}[201~".utf8) + [0x0D])
    }
    try await board.wait(for: "does not steer")
    board.type("\u{4}")
    #expect(try await board.end() == 0)
    let attached = try await board.rest()
    GuardTests.check(Array(attached.utf8), "the board")
    #expect(attached.contains("MARK"))
    terminal.signal(SIGTERM)
    #expect(try await terminal.end() == 128 + SIGTERM)
    GuardTests.check(Array(try await terminal.rest().utf8), "the prompt")
  }
}
