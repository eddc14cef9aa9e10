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
    let server = try ChatServer { call in
      if call.prompt.hasPrefix("review") { reviews.add(1, ordering: .relaxed) }
      // The last to be told of: the two others have been by then.
      if call.prompt.hasPrefix("draft 3") {
        for _ in 0..<3000 where reviews.load(ordering: .relaxed) < 2 { _ = Bell().wait(milliseconds: 5) }
      }
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

  @Test func whereThereIsNoFolderItIsSaid() async throws {
    let result = try await Program.run(
      ["-m", "sim/fast", "-e", "let r = map 1..3 \"say {it}\"; map 1..500 \"{it}\" --model sim/story"], interruptAfter: "r: 3 prompts",
      signals: [SIGTERM])
    #expect(result.status == 143 && result.errors.contains("replies in `r` are lost: "), "\(result)")
  }
}
