import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Replies in variables outlive a signal: they are in files of the user's own, named at the end and at the next start.
@Suite struct RecoveredTests {
  private func names(_ folder: Scratch, _ below: String) -> [String] {
    var found: [String] = []
    guard let directory = opendir("\(folder.path)/\(below)") else { return [] }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if !name.hasPrefix(".") { found.append(name) }
    }
    return found.sorted()
  }

  @Test(arguments: [SIGTERM, SIGHUP])
  func aSignalTakesNoRepliesAlong(_ number: Int32) async throws {
    let folder = try Scratch()
    let environment = ["XDG_STATE_HOME": folder.path]
    // The second is saved, and the third is still running.
    let result = try await Program.run(
      [
        "-m", "sim/fast", "-e",
        "let q = map 1..2 \"say {it}\"; save q \"\(folder.path)/q.jsonl\"; let r = map 1..3 \"say {it}\"; map 1..500 \"{it}\" --model sim/story",
      ], environment: environment, interruptAfter: "r: 3 prompts", signals: [number])
    #expect(result.status == 128 + number, "\(result)")
    let files = names(folder, "promptsh/recovered")
    #expect(files.count == 1 && files[0].hasPrefix("r-"), "\(files)")
    let file = "promptsh/recovered/\(files.first ?? "")"
    #expect(folder.lines(file).count == 3)
    var status = stat()
    #expect(stat("\(folder.path)/\(file)", &status) == 0 && status.st_mode & 0o7777 == 0o600)
    #expect(stat("\(folder.path)/promptsh/recovered", &status) == 0 && status.st_mode & 0o7777 == 0o700)
    #expect(result.errors.contains("3 replies of `r` kept: load \"\(folder.path)/\(file)\""), "\(result.errors)")
    // The next start names it, once; and they are replies again.
    let next = try await Program.run(["-e", "load \"\(folder.path)/\(file)\" | where not failed | count"], environment: environment)
    #expect(next.output == "3\n" && next.errors.contains("load \"\(folder.path)/\(file)\""), "\(next)")
    let third = try await Program.run(["-e", "print 1"], environment: environment)
    #expect(third.errors.isEmpty, "\(third)")
  }

  /// Replies that only a running function's variables hold, and rows on their way into an expression, are no less paid for.
  @Test(arguments: [SIGTERM, SIGHUP])
  func whatIsUnderWay(_ number: Int32) async throws {
    let folder = try Scratch()
    let reviews = Atomic(0)
    let both = Opening()
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("review"), reviews.add(1, ordering: .relaxed).newValue == 2 { both.open() }
      // The last to be told of: the two others have been by then.
      if call.prompt.hasPrefix("draft 3") { both.wait() }
      if call.prompt.hasPrefix("draft") || call.prompt.hasPrefix("row") {
        call.answer("answer to \(call.prompt)")
      } else {
        // The rest is never answered.
        _ = call.connection.request()
        return false
      }
      return true
    }
    let script = """
      def refine(x) {
        let draft = ask "draft {x}"
        log "draft {x} is here"
        return ask "review {draft}"
      }
      let sizes = len((map ["row 1", "row 2", "stuck"] "{it}")) &
      for look in 1..5000 {
        if len(jobs | where done == "2/3") == 0 {
          !sleep 0.02
        }
      }
      each 1..3 refine
      """
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(
      ["-m", "openai/m", "-e", script], environment: environment, interruptAfter: "draft 3 is here", signals: [number])
    #expect(result.status == 128 + number, "\(result)")
    let files = names(folder, "promptsh/recovered")
    let drafts = files.first { $0.hasPrefix("refine.draft-") } ?? ""
    #expect(folder.lines("promptsh/recovered/\(drafts)").count == 3, "\(files) \(result)")
    let rows = files.first { $0.hasPrefix("rows-") || $0.hasPrefix("sizes-") } ?? ""
    let answered = folder.lines("promptsh/recovered/\(rows)").filter { $0.contains("answer to row") }
    #expect(answered.count == 2, "\(files) \(result)")
    #expect(result.errors.contains("3 replies of `refine.draft` kept: load "), "\(result.errors)")
  }

  /// What one part of a statement has brought, while another is still asked for.
  @Test(arguments: [
    ("let x = [(ask \"a 1\"), (ask \"stuck\")]", "x", 1), ("print (ask \"a 1\") + (ask \"stuck\")", "rows", 1),
    ("ask \"stuck {text((ask 'a 1'))}\"", "rows", 1), ("if (ask \"a 1\") != \"\" { ask \"stuck\" }", "rows", 1),
    ("let x = [(map 1..3 \"a {it}\"), (map 1..2 \"stuck {it}\")]", "x", 3),
    ("for r in (map 1..3 \"a {it}\") { ask \"stuck\" }", "r", 3), ("map 1..3 \"a {it}\" | sort text | map \"stuck {it}\"", "rows", 3),
    ("let q = {a: (ask \"a 1\"), list: [[(ask \"a 2\")]]}; ask \"stuck\"", "q", 2),
    ("def f(x) { return ask \"a {x}\" }; let z = [f(1), f(2), (ask \"stuck\")]", "z", 2),
    ("def f(x) { return [(ask \"a {x}\"), (ask \"stuck\")] }; each [1] f", "rows", 1),
  ])
  func whatAStatementHasInHand(_ script: String, _ name: String, _ count: Int) async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("a ") {
        call.answer("answer to \(call.prompt)")
        return true
      }
      // Everything before it has come; it waits for its next try from now on.
      call.refuse(429, headers: "Retry-After: 60\r\n")
      return true
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "on retry { log \"it is stuck\" }", "-e", script], environment: environment,
      interruptAfter: "it is stuck", signals: [SIGTERM])
    #expect(result.status == 128 + SIGTERM, "\(result)")
    let files = names(folder, "promptsh/recovered").filter { $0.hasPrefix("\(name)-") || $0.hasPrefix("_-") || $0.hasPrefix("f.") }
    let lines: [String] = files.flatMap { file -> [String] in folder.lines("promptsh/recovered/\(file)") }
    let texts = Set(lines.filter { $0.contains("\"text\":\"answer to") })
    #expect(texts.count == count, "\(files) \(result)")
  }

  /// What expressions of rows asked for, and keys that rows are put in order by: no row holds it, or not before it is done.
  @Test(arguments: [
    ("map 1..3 \"a {it}\" | add y (text((ask \"a y{input}\")) + text((ask \"stuck\")))", 6),
    ("map 1..3 \"a {it}\" | where (ask \"a y{input}\").text contains (ask \"stuck\").text", 6),
    ("map 1..3 \"a {it}\" | select y (len((ask \"a y{input}\").text)) z (ask \"stuck\")", 6),
    ("let y = ask \"a y\"; map 1..3 \"stuck {text((ask 'a z'))}\"", 2),
    ("map 1..3 \"a {it}\" | add y { let d = ask \"a y{input}\"; let e = ask \"stuck {d}\"; e }", 6),
    ("map 1..3 \"a {it}\" | add y { if (ask \"a y{input}\") != \"\" { ask \"stuck\" } }", 6),
    ("let v = map 1..3 \"a {it}\" | where (ask \"a y{input}\") contains \"a\" | sort text | map \"stuck\"", 6),
    ("let v = map 1..3 \"a {it}\" | sort (ask ([\"\", \"a x\", \"a y\", \"stuck\"][input]))", 5),
    ("let v = map 1..3 \"a {it}\" | group (text((ask ([\"\", \"a x\", \"a y\", \"stuck\"][input]))))", 5),
    ("let v = map 1..3 \"a {it}\" | summarize sum(len((ask ([\"\", \"a x\", \"a y\", \"stuck\"][input])).text))", 5),
  ])
  func whatRowsAskedFor(_ script: String, _ count: Int) async throws {
    let folder = try Scratch()
    let answered = Atomic(0)
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("a ") {
        answered.add(1, ordering: .relaxed)
        call.answer("answer to \(call.prompt)")
        return true
      }
      // One is told of when all that is answered has been; the others wait for the end.
      for _ in 0..<3000 where answered.load(ordering: .relaxed) < count { _ = Bell().wait(milliseconds: 5) }
      call.refuse(429, headers: "Retry-After: 60\r\n")
      return true
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "on retry { log \"it is stuck\" }", "-e", script], environment: environment,
      interruptAfter: "it is stuck", signals: [SIGTERM])
    #expect(result.status == 128 + SIGTERM, "\(result)")
    let files = names(folder, "promptsh/recovered")
    let text = files.flatMap { folder.lines("promptsh/recovered/\($0)") }.joined(separator: "\n")
    let found = Set(text.split(separator: "\":\"answer to ").dropFirst().map { $0.prefix { $0 != "\"" } })
    #expect(found.count == count, "\(files) \(result)")
  }

  /// What a statement had in hand when an error ended the script; one that is caught ends nothing.
  @Test(arguments: [
    ("let x = [(ask \"a 1\"), 1 / 0]", 1), ("def f(x) { let d = ask \"a {x}\"; return 1 / 0 }; let z = [(ask \"a 2\"), f(1)]", 2),
    ("timeout 8s { let x = [(ask \"a 1\"), (ask \"stuck\")] }", 1),
    ("for r in (map 1..3 \"a {it}\") { print 1 / 0 }", 3), ("map 1..3 \"a {it}\" | sort text | add q (1 / 0)", 3),
    ("let j = [(ask \"a 1\"), 1 / 0] &", 1),
    ("def f() { try { let x = [(ask \"a 1\"), 1 / 0] } catch e { print e.message } }; f(); print 1 / 0", 0),
  ])
  func whatAnErrorHadInHand(_ script: String, _ count: Int) async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("a ") { call.answer("answer to \(call.prompt)") } else { call.refuse(429, headers: "Retry-After: 60\r\n") }
      return true
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(["-m", "openai/m", "-e", script], environment: environment)
    #expect(result.status == 1, "\(result)")
    let files = names(folder, "promptsh/recovered")
    let text = files.flatMap { folder.lines("promptsh/recovered/\($0)") }.joined(separator: "\n")
    let found = Set(text.split(separator: "\":\"answer to ").dropFirst().map { $0.prefix { $0 != "\"" } })
    #expect(found.count == count, "\(files) \(result)")
  }

  /// A conversation is in no variable; it goes on from what was written down.
  @Test func conversationsToo() async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      call.answer("answer to \(call.prompt)")
      return true
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "chat \"one\"; chat \"two\" --in \"a/b\" --quiet; chat \"three\"; print 1 / 0"], environment: environment)
    #expect(result.status == 1, "\(result)")
    let files = names(folder, "promptsh/recovered")
    #expect(files.count == 2 && files[0].hasPrefix("chat-") && files[1].hasPrefix("chat.a_b-"), "\(files) \(result)")
    let line = "chat --from (load \"\(folder.path)/promptsh/recovered/\(files.first ?? "")\")"
    #expect(result.errors.contains("a conversation of 4 turns is kept: \(line)"), "\(result)")
    let named = "chat --in \"a/b\" --from (load \"\(folder.path)/promptsh/recovered/\(files.last ?? "")\")"
    #expect(result.errors.contains("a conversation of 2 turns is kept: \(named)"), "\(result)")
    let next = try await Program.run(
      ["-m", "openai/m", "-e", "\(line); chat \"four\" --quiet; print len((chat --quiet))"], environment: environment)
    #expect(next.output == "6\n", "\(next)")
  }

  /// Answers that what is cancelled was made for, or would replace.
  @Test(arguments: [
    ("let k = map 1..3 \"a {it}\" | map \"stuck {it}\"", 3), ("let r = map 1..3 \"a {it}\"; let r = map r \"stuck {it}\"", 3),
    ("let x = ask \"a 1\"; let x = ask \"stuck {x}\"", 1),
    ("let r = map 1..3 \"a {it}\"; def f(x) { return ask \"stuck {x}\" }; let r = each r f", 3),
    ("def f(x) { let d = ask \"a {x}\"; let d = ask \"stuck {d}\"; return d }; each 1..3 f | save \"/dev/null\" --format jsonl", 3),
    ("def f(x) { let x = ask \"a {x}\"; let x = ask \"stuck {x}\"; return x }; each 1..3 f", 3),
    ("map 1..3 \"a {it}\"; map 1..3 \"stuck {it}\"", 3),
  ])
  func whatACancelledCallStoodOn(_ script: String, _ count: Int) async throws {
    let folder = try Scratch()
    let waiting = Atomic(0)
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("a ") {
        call.answer("answer to \(call.prompt)")
        return true
      }
      // The last is told of when all wait: every answer has come by then.
      let place = waiting.add(1, ordering: .relaxed).newValue
      if place == count { call.refuse(429, headers: "Retry-After: 60\r\n") } else { _ = call.connection.request() }
      return place == count
    }
    var environment = server.environment
    environment["XDG_STATE_HOME"] = folder.path
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "on retry { log \"it is stuck\" }", "-e", script], environment: environment,
      interruptAfter: "it is stuck", signals: [SIGTERM])
    #expect(result.status == 128 + SIGTERM, "\(result)")
    let files = names(folder, "promptsh/recovered")
    let all = files.flatMap { folder.lines("promptsh/recovered/\($0)") }
    for number in 1...count {
      let paid = "\":\"answer to a \(number)\""
      #expect(all.contains { $0.contains(paid) }, "\(number) \(files) \(result)")
    }
  }

  /// An error in a script takes no replies along either; an end of its own does.
  @Test(arguments: [("print 1 / 0", 1, true), ("set strict on; !false", 1, true), ("exit 1", 1, false), ("print 1", 0, false)])
  func anErrorTakesNoRepliesAlong(_ end: String, _ status: Int, _ isKept: Bool) async throws {
    let folder = try Scratch()
    let result = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"say {it}\"; \(end)"], environment: ["XDG_STATE_HOME": folder.path])
    #expect(result.status == Int32(status), "\(result)")
    let files = names(folder, "promptsh/recovered")
    #expect(files.count == (isKept ? 1 : 0), "\(files)")
    #expect(result.errors.contains("3 replies of `r` kept: load ") == isKept, "\(result.errors)")
  }

  /// Of a file that there was no room for it is said how much is in it; an empty one is not left behind.
  @Test(.enabled(if: !Patience.isSanitized), arguments: [0, 4])
  func aFullDisk(_ blocks: Int) async throws {
    let folder = try Scratch()
    try folder.write("s.psh", "let r = map 1..40 \"say {it}\"\nprint 1 / 0\n")
    let result = try await Program.run(
      [
        "-e",
        "!trap '' XFSZ; ulimit -f \(blocks); XDG_STATE_HOME=\(folder.path) \(Program.path) -m sim/fast \(folder.path)/s.psh 2>&1 | cat",
      ])
    let files = names(folder, "promptsh/recovered")
    if blocks == 0 {
      #expect(files.isEmpty && result.output.contains("the replies of `r` are lost: "), "\(files) \(result)")
    } else {
      let file = "promptsh/recovered/\(files.first ?? "")"
      let count = folder.lines(file).count
      #expect(count > 0 && count < 40 && folder.read(file)?.hasSuffix("}\n") == true, "\(files) \(result)")
      #expect(result.output.contains("only \(count) of the 40 rows of `r` are kept, in "), "\(result)")
    }
  }

  @Test func whereThereIsNoFolderItIsSaid() async throws {
    let result = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"say {it}\"; map 1..500 \"{it}\" --model sim/story"], interruptAfter: "r: 3 prompts",
      signals: [SIGTERM])
    #expect(result.status == 143 && result.errors.contains("replies in `r` are lost: "), "\(result)")
  }
}
