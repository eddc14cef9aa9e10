import TestSupport
import Testing

/// What the program says to type works when it is typed: it names what is there, also where a job has no name but its statement.
@Suite struct AdviceTests {
  struct Case: Sendable, CustomStringConvertible {
    var before: String
    /// As it is said; what `…` stands for is put in its place.
    var advice: String
    var value = ""
    var after = ""
    var description: String { "\(before): \(advice)" }
  }

  private static let held = "map [\"held 1\", \"held 2\"] \"{it}\""
  private static let end = "ask \"go\"\ngather"

  static let cases = [
    Case(before: "ask \"bad\"", advice: "retry _"),
    Case(before: "let q = ask \"bad\"", advice: "retry q"),
    Case(before: "map [\"bad\", \"good\"] \"{it}\"", advice: "retry _"),
    Case(before: "let r = map [\"bad\", \"good\"] \"{it}\"", advice: "retry r"),
    Case(before: "let r = [\"bad\", \"good\"] | add z { ask \"{it}\" }", advice: "retry r"),
    Case(before: "let r = map [\"bad\"] \"{it}\" &\ngather", advice: "retry r"),
    Case(before: "map [\"bad\", \"good\"] \"{it}\" &\ngather", advice: "retry %1"),
    Case(before: "def f(x) { return ask x }\neach [\"bad\"] f &\ngather", advice: "retry %1"),
    Case(before: "let r = map [\"good\"] \"{it}\" --as number\nretry r", advice: "retry r --wrong"),
    Case(before: "\(held) &\nset temperature 0.3", advice: "set temperature … for %1", value: "0.4", after: end),
    Case(before: "let j = \(held) &\nset temperature 0.3", advice: "set temperature … for j", value: "0.4", after: end),
    Case(
      before: "map [\"bad\"] \"{it}\" &\ngather\ntry { set temperature 0.4 for %1 } catch e { log e.help }",
      advice: "retry %1 --temperature …", value: "0.4"),
    Case(
      before: "\(held) --temperature [0, 1] &\ntry { set temperature 0.4 for %1 } catch e { log e.help }", advice: "cancel %1", after: end),
    Case(before: "\(held) &\nset concurrency 1 for %1\nask \"wait\"\nwhy %1", advice: "set concurrency 2 for %1", after: end),
    Case(before: "let j = \(held) &\nset concurrency 1 for j\nask \"wait\"\nwhy j", advice: "set concurrency 2 for j", after: end),
    Case(before: "\(held) &\nset rpm 1 for %1\nask \"wait\"\nwhy %1", advice: "set rpm 2 for %1", after: "set rpm off for %1\n" + end),
    Case(
      before: "set concurrency 1 for openai/m\n\(held) &\nask \"wait\" --model openai/n\nwhy %1",
      advice: "set concurrency 2 for openai/m", after: "ask \"go\" --model openai/n\ngather"),
    Case(before: "\(held) &\npause %1\nwhy %1", advice: "resume %1", after: end),
    Case(before: "let j = \(held) &\npause j\nwhy j", advice: "resume j", after: end),
  ]

  @Test(arguments: cases) func worksWhenItIsTyped(_ test: Case) async throws {
    let start = "set model openai/m\nset retries 0\n"
    let said = try await run(
      start + test.before + "\nask \"go\" --model openai/n\nset rpm off\ntry { cancel %1 } catch e { log e.message }")
    #expect((said.errors + said.output).contains("`\(test.advice)"), "\(said)")
    let typed = try await run(start + test.before + "\n" + test.advice.replacing("…", with: test.value) + "\n" + test.after)
    #expect(typed.status == 0 || typed.status == 3, "\(typed)")
    #expect(!typed.errors.contains("error: "), "\(typed)")
  }

  /// A mistake of the script's behind an answered prompt: nobody says that nothing was sent.
  @Test(arguments: [
    "def f(x) { let a = ask \"good\" ; return number(\"x\") }\nlet r = each [1, 2] f",
    "let r = map [\"good\"] \"{it}\" | map \"{number(text)}\"",
  ])
  func nothingIsSaidOfWhatWasSent(_ script: String) async throws {
    let result = try await run("set model openai/m\n" + script)
    #expect(result.status == 3 && result.errors.contains("× script: "), "\(result)")
    #expect(result.errors.contains("no server has a part in it") && !result.errors.contains("nothing was sent"), "\(result)")
  }

  private func run(_ script: String) async throws -> Program.Result {
    let (held, go) = (Opening(), Opening())
    let server = try ChatServer { call in
      switch call.prompt {
      case "go": go.open()
      case "wait": _ = held.wait()
      case _ where call.prompt.hasPrefix("held"):
        held.open()
        _ = go.wait()
      default: break
      }
      if call.prompt.hasPrefix("bad") { call.refuse(400) } else { call.answer("<\(call.prompt)>") }
      return true
    }
    return try await Program.run(["-e", script], environment: server.environment)
  }
}
