import TestSupport
import Testing

/// `x in xs` looks a list up, however the list comes to the expression: gone through for each row, 60,000 rows in 60,000 keys would take
/// longer than a test's program may live.
@Suite struct MembershipTests {
  @Test(arguments: [
    "load \"rows.csv\" | where id in (load \"keys.csv\").id | count",
    "let keys = load \"keys.csv\"\nload \"rows.csv\" | where id in keys.id | count",
    "load \"rows.csv\" | where id in (load \"keys.csv\" | where id >= 0 | select id).id | count",
    "load \"rows.csv\" | add known (id in (load \"keys.csv\").id) | where known | count",
  ])
  func takesOneStepARow(_ script: String) async throws {
    let folder = try Scratch()
    try folder.write("rows.csv", "id\n" + (0..<60_000).map { "\($0)\n" }.joined())
    try folder.write("keys.csv", "id\n" + (0..<60_000).map { "\($0 * 2)\n" }.joined())
    let result = try await Program.run(["-e", script.replacing("load \"", with: "load \"\(folder.path)/")])
    #expect(result.status == 0 && result.output == "30000\n", "\(result)")
  }
}
