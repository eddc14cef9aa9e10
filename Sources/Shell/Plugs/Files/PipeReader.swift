import Interpreter
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The reader of a named pipe that we are to write.
enum PipeReader {
  /// Opens the pipe when somebody reads it; its writes do not block. No call waits for a reader and can be told to give up, so that
  /// one is looked for now and then.
  static func open(_ path: String) async throws -> Int32 {
    let found = Mutex<(descriptor: Int32, failure: Int32)>((-1, 0))
    do {
      try await interruptible { wake in
        while true {
          let descriptor = Self.openNow(path)
          if descriptor >= 0 || errno != ENXIO {
            found.withLock { $0 = (descriptor, errno) }
            return true
          }
          if waitForInput(-1, wake: wake, milliseconds: 50).isWoken { return false }
        }
      }
    } catch {
      let descriptor = found.withLock { $0.descriptor }
      if descriptor >= 0 { close(descriptor) }
      throw error
    }
    let (descriptor, failure) = found.withLock { $0 }
    if descriptor < 0 { throw FileProblem(String(cString: strerror(failure))) }
    return descriptor
  }

  private static func openNow(_ path: String) -> Int32 {
    #if canImport(Glibc)
      Glibc.open(SystemText.bytes(path), O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    #else
      Darwin.open(SystemText.bytes(path), O_WRONLY | O_NONBLOCK | O_CLOEXEC)
    #endif
  }
}
