import CStart
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What comes before everything else: what we were given by whoever started us, and whether there is enough to work with.
extension Shell {
  /// The first call of the program. What stands in the way of a start, if anything does.
  public static func begin() -> String? {
    openStandardDescriptors()
    Inherited.capture()
    let isLimited = Machine.isLimited
    if isLimited { cs_save_memory() }
    if OpenFiles.free(atMost: Machine.fewestFiles) < Machine.fewestFiles {
      return "the system gives hardly any open files; raise `ulimit -n`, to 64 at least"
    }
    guard ThreadProbe.hasThreads(isLimited ? Machine.threads : 4, and: isLimited ? Machine.libraries : 0) else {
      return "the system gives no threads (`ulimit -u` and `ulimit -v` say how many, and how much memory)"
    }
    if let files = SystemLimit.openFiles.value, files < Machine.manyFiles { takeClock() }
    return nil
  }

  /// Sets one timer. The descriptors that libdispatch waits and keeps time with are made with the first, and where there are none left
  /// by then no timer ever ends, and nobody says so.
  private static func takeClock() {
    _ = block {
      try? await Task.sleep(for: .milliseconds(1))
      return 0
    }
  }

  /// One line; status 1.
  public static func cannotRun(_ problem: String) -> Int32 {
    try? Descriptor.write(Array("error: \(problem)\n".utf8), to: 2, named: "standard error")
    return ShellSession.ExitStatus.scriptFailed
  }

  /// Without the program's name. File names that are not UTF-8 are in it as `SystemText` has them.
  public static var startArguments: [String] {
    (1..<max(1, Int(cs_argument_count()))).compactMap { cs_argument(Int32($0)).map { SystemText.text($0) } }
  }

  /// What is closed (`>&-`) is opened on /dev/null: else the first file that is opened would take its place, and be written what was
  /// meant for standard output or standard error.
  private static func openStandardDescriptors() {
    while true {
      let descriptor = open("/dev/null", O_RDWR)
      if descriptor < 0 { return }
      if descriptor > 2 {
        close(descriptor)
        return
      }
    }
  }
}
