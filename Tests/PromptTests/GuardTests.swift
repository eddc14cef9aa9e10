import Terminal
import TestSupport
import Testing

/// Whatever comes from outside, wherever it is shown: nobody writes to the terminal but us.
@Suite struct GuardTests {
  /// One of every class: OSC 52 (writes the clipboard), C1, DEL, marks that turn the direction, what cannot be seen, line ends that are
  /// none.
  private static let classes = [
    "\u{1B}]52;c;ZXZpbA==\u{7}", "\u{9B}2J\u{85}\u{90}q\u{9C}", "\u{7F}", "\u{8}\u{8}", "\u{202E}", "\u{2066}", "\u{200B}", "\u{200F}",
    "\u{61C}", "\u{FEFF}",
    "\u{AD}",
    "\u{2028}", "\u{2029}", "\u{200E}", "\u{202A}", "\u{2069}", "\u{2060}", "\u{180E}", "\u{E0001}", "\u{E0041}", "\u{FE0F}\u{FE0F}",
    "a\u{200D}b",
  ]
  static let evil = classes.joined()
  /// Names of files with control characters are no choices at all.
  static let unseen = classes.dropFirst(4).joined()
  private static let shown = ControlGuard.clean(evil)

  static func json(_ text: String) -> String {
    "\"" + text.utf16.map { "\\u" + String(repeating: "0", count: 4 - String($0, radix: 16).count) + String($0, radix: 16) }.joined() + "\""
  }

