import TestSupport
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs the built program with pipes for its descriptors. It is ended when it has lived too long (`Patience.life`), whatever it does.
enum Program {
  struct Result: Sendable {
    var status: Int32
    var output: String
    var errors: String
  }

  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }

  /// What PROMPTSH_PROGRAM names, else the debug build.
  static let path = variable("PROMPTSH_PROGRAM") ?? root + "/.build/debug/promptsh"

  /// - Parameters:
  ///   - program: another than ours, which starts ours.
  ///   - holdsInput: standard input does not end before the program.
  ///   - interruptAfter: text on standard error upon which the signals are sent; SIGCONT seven seconds after the one before it.
  ///   - seconds: how long it may take, where that is longer than usual.
  static func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:], closesOutput: Bool = false,
    interruptAfter: String? = nil, signals: [Int32] = [SIGINT], program: String = Program.path,
    holdsInput: Bool = false, seconds: Int = Patience.life
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      startThread {
        continuation.resume(
          with: Swift.Result {
            try spawn(program, arguments, input, environment, closesOutput, interruptAfter, signals, holdsInput, seconds)
          })
      }
    }
  }

  private static func spawn(
    _ path: String, _ arguments: [String], _ input: String, _ environment: [String: String], _ closesOutput: Bool,
    _ interruptAfter: String?,
    _ signals: [Int32], _ holdsInput: Bool, _ seconds: Int
  ) throws -> Result {
    let (inPipe, outPipe, errorPipe) = (try Spawn.pipe(), try Spawn.pipe(), try Spawn.pipe())
    // Nothing of the developer's own settings or keys.
    var variables = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "xterm"]
    for (name, value) in environment { variables[name] = value }
    let process = try Spawn.start(
      path, arguments, environment: variables,
      descriptors: [.descriptor(inPipe.read), .descriptor(outPipe.write), .descriptor(errorPipe.write)])
    for descriptor in [inPipe.read, outPipe.write, errorPipe.write] { close(descriptor) }
    let (output, errors) = (Collected(), Collected())
    if closesOutput {
      close(outPipe.read)
      output.finish()
    } else {
      startThread { output.read(outPipe.read) { _ in } }
    }
    startThread {
      var isInterrupted = false
      errors.read(errorPipe.read) { text in
        guard let interruptAfter, !isInterrupted, text.contains(interruptAfter) else { return }
        isInterrupted = true
        for signal in signals {
          if signal == SIGCONT { pauseThread(milliseconds: 7000) }
          kill(process, signal)
        }
      }
    }
    var bytes = Array(input.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(inPipe.write, $0.baseAddress, $0.count) }
      if count <= 0 { break }
      bytes = bytes.dropFirst(count)
    }
    if !holdsInput { close(inPipe.write) }
    defer { if holdsInput { close(inPipe.write) } }
    let status = Spawn.end(of: process, seconds: seconds)
    output.waitForEnd()
    errors.waitForEnd()
    return Result(status: status, output: output.text, errors: errors.text)
  }

  /// What a thread reads, and whether it is done.
  private final class Collected: Sendable {
    private let state = Monitor((bytes: [UInt8](), isDone: false))

    var text: String { state.look { String(decoding: $0.bytes, as: UTF8.self) } }

    func read(_ descriptor: Int32, _ seen: (String) -> Void) {
      var buffer = [UInt8](repeating: 0, count: 65536)
      while true {
        #if canImport(Glibc)
          let count = Glibc.read(descriptor, &buffer, buffer.count)
        #else
          let count = Darwin.read(descriptor, &buffer, buffer.count)
        #endif
        if count <= 0 { break }
        state.change { $0.bytes += buffer[..<count] }
        seen(text)
      }
      close(descriptor)
      finish()
    }

    func finish() { state.change { $0.isDone = true } }

    /// Of what the program wrote everything is there; what it started and left behind may hold the pipe for ever.
    func waitForEnd() { state.wait(milliseconds: Patience.milliseconds) { $0.isDone } }
  }
}
