import TestSupport
import Testing

/// A row that had failed when it came to a pipeline (of another statement, behind `take`, from a file) is made again where it comes
/// from, and goes through that pipeline once more: as one row, whatever it became there.
@Suite struct RetriedRowTests {
  struct Case: Sendable, CustomStringConvertible {
    var script: String
    /// What `r` reads as, after it was made again.
    var texts: String
    /// Calls in all; the first time each row is refused.
    var calls: Int
    var description: String { script }
  }

  private static let file = "map 1..2 \"row {it}\" | save \"FOLDER/r.jsonl\"\n"

  static let cases = [
    Case(script: file + "let r = load \"FOLDER/r.jsonl\" | where input > 1\nretry r\nprint r.text", texts: "[\"<row 2>\"]", calls: 3),
    Case(
      script: file + "let r = load \"FOLDER/r.jsonl\" | add z (input * 2) | add y 1\nretry r\nprint r.text r.z r.y",
      texts: "[\"<row 1>\", \"<row 2>\"] [2, 4] [1, 1]", calls: 4),
    Case(
      script: file + "let r = load \"FOLDER/r.jsonl\" | select input text\nretry r\nprint r",
      texts: "[{input: 1, text: \"<row 1>\"}, {input: 2, text: \"<row 2>\"}]", calls: 4),
    Case(
      script: file + "let r = load \"FOLDER/r.jsonl\" | map \"second {text}\" --samples 2\nretry r\nprint r.text r.sample",
      texts: "[\"<second <row 1>>\", \"<second <row 1>>\", \"<second <row 2>>\", \"<second <row 2>>\"] [0, 1, 0, 1]", calls: 8),
    Case(
      script: "let q = map 1..2 \"row {it}\"\nlet r = q | add z (input * 2)\nretry r\nprint r.text r.z",
      texts: "[\"<row 1>\", \"<row 2>\"] [2, 4]", calls: 4),
    Case(
      script: "let q = map 1..2 \"row {it}\"\nlet r = q | where failed\nretry r\nprint r.text", texts: "[\"<row 1>\", \"<row 2>\"]",
      calls: 4),
    Case(
      script: "let q = map 1..2 \"row {it}\"\nlet r = q | map \"second {text}\"\nretry r\nprint r.text r[0].calls",
      texts: "[\"<second <row 1>>\", \"<second <row 2>>\"] 2", calls: 6),
    Case(
      script: "let r = map 1..9 \"row {it}\" | take 2 | map \"second {text}\" | add z len(text)\nretry r\nprint r.text r.z",
      texts: "[\"<second <row 1>>\", \"<second <row 2>>\"] [16, 16]", calls: 6),
    Case(
      script: "let r = map 1..2 \"row {it}\" | map \"second {text}\" --samples 3\nretry r\nprint len(r) r[5].text r.sample",
      texts: "6 <second <row 2>> [0, 1, 2, 0, 1, 2]", calls: 10),
    Case(
      script: "let r = [1, 2] | add z { ask \"row {it}\" } \nlet r = r | select z value | add y 1\nretry r\nprint r",
      texts: "[{z: \"<row 1>\", value: 1, y: 1}, {z: \"<row 2>\", value: 2, y: 1}]", calls: 4),
  ]

  /// Calls of earlier stages whose answers stay are counted with those that came for them now.
  @Test(arguments: [
    ("map 1..2 \"good {it}\" | map \"row {text}\"", 2), ("map 1..2 \"good {it}\" | map \"good {text}\" | map \"row {text}\"", 3),
    ("map 1..2 \"good {it}\" | add z { ask \"row {text}\" }", 2), ("map 1..2 \"good {it}\" | each f", 3),
    ("map 1..2 \"row {it}\" | map \"good {text}\"", 2), ("map 1..2 \"good {it}\" | map \"row {text}\" | where input != 9", 2),
  ])
  func tellsWhatItTookInAll(_ line: String, _ calls: Int) async throws {
    let server = try ChatServer.refusing(2, butNot: "good")
    let script = """
      set model openai/m
      set retries 0
      def f(x) {
        let a = ask "good f{x}"
        return ask "row {a}"
      }
      let r = \(line)
      retry r
      retry r
      print len(failed(r)) r.calls
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == "0 [\(calls), \(calls)]\n", "\(line): \(result)")
  }

  @Test(arguments: cases) func isMadeAgainWhereItComesFrom(_ test: Case) async throws {
    let folder = try Scratch()
    let server = try ChatServer.refusing(butNot: "second")
    let script = "set model openai/m\nset retries 0\nset stop-after off\n" + test.script.replacing("FOLDER", with: folder.path)
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output == test.texts + "\n", "\(result)")
    #expect(server.calls == test.calls, "\(result)")
  }
}