  /// A server whose every word is one that writes to terminals.
  private static func server() throws -> RawServer {
    try RawServer { connection, _ in
      while let request = connection.request() {
        let body: String
        var kind = "application/json"
        if request.hasPrefix("GET") {
          body = "{\"data\": [{\"id\": \(json("m01" + evil))}, {\"id\": \(json("m02" + evil))}, {\"id\": \"plain\"}]}"
        } else if request.contains("fail") {
          let failure = "{\"error\": {\"message\": \(json("m03" + evil)), \"type\": \(json("m04" + evil))}}"
          connection.send(
            "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: \(failure.utf8.count)\r\n\r\n\(failure)")
          continue
        } else {
          kind = "text/event-stream"
          body =
            "data: {\"choices\": [{\"delta\": {\"content\": \(json("m05" + evil))}}]}\n\n"
            + "data: {\"choices\": [{\"delta\": {\"reasoning_content\": \(json("m06" + evil))}}]}\n\n"
            + "data: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n"
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: \(kind)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
      }
    }
  }

  @Test func nobodyWritesToTheTerminalButUs() async throws {
    let server = try Self.server()
    let evil = Self.evil
    let history = "\"let past = 'm07\(evil)'\"\n"
    let pane = try await Pane(
      columns: 400, rows: 50,
      environment: [
        "OPENAI_API_KEY": "x", "OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "m08\(evil)", "OUTSIDE": "m09\(evil)", "PAGER": "cat",
      ], shell: true,
      files: [
        ".local/state/promptsh/history": history, "data.jsonl": "{\"a\": \(Self.json("m10" + evil)), \(Self.json("m11" + evil)): 1}\n",
        "m12\(Self.unseen)": "x", "print.psh": "print 'm13\(evil)'\n", "lines.psh": "let x = = \"m14\(evil)\"\n",
        ".config/promptsh/init.psh": "log 'm15\(evil)'\n",
      ])
    try await pane.wait("the shell") { $0.last?.hasPrefix("$") == true }
    pane.record()
    await pane.enter(
      "clear; $PSH print.psh; $PSH lines.psh; $PSH 'm16'$'\\e]52;c;eA==\\a\\u202e'; $PSH -e 'print args[0]' 'm17'$'\\e]52;c;eA==\\a\\u202e'"
    )
    try await pane.wait(for: "m17")
    await pane.enter("clear; $PSH")
    func prompt() async throws {
      try await pane.wait("a prompt") { $0.last?.contains("openai/") == true && $0.last?.hasSuffix(">") == true }
    }
    func enter(_ line: String) async throws {
      // Typed, an escape sequence would be none of the line's text.
      if line.contains("\u{1B}") { try await pane.paste(line) } else { await pane.type(line) }
      await pane.press("Enter")
      await pane.enter("log 'done'")
      try await pane.wait("done") { $0.contains("done") }
      await pane.enter("!clear")
      try await pane.wait("a clear screen") { !$0.contains("done") }
      try await prompt()
    }
    try await prompt()
    // The hint of the history, and the entry itself.
    await pane.type("let pa")
    try await pane.wait(for: "m07")
    await pane.press("C-e")
    try await pane.wait(for: "m07")
    await pane.press("C-c")
    try await prompt()
    // What is pasted.
    try await pane.paste("# m18\(evil)")
    try await pane.wait(for: "m18")
    await pane.press("C-c")
    try await prompt()
    // Models and files as choices.
    await pane.type("set model openai/")
    await pane.press("Tab")
    try await pane.wait(for: "m02")
    await pane.press("C-c")
    try await prompt()
    await pane.type("load \"m1")
    await pane.press("Tab")
    try await pane.wait(for: "m12")
    await pane.press("C-c")
    try await prompt()
    for line in [
      "models", "use", "print env('OUTSIDE')", "log env('OUTSIDE')", "env('OUTSIDE')", "[env('OUTSIDE')]", "{a: env('OUTSIDE')}",
      "show {a: env('OUTSIDE')}", "load 'data.jsonl'", "load 'data.jsonl' | table", "load 'data.jsonl' | table --wide",
      "load env('OUTSIDE')",
      "import 'm19\(evil)'", "stream 'hi'", "ask 'hi'", "show (ask 'hi')", "let r = map 1..2 'hi {it}'", "r", "show r[0]", "r[0].reasoning",
      "stream map ['m20a', 'm20b'] 'hi {it}'", "ask 'fail'", "let f = map 1..2 'fail {it}'", "f",
      "let j = map [env('OUTSIDE')] 'hi {it}' &",
      "gather j", "stream 'm21\(evil)' &", "jobs", "why", "vars", "history", "set", "set prompt 'm22\(evil)psh openai/ >'", "unset prompt",
      "set system 'm23\(evil)'", "set system", "unset system", "m24\(evil)", "on end { log event.reply.text }", "ask 'hi'", "off end",
      "watch (1..2 | where false)", "chat 'm25\(evil)'", "chat", "!printf 'end\\n'",
    ] {
      // `watch` waits for a key.
      if line.hasPrefix("watch") {
        await pane.enter(line)
        try await pane.wait(for: "any key")
        await pane.type("q")
        try await prompt()
      } else {
        try await enter(line)
      }
    }
    await pane.enter("log 'recorded' + '-all'")
    let bytes = try await pane.recorded(with: "recorded-all")
    Self.check(bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    for number in 1...25 {
      let mark = number < 10 ? "m0\(number)" : "m\(number)"
      // m04, the type of an error, is not shown; 16, 17 and 20 carry less.
      if number == 4 { continue }
      // Errors of servers and of the language have cleaned these already.
      if [3, 14, 24].contains(number) {
        #expect(text.contains(mark), "\(mark) was not shown")
        continue
      }
      let start = number == 20 ? "\(mark)a" : number == 12 ? "\(mark)\\u{202E}" : "\(mark)␛]52;c;"
      #expect(text.contains(start), "\(mark) was not shown")
    }
    await pane.close()
  }

  /// Only our own sequences, and no character that cannot be seen.
  static func check(_ bytes: [UInt8], _ place: String = "") {
    // The shell's own (bracketed paste, its clear) are among ours, but for these.
    let text = String(decoding: bytes, as: UTF8.self).replacing("\u{1B}[3J", with: "").replacing("\u{1B}[J", with: "").replacing(
      "\u{1B}[K", with: "")
    var rest = text.unicodeScalars[...]
    /// What stands before and behind, for whoever looks for the place.
    func around() -> String {
      let place = text.unicodeScalars[..<rest.startIndex].suffix(80) + rest.prefix(30)
      return String(String.UnicodeScalarView(place)).debugDescription
    }
    while let scalar = rest.popFirst() {
      switch scalar.value {
      case 0x1B:
        let sequence = String(String.UnicodeScalarView(rest.prefix { !$0.properties.isAlphabetic }))
        rest = rest.dropFirst(sequence.unicodeScalars.count)
        let final = rest.popFirst().map { String(Character($0)) } ?? ""
        let isOurs =
          switch final {
          case "m": ["[", "[0", "[1", "[2", "[7", "[31", "[32", "[33", "[34", "[35", "[36"].contains(sequence)
          case "A", "B", "C", "H": sequence.dropFirst().allSatisfy(\.isNumber) && sequence.first == "["
          case "K", "J": sequence == "[2"
          case "h", "l": ["[?2026", "[?2004", "[?25"].contains(sequence)
          default: false
          }
        #expect(isOurs, "\(place): ESC \(sequence)\(final) in \(around())")
      case 0x0A, 0x0D, 0x09: break
      // The shell rings where a completion is none; nothing is completed here.
      case 0..<0x20, 0x7F...0x9F: Issue.record("\(place): a control character: \(scalar.value) in \(around())")
      case 0xAD, 0x61C, 0x180E, 0x200B, 0x200E...0x200F, 0x2028...0x202E, 0x2060, 0x2066...0x2069, 0xFEFF, 0xE0000...0xE007F:
        Issue.record("\(place): cannot be seen: \(String(scalar.value, radix: 16)) in \(around())")
      default: break
      }
    }
  }
}
