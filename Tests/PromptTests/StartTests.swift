import Testing

/// What the prompt is started with, and what it may not find.
@Suite struct StartTests {
  private func shell() async throws -> Pane {
    let pane = try await Pane(
      columns: 120, shell: true, files: ["libedit.so.2": "none", "libedit.so.0": "none", "less": "#!/bin/sh\ncat; echo less was run\n"])
    _ = await Pane.run("chmod +x \(pane.folder)/less")
    try await pane.wait("the shell") { $0.last == "$" }
    return pane
  }

  /// The loader looks there first, and finds a file of the name that is no library.
  @Test func withoutLibeditLinesAreReadAsTheyCome() async throws {
    let pane = try await shell()
    await pane.enter("clear; LD_LIBRARY_PATH=$HOME $PSH; echo status $?")
    try await pane.wait(for: "libedit cannot be loaded")
    try await pane.wait("a plain prompt") { $0.last == "psh>" }
    await pane.enter("print 6 * 7")
    try await pane.wait("42") { $0.contains("42") }
    await pane.enter("exit 3")
    try await pane.wait(for: "status 3")
    await pane.close()
  }

  /// What needs no prompt needs no libedit.
  @Test func aScriptRunsWithoutLibedit() async throws {
    let pane = try await shell()
    await pane.enter("clear; LD_LIBRARY_PATH=$HOME $PSH -e 'print 6 * 7'; echo status $?")
    try await pane.wait(for: "status 0")
    #expect(await pane.screen().first == "42")
    await pane.close()
  }

  @Test func theModelOfTheCommandLine() async throws {
    let pane = try await shell()
    await pane.enter("clear; $PSH -m sim/fast")
    try await pane.wait(for: "psh sim/fast ×8>")
    await pane.enter("exit")
    try await pane.wait("the shell") { $0.last == "$" }
    // Words at a terminal, whose standard input nobody waits for.
    await pane.enter("clear; $PSH -m sim/fast tell me; echo status $?")
    try await pane.wait(for: "[simulated]")
    try await pane.wait(for: "status 0")
    await pane.close()
  }

  /// A table longer than the screen goes to the pager; `PAGER=` says that none is wanted.
  @Test func noPager() async throws {
    let pane = try await shell()
    let table = "-e '1..60 | where it > 0 | table --all'; echo status $?"
    await pane.enter("clear; PAGER='sed s/^/paged/' $PSH \(table)")
    try await pane.wait(for: "paged")
    try await pane.wait(for: "status 0")
    for none in ["PAGER=", "PAGER=' '"] {
      // `less` stands in for what is run where PAGER is not set.
      await pane.enter("clear; \(none) PATH=$HOME:$PATH $PSH \(table)")
      try await pane.wait("the end of the table") { lines in
        lines.contains { $0.hasPrefix("status 0") } && lines.contains { $0.contains("59") }
      }
      #expect(await !pane.everything().contains { $0.contains("less was run") })
    }
    await pane.close()
  }
}
