import Testing

@testable import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Programs that we start, and what comes before they run.
@Suite struct ChildTests {
  /// The terminal is theirs already, and nobody else would hear of it.
  @Test(arguments: [SIGTERM, SIGHUP, SIGINT])
  func aSignalBeforeTheStartIsTheirsToo(_ number: Int32) throws {
    let handle = Child.Handle()
    handle.signal(number)
    #expect(try Child.run("exec sleep 60", handle: handle) == 128 + Int(number))
  }

  @Test func whoIsInterruptedBeforeTheStartDoesNotStart() throws {
    let handle = Child.Handle()
    handle.interrupt()
    #expect(try Child.run("echo begun; exec sleep 60", handle: handle) == 128 + Int(SIGINT))
    #expect(try Child.run("exec sleep 60", reading: "", handle: handle) == 128 + Int(SIGINT))
  }

  private var takesInterrupts: Bool { Child.takesInterrupts.load(ordering: .relaxed) }

  /// Until it runs, the terminal's ^C is ours.
  @Test func whoHasTheTerminalIsKnownBeforeHeRuns() {
    let handle = Child.Handle()
    #expect(!handle.hasBegun && !takesInterrupts)
    handle.whileRegistered {
      #expect(!takesInterrupts)
      #expect((try? Child.run("exit 3", handle: handle)) == 3)
      #expect(handle.hasBegun && takesInterrupts)
    }
    // Over: a signal for it is nobody's, and not the next one's either.
    handle.signal(SIGTERM)
    #expect((try? Child.run("exit 4", handle: handle)) == 4)
    Child.Handle().whileRegistered { #expect(!takesInterrupts) }
    #expect(!takesInterrupts)
  }
}
