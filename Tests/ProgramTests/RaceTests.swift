import TestSupport
import Testing

/// A race that somebody wins is won, whatever became of the others.
@Suite struct RaceTests {
  /// One fails in the same moment in which another wins: its failure may be noted after the end of the race.
  @Test func aLoserIsNotMissed() async throws {
    let server = try ChatServer { call in
      if call.prompt == "fail" { call.refuse(400) } else { call.answer("yes") }
      return true
    }
    let result = try await Program.run(
      ["-m", "openai/m", "-e", "for i in 1..40 { let x = race { ask \"fail\"; ask \"win\" } }; print x"],
      environment: server.environment)
    #expect(result.status == 0 && result.output == "yes\n", "\(result)")
  }
}
