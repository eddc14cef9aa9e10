import Chat
import Dispatch
import Interpreter
import Language
import Names
import Secrets
import Simulator
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Leaves at once, for a signal.
func exitNow(_ status: Int32) -> Never { _exit(status) }

/// What the program can be asked to do. Each call takes the main thread until it is done, and returns the exit status.
public enum Shell {
  public static let version = "0.1.0"

  public struct Misuse: Error, CustomStringConvertible {
    public var description: String
  }

  /// What holds for a whole session, whatever it is asked to do.
  public struct Options: Sendable {
    /// What sim/flaky does.
    var faults: Faults
    /// The model to start with, where one was given.
    var model: ModelName?
    /// Where the session can be reached, where that was given.
    var control: ControlPlace?

    /// - Parameter control: `on`, `off` or a path.
    public init(faults: Faults, model: ModelName?, control: String? = nil) {
      (self.faults, self.model, self.control) = (faults, model, control.map(ControlPlace.init))
    }
  }

  /// - Throws: `Misuse` where the text is not shares of faults.
  public static func faults(_ text: String?) throws(Misuse) -> Faults {
    guard let text else { return .usual }
    do { return try Faults(parsing: text) } catch { throw Misuse(description: "--faults: \(error)".oneLine) }
  }

  public static func allowance(rpm: Int?, bursts: Bool) -> Allowance? {
    rpm.map { Allowance(requestsPerMinute: $0, bursts: bursts) } ?? (bursts ? Allowance(requestsPerMinute: 1_000_000, bursts: true) : nil)
  }

  /// Commands, settings and functions, as markdown.
  public static var reference: String { HelpText.reference }

  /// - Throws: `Misuse` where the text is no model's name.
  public static func model(_ text: String?) throws(Misuse) -> ModelName? {
    guard let text else { return nil }
    guard let model = ModelName(text) else {
      throw Misuse(description: "-m: a model is written PROVIDER/NAME, as in openai/gpt-4o-mini, not `\(text.oneLine)`")
    }
    return model
  }

  /// Tells of wrong usage; returns its exit status.
  public static func misused(_ text: String, prefix: String = "error: ") -> Int32 {
    report(text, prefix: prefix)
    return ShellSession.ExitStatus.misused
  }

  public static func run(text: String, named name: String, arguments: [String], _ options: Options) -> Int32 {
    raiseDescriptorLimit()
    let shell = ShellSession(arguments: arguments, options: options)
    return block { await shell.run(Source(name: name, text: Source.withLineFeeds(text))) }
  }

  /// - Parameter file: a path; `-` is standard input.
  public static func run(file: String, arguments: [String], _ options: Options) -> Int32 {
    switch read(file) {
    case .failure(let misuse): return misused(misuse.description)
    case .success(let text): return run(text: text, named: file, arguments: arguments, options)
    }
  }

  /// Prints every error in the files; 0 if there is none.
  public static func check(files: [String]) -> Int32 {
    var status = ShellSession.ExitStatus.fine
    for file in files {
      switch read(file) {
      case .failure(let misuse):
        report(misuse.description)
        status = ShellSession.ExitStatus.misused
      case .success(let text):
        let diagnostics = ShellSession(arguments: []).session.check(Source(name: file, text: text))
        for diagnostic in diagnostics { report(diagnostic.formatted(), prefix: "") }
        if diagnostics.contains(where: { $0.severity == .error }) { status = ShellSession.ExitStatus.misused }
      }
    }
    return status
  }

  /// Lays scripts out. With `checking` nothing is written, and 1 is returned if a file is not laid out.
  public static func format(files: [String], checking: Bool) -> Int32 {
    var status = ShellSession.ExitStatus.fine
    for file in files {
      switch read(file) {
      case .failure(let misuse):
        report(misuse.description)
        status = ShellSession.ExitStatus.misused
      case .success(let text):
        do throws(Diagnostic) {
          let formatted = try Formatter.format(Source(name: file, text: text), vocabulary: ShellSession(arguments: []).session.vocabulary)
          if file == "-" {
            status = max(status, told(formatted, end: ""))
          } else if formatted != text, checking {
            report("\(file.oneLine) is not laid out; `promptsh fmt` does it", prefix: "")
            status = max(status, ShellSession.ExitStatus.scriptFailed)
          } else if formatted != text, let problem = replace(file, with: formatted) {
            report("\(file.oneLine): \(problem)")
            status = max(status, ShellSession.ExitStatus.scriptFailed)
          }
        } catch {
          report(error.formatted(), prefix: "")
          status = ShellSession.ExitStatus.misused
        }
      }
    }
    return status
  }

