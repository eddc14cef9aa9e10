import TestSupport
import Testing

/// Servers of the world, where `scripts/test --long` has started them.
@Suite(.serialized) struct RealServerTests {
  private static let cutting = Program.variable("PROMPTSH_LLAMA_CPP_PYTHON")

  /// llama-cpp-python cuts the stream that runs when another request comes: one after the other every row is answered.
  @Test(.enabled(if: cutting != nil), arguments: ["8", "auto"])
  func aServerThatCutsItsStreams(_ width: String) async throws {
    let url = try #require(Self.cutting)
    let script = """
      use \(url)
      set concurrency \(width)
      let r = map 1..20 "Tell me a fact about the number {it}" --max-tokens 24 --temperature 0 --seed 7
      print len(r) len(failed(r)) sum(r.attempts)
      why
      """
    let result = try await Program.run(["-e", script], seconds: 600)
    let counts = result.output.split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(result.status == 0 && counts.prefix(2) == [20, 0], "\(result.errors)")
    // Each look at another width may cost what runs then.
    #expect((counts.last ?? .max) <= 60, "\(result.output)")
    #expect(result.output.contains("broke off side by side") || result.output.contains("cuts its streams"), "\(result.output)")
  }

  /// llama.cpp's own server answers four at a time: what `auto` widens beyond is not paid for, and it holds.
  @Test(.enabled(if: Program.variable("PROMPTSH_LONG") != nil && Program.variable("PROMPTSH_LOCAL_MODEL") != nil))
  func aServerWithFourPlaces() async throws {
    let script = """
      use \(try #require(Program.variable("PROMPTSH_LOCAL_MODEL")))
      set concurrency auto
      let r = map 1..120 "Tell me a fact about the number {it}" --max-tokens 24 --temperature 0 --seed 7
      print len(r) len(failed(r))
      why
      """
    let result = try await Program.run(["-e", script], seconds: 600)
    #expect(result.status == 0 && result.output.hasPrefix("120 0\n"), "\(result.errors)")
    #expect(!result.output.contains("→ 32: "), "\(result.output)")
  }

  private static let queueing = Program.variable("PROMPTSH_LONG").flatMap { _ in Program.variable("PROMPTSH_TRANSFORMERS_SERVE") }

  /// `transformers serve` answers one at a time and lets all others queue. A wide one loses the queue that it made before it could
  /// know, once, and no row.
  @Test(.enabled(if: queueing != nil), arguments: ["8", "32", "auto"])
  func aServerThatAnswersOneAtATime(_ width: String) async throws {
    let script = """
      use \(try #require(Self.queueing))
      set concurrency \(width)
      set first-token-timeout 5s
      let r = map 1..36 "Tell me a fact about the number {it}" --max-tokens 400
      print len(r) len(failed(r)) sum(r.attempts)
      why
      """
    let result = try await Program.run(["-e", script], seconds: 600)
    let counts = result.output.split(separator: "\n").first?.split(separator: " ").compactMap { Int($0) } ?? []
    #expect(result.status == 0 && counts.prefix(2) == [36, 0], "\(result.errors)")
    // Sent again at most once each, on a busy machine, besides that first queue; unlearned it would be lost every five seconds.
    #expect((counts.last ?? .max) <= 36 + (Int(width) ?? 8) + 36, "\(result.output)")
    #expect(counts.last == 36 || result.output.contains("openai/random-llama has a queue"), "\(result.output)")
  }

  /// It is full at one: where nobody is in a hurry a queue costs no request, and `auto` does not widen it for nothing.
  @Test(.enabled(if: queueing != nil))
  func aServerThatAnswersOneAtATimeIsNotWidened() async throws {
    let script = """
      use \(try #require(Self.queueing))
      set concurrency auto
      let r = map 1..200 "Tell me a fact about the number {it}" --max-tokens 100
      print len(r) len(failed(r)) sum(r.attempts)
      why
      """
    let result = try await Program.run(["-e", script], seconds: 600)
    #expect(result.status == 0 && result.output.hasPrefix("200 0 200\n"), "\(result.errors)")
    #expect(!result.output.contains("→ 32: "), "\(result.output)")
  }
}
