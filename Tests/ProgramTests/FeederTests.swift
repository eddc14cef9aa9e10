import TestSupport
import Testing
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where rows come from slowly, or not at all: what is there is sent, and nothing else waits for it.
@Suite struct FeederTests {
  /// The first request leaves when the first line is there: the second line is written only when that was seen.
  @Test func theFirstLineIsSentAtOnce() async throws {
    let folder = try Scratch()
    let seen = folder.path + "/seen"
    let server = try ChatServer { call in
      if call.prompt == "x one" { try? folder.write("seen", "") }
      call.answer("yes")
      return true
    }
    let script = "set model openai/m\nlet r = load - | map \"x {it}\"\nprint r.prompt"
    let result = try await Program.run(
      ["-c", "(echo one; until [ -e \(seen) ]; do sleep 0.02; done; echo two) | \(Program.path) -e '\(script)'"],
      environment: server.environment, program: "/bin/bash")
    #expect(result.status == 0 && result.output == "[\"x one\", \"x two\"]\n", "\(result.errors)")
  }

  /// While one line waits for a pipe that nobody writes to, twice, another's calls go out, and a time-out ends the wait.
  @Test func othersGoOnMeanwhile() async throws {
    let folder = try Scratch()
    let server = try ChatServer { call in
      call.answer("yes")
      return true
    }
    let script = """
      set model openai/m
      let a = load "\(folder.path)/one" --format txt | map "a {it}" &
      let b = load "\(folder.path)/two" --format txt | map "b {it}" &
      let r = map 1..20 "{it}"
      print len(r) len(failed(r))
      try { timeout 100ms { gather a } } catch e { print e.message }
      cancel a
      cancel b
      """
    let result = try await Program.run(
      ["-c", "mkfifo \(folder.path)/one \(folder.path)/two; exec \(Program.path) -e '\(script)'"], environment: server.environment,
      program: "/bin/bash")
    #expect(result.output == "20 0\nthe block took longer than 100ms\n", "\(result.output) \(result.errors)")
    #expect(server.calls == 20)
  }

  /// SIGTERM ends a program that waits for two pipes at once, soon.
  @Test func aSignalEndsTheWait() async throws {
    let folder = try Scratch()
    let script = """
      let a = load "\(folder.path)/one" --format txt | map "a {it}" &
      let b = load "\(folder.path)/two" --format txt | map "b {it}" &
      log "waiting"
      gather a b
      """
    let result = try await Program.run(
      ["-c", "mkfifo \(folder.path)/one \(folder.path)/two; exec \(Program.path) -e '\(script)'"], interruptAfter: "waiting",
      signals: [SIGTERM], program: "/bin/bash")
    #expect(result.status == 128 + SIGTERM, "\(result.errors)")
  }

  /// A wait for a job can be cancelled: by a time-out, and by another branch that is quicker. The job goes on.
  @Test func aWaitCanBeCancelled() async throws {
    let server = try ChatServer { call in
      if call.prompt == "quick" {
        call.answer("yes")
        return true
      }
      call.connection.waitForClose()
      return false
    }
    let script = """
      set model openai/m
      let bg = map 1..3 "hang" &
      try { timeout 300ms { gather bg } } catch e { print e.message }
      print (race { gather bg ; ask "quick" }).text
      peek bg
      cancel bg
      """
    let result = try await Program.run(["-e", script], environment: server.environment)
    #expect(result.output.hasPrefix("the block took longer than 300ms\nyes\n"), "\(result.output) \(result.errors)")
  }
}