  private static func replace(_ file: String, with text: String) -> String? {
    do throws(FileProblem) {
      let writing = try StandardFiles(console: Console.plain).createNow(file, appending: false)
      try writing.write(Array(text.utf8))
      _ = try writing.close(.whole)
      return nil
    } catch { return error.message }
  }

  /// What `help TOPIC` says; 2 where there is no such topic.
  public static func help(_ topic: String) -> Int32 {
    guard let text = HelpText.topic(topic) else {
      report("there is no help for `\(topic.oneLine)`; `promptsh -e help` lists the commands")
      return ShellSession.ExitStatus.misused
    }
    return told(text)
  }

  /// Prints what was asked for; 1 where it cannot be written.
  public static func told(_ text: String, end: String = "\n") -> Int32 {
    do throws(OutputProblem) { try Descriptor.say(text + end, to: 1, named: "standard output") } catch {
      report(error.description)
      return ShellSession.ExitStatus.scriptFailed
    }
    return ShellSession.ExitStatus.fine
  }

  public static func simulate(port: Int, faults: Faults, allowance: Allowance?, seconds: Int?) -> Int32 {
    raiseDescriptorLimit()
    let signals = Signals()
    // Nothing is lost with it.
    signals.install(onInterrupt: { exitNow(ShellSession.ExitStatus.interrupted) }, onTerminate: { exitNow(128 + $0) })
    return block {
      do {
        let server = try await SimulatorServer.start(port: port, faults: faults, allowance: allowance)
        // Nobody would know where it is.
        let status = told("simulating story, fast and flaky at \(server.baseURL)\n  point promptsh at it: use \(server.baseURL)")
        if status != ShellSession.ExitStatus.fine { return status }
        let stop: @Sendable () -> Void = { Task { try await server.stop() } }
        signals.onInterrupt(stop)
        signals.onTerminate { _ in stop() }
        if let seconds {
          Task {
            try await Task.sleep(for: .seconds(seconds))
            stop()
          }
        }
        try await server.waitUntilClosed()
        return ShellSession.ExitStatus.fine
      } catch {
        report("the simulator could not start on port \(port): \(error)")
        return ShellSession.ExitStatus.scriptFailed
      }
    }
  }

  /// Steers another session of the user's.
  public static func attach(_ target: String?, lines: [String], why: String?) -> Int32 { Attach.run(target, lines: lines, why: why) }

  public static func prompt(_ options: Options) -> Int32 {
    raiseDescriptorLimit()
    return block { await Prompt(options).run() }
  }

  // MARK: pieces

  static func read(_ file: String) -> Result<String, Misuse> {
    let console = Console.plain
    if file.isEmpty { return .failure(Misuse(description: "a file's name is empty")) }
    let shown = file == "-" ? "standard input" : file.oneLine
    do throws(FileProblem) {
      let reading = try StandardFiles(console: console).open(file)
      var bytes: [UInt8] = []
      while true {
        let piece = try reading.read()
        if piece.isEmpty { break }
        bytes += piece
        if bytes.count > 16 << 20 { return .failure(Misuse(description: "\(shown): a script of more than 16 MiB")) }
      }
      guard let text = Source.text(of: bytes) else {
        return .failure(Misuse(description: "\(shown): this is not UTF-8 text"))
      }
      return .success(text)
    } catch {
      return .failure(Misuse(description: "\(shown): \(error.message.oneLine)"))
    }
  }

  private static func report(_ text: String, prefix: String = "error: ") {
    // Standard error is all there is to report on.
    try? Descriptor.say(prefix + Redactor.hide(text) + "\n", to: 2, named: "standard error")
  }

  /// Waits on the main thread for a task. The main thread stays ours: an async `main` would let libdispatch retire it, and job
  /// control and signals want it alive.
  static func block(_ body: @escaping @Sendable () async -> Int32) -> Int32 {
    let done = DispatchSemaphore(value: 0)
    let status = Box()
    Task {
      status.value.withLock { [result = await body()] in $0 = result }
      done.signal()
    }
    done.wait()
    return status.value.withLock { $0 }
  }

  private final class Box: Sendable {
    let value = Mutex<Int32>(0)
  }
}
