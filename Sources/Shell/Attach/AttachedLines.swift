import Control
import Names

/// Lines that are run in another session one after the other, for scripts: what they show goes to our own outputs.
struct AttachedLines {
  private let client: ControlClient
  private let name: String
  private let why: String?

  init(_ client: ControlClient, name: String, why: String?) {
    (self.client, self.name, self.why) = (client, name, why)
  }

  /// - Returns: the exit status of the first that failed; the rest is not run then.
  func run(_ lines: [String]) -> Int32 {
    for line in lines {
      let status = run(line)
      if status != ShellSession.ExitStatus.fine { return status }
    }
    return ShellSession.ExitStatus.fine
  }

  private func run(_ line: String) -> Int32 {
    let columns = Descriptor.isTerminal(1) ? Descriptor.size(1)?.columns : nil
    // Where it has gone, what it said last is still there to be read.
    client.send(.run(line: line, why: why, columns: columns))
    var status: Int32?
    var problem: String?
    var farewell: String?
    while true {
      let end = client.read(within: 5) { message in
        do throws(OutputProblem) {
          switch message {
          case .out(let text): try Descriptor.say(text, to: 1, named: "standard output")
          case .note(let text): try Descriptor.say(text + "\n", to: 2, named: "standard error")
          case .end(let code): status = Int32(clamping: code)
          case .refused(let why): problem = why
          case .closed(let why): farewell = why
          case .status: break
          }
        } catch { problem = error.description }
        return status == nil && problem == nil
      }
      switch end {
      case .done: return status ?? failed(problem ?? "")
      case .gone: return farewell.map(failed) ?? gone()
      case .silent: try? Descriptor.say("\(name.oneLine) does not answer yet; ^C gives up\n", to: 2, named: "standard error")
      }
    }
  }

  private func gone() -> Int32 {
    _ = failed(AttachedLines.brokeOff(name))
    return ShellSession.ExitStatus.brokeOff
  }

  static func brokeOff(_ name: String) -> String { "\(name) has broken off without a word: was it killed?" }

  private func failed(_ problem: String) -> Int32 {
    try? Descriptor.say("error: \(problem.oneLine)\n", to: 2, named: "standard error")
    return ShellSession.ExitStatus.scriptFailed
  }
}
