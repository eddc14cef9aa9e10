import Testing

/// Rows of jobs that are over are kept within a bound, and where they are not that is told.
@Suite struct EndedJobTests {
  private static let jobs = """
    def f(x) { return x }
    def g(x) { if x == 3 { return number("none") } ; return x }
    each 1..6000 f &
    gather
    let kept = each 1..6000 f &
    gather
    each 1..6000 g &
    gather
    each 1..20000 f &
    gather

    """

  @Test(arguments: ["peek %1", "retry %1", "show %1", "gather %1", "%1 | count", "peek %3"])
  func whatIsGoneIsTold(_ line: String) async throws {
    let result = try await Program.run(["-e", Self.jobs + line])
    let name = line.contains("%3") ? "%3" : "%1"
    #expect(result.status != 0 && result.errors.contains("the rows of \(name) are not kept any more"), "\(result)")
  }

  /// A variable's stay, and those of the latest, however many.
  @Test func whatIsKept() async throws {
    let result = try await Program.run(["-e", Self.jobs + "print len(kept)\nlet last = %4\nprint len(last)\njobs"])
    #expect(result.status == 3 && result.output.hasPrefix("6000\n20000\n#"), "\(result)")
    #expect(result.output.contains("\t3\teach 1..6000 g &\tdone\t6000/6000"), "\(result)")
  }

  /// Of a job that failed, the error stays.
  @Test func anErrorStays() async throws {
    let result = try await Program.run(["-e", "let a = 1..20000 | add y { 1 / 0 } &\n" + Self.jobs])
    #expect(result.status == 1 && result.errors.contains("/ 0"), "\(result)")
  }
}
