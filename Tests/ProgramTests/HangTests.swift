import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The program on a terminal, where something does not end by itself: the window is closed, a key or a signal ends it.
@Suite(.serialized) struct HangTests {
  /// The window is closed, or the line to it drops, while prompts run: what was answered is kept.
  @Test func closingTheWindowKeepsTheAnswers() async throws {
    let folder = try Scratch()
    let terminal = try PseudoTerminal(
      Program.path, ["-e", "on end { log \"answered\" }\nmap 1..500 \"Tell {it}\" | save \"rows.jsonl\""], folder: folder.path)
    try await terminal.wait(for: "answered")
    terminal.hangUp()
    let status = try await terminal.end()
    #expect(status == 128 + SIGHUP, "\(terminal.output)")
    let rows = folder.lines("rows.jsonl")
    #expect(rows.contains { $0.contains("\"text\":\"[simulated]") })
    #expect(rows.allSatisfy { $0.hasPrefix("{") && $0.hasSuffix("}") })
  }

  /// What is written to a window that is gone is no error of the script's.
  @Test func closingTheWindowWhileTextIsPrinted() async throws {
    let terminal = try PseudoTerminal(Program.path, ["-e", "for i in 1..100000000 { print \"a line\" }"])
    try await terminal.wait(for: "a line")
    terminal.hangUp()
    #expect(try await terminal.end() == 128 + SIGHUP)
  }

  /// The same with rows that are saved in the background of a prompt.
  @Test func closingTheWindowOfAPromptKeepsTheAnswersOfItsJobs() async throws {
    let folder = try Scratch()
    let terminal = try PseudoTerminal(Program.path, folder: folder.path)
    try await terminal.wait(for: "> ")
    terminal.type("on end { log \"ans\" + \"wered\" }\r")
    terminal.type("map 1..500 \"Tell {it}\" | save \"rows.jsonl\" &\r")
    try await terminal.wait(for: "answered")
    terminal.hangUp()
    #expect(try await terminal.end() == 128 + SIGHUP)
    #expect(folder.lines("rows.jsonl").contains { $0.contains("\"text\":\"[simulated]") })
  }
}
