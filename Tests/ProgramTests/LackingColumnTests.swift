import TestSupport
import Testing
import Threads

/// A column whose own call failed is not known. No prompt is sent with what should stand there: the row fails where it is used, and
/// `retry` makes the column, and what comes behind it.
@Suite struct LackingColumnTests {
  struct Case: Sendable, CustomStringConvertible {
    var script: String
    /// What `print` shows: before, and after `retry`.
    var output: [String]
    /// Calls in all; whatever begins with "boom" is refused the first time.
    var calls: Int
    var description: String { script }
  }

  static let cases = [
    Case(
      script:
        "let r = map 1..2 \"{it}\" | add z { ask \"boom {text}\" } | map \"m {z} {text}\"\nprint r.failed r.error.kind\nretry r\nprint r.text",
      output: ["[true, true] [\"bad-request\", \"bad-request\"]", "[\"<m <boom <1>> <1>>\", \"<m <boom <2>> <2>>\"]"], calls: 8),
    Case(
      script: "let r = map 1..2 \"{it}\" | add z { ask \"boom {text}\" } | add y { ask \"y {z}\" }\nprint r.z r.y\nretry r\nprint r.y",
      output: ["[nothing, nothing] [nothing, nothing]", "[\"<y <boom <1>>>\", \"<y <boom <2>>>\"]"], calls: 8),
    // A column that is reckoned from one that is not known is not known itself.
    Case(
      script: "let r = [1] | add z { ask \"boom {it}\" } | add y (z == \"a\") | map \"{y}\"\nprint r.failed\nretry r\nprint r.text",
      output: ["[true]", "[\"<false>\"]"], calls: 3),
    // What does not use it goes on, and is made again with it.
    Case(
      script: "let r = [1] | add z { ask \"boom {it}\" } | map \"m {value}\"\nprint r.failed\nretry r\nprint r[0].z.text r.text",
      output: ["[false]", "<boom 1> [\"<m 1>\"]"], calls: 4),
    Case(
      script:
        "def f(x) { return ask \"e {x.z}\" }\nlet r = map 1..1 \"{it}\" | add z { ask \"boom {text}\" } | each f\nprint r.failed\nretry r\nprint r.text",
      output: ["[true]", "[\"<e <boom <1>>>\"]"], calls: 4),
    // In another line: the column is made where it comes from.
    Case(
      script: "let r = map 1..1 \"{it}\" | add z { ask \"boom {text}\" }\nlet q = r | map \"m {z}\"\nprint q.failed\nretry q\nprint q.text",
      output: ["[true]", "[\"<m <boom <1>>>\"]"], calls: 4),
    // As a prompt's parameter, and as a record that is written out.
    Case(
      script: "prompt p(z) = \"p {z}\"\nlet r = [{q: 1}] | add z { ask \"boom {q}\" } | map p\nprint r.failed\nretry r\nprint r.text",
      output: ["[true]", "[\"<p <boom 1>>\"]"], calls: 3),
    Case(
      script: "let r = [{q: 1}] | add z { ask \"boom {q}\" } | map \"p {it}\"\nprint r.failed", output: ["[true]"], calls: 1),
    Case(
      script:
        "let r = map 1..2 \"{it}\" | add z { ask \"boom {text}\" } | join [{input: 1, k: 5}, {input: 2, k: 6}] input\nlet q = r | map \"m {z}\"\nprint q.failed\nretry r\nprint r.z r.k",
      output: ["[true, true]", "[\"<boom <1>>\", \"<boom <2>>\"] [5, 6]"], calls: 6),
    // The other list's row has no answer: two rows have it, and it is made again once.
    Case(
      script:
        "let q = map [\"a\", \"boom\"] \"{it}\"\nlet r = [{input: \"a\"}, {input: \"boom\"}, {input: \"boom\"}] | join q input | map \"m {text}\"\nprint r.failed\nretry r\nprint r.text",
      output: ["[false, true, true]", "[\"<m <a>>\", \"<m <boom>>\", \"<m <boom>>\"]"], calls: 6),
    Case(
      script:
        "let r = map [\"boom\"] \"{it}\" | join [{input: \"boom\", k: 6}] input | map \"m {text} {k}\"\nprint r.failed\nretry r\nprint r.text",
      output: ["[true]", "[\"<m <boom> 6>\"]"], calls: 3),
    // A function that gives such rows as a list is run anew.
    Case(
      script:
        "def g(x) { return map 1..2 \"{x} {it}\" | add z { ask \"boom {text}\" } }\nlet r = each 1..1 g\nlet q = r | map \"m {it[0].z}\"\nprint q.failed\nretry r\nprint r[0].z",
      output: ["[true]", "[\"<boom <1 1>>\", \"<boom <1 2>>\"]"], calls: 8),
    // A rule asks whether it is there; anything else it says of such a row is no verdict.
    Case(
      script:
        "let r = [1] | add z { ask \"boom {it}\" }\nprint len(r | where z == nothing) len(r | where z != \"x\") get(r[0], \"z\", \"none\")",
      output: ["1 0 none"], calls: 1),
    // A failed row's answer in a block of its own.
    Case(
      script: "let r = map [1] \"boom {it}\" | add y { ask \"y {text}\" }\nprint r.y\nretry r\nprint r.y",
      output: ["[nothing]", "[\"<y <boom 1>>\"]"], calls: 3),
  ]

  @Test(arguments: cases) func nothingUnknownIsSent(_ test: Case) async throws {
    let seen = Mutex<Set<String>>([])
    let server = try ChatServer { call in
      if call.prompt.contains("nothing") || call.prompt.contains("null") { Issue.record("sent: \(call.prompt)") }
      if call.prompt.hasPrefix("boom"), seen.withLock({ $0.insert(call.prompt).inserted }) {
        call.refuse(400)
      } else {
        call.answer("<\(call.prompt)>")
      }
      return true
    }
    let script = "set model openai/m\nset retries 0\nset stop-after off\n" + test.script
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == test.output.joined(separator: "\n") + "\n", "\(result)")
    #expect(server.calls == test.calls, "\(result)")
  }
}
