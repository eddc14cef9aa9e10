import TestSupport
import Testing

/// What `retry` says of rows that were loaded from a file, where the file does not hold all that was sent.
@Suite struct RowsOfFilesTests {
  private static let head = "set model openai/m\nset retries 0\nset stop-after off\n"

  /// A row that failed in a function keeps the status of the call that was why; of a file nobody can send it again.
  @Test func rowsOfAFunction() async throws {
    let folder = try Scratch()
    let server = try ChatServer.refusing(butNot: "none")
    let script =
      Self.head + """
        def f(x) { let a = ask "one {x}" ; return ask "two {a}" }
        let r = each [1, 2] f
        print r.error.status
        save r "\(folder.path)/r.jsonl"
        let q = load "\(folder.path)/r.jsonl"
        print q.error.status failed(q).input
        try { retry q } catch e { print e.message ; print e.help }
        let q = each failed(q).input f
        """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(
      result.output == """
        [400, 400]
        [400, 400] [1, 2]
        row 0 of `q` failed in a function, or before its prompt was made: what it would send, only the statement knows that made it
        `failed(q).input` are the items to run it for again

        """, "\(result)")
  }

  /// Headers are in no file; that there were some is, and is said before they are missed.
  @Test(arguments: ["jsonl", "csv"]) func headers(_ format: String) async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      if call.request.contains("X-Team: blue") || call.number > 3 { call.answer("yes") } else { call.refuse(400) }
      return true
    }
    let place = "\(folder.path)/r.\(format)"
    let script =
      Self.head + """
        set headers {"X-Team": "red", "X-Other": "sesame-sesame-sesame"}
        let r = map 1..3 "{it}"
        save r "\(place)"
        unset headers
        let q = load "\(place)"
        save q "\(folder.path)/again.jsonl"
        set headers {"x-team": "blue"}
        let q = load "\(folder.path)/again.jsonl"
        retry q
        print len(failed(q))
        """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "0\n" && server.calls == 6, "\(result)")
    #expect(
      result.errors.contains("3 rows of `q` were sent with the header `X-Other`, which no file holds, and go out without\n"), "\(result)")
    #expect(!(folder.read("again.jsonl") ?? "sesame").contains("sesame"))
  }
}
