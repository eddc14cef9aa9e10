import ArgumentParser
import Shell

struct Promptsh: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promptsh",
    abstract: "A scripting shell for prompt experiments: fans prompts out to language models at a width you choose.",
    discussion: """
      Without arguments it is a prompt. With a file it runs the script; `args` holds what follows.

      Exit status: 0 all well, 1 the script failed, 2 misused (usage, syntax), 3 some prompts failed, 130 interrupted.
      """,
    version: "promptsh \(Shell.version)",
    subcommands: [Run.self, Check.self, Format.self, Simulate.self, Reference.self],
    defaultSubcommand: Run.self)
}

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs a script, an expression, or the prompt (the default).")

  @Option(name: [.customShort("e")], help: "Runs this text instead of a file.")
  var expression: String?

  @Option(help: ArgumentHelp("What sim/flaky does: shares of requests.", valueName: "429=0.1,500=0.05,cut=0.05,stall=0"))
  var faults: String?

  @Argument(parsing: .captureForPassthrough, help: "A script, and its arguments.")
  var script: [String] = []

  func run() throws {
    let faults = try Shell.faults(faults)
    if let expression { throw ExitCode(Shell.run(text: expression, named: "-e", arguments: script, faults: faults)) }
    if let file = script.first { throw ExitCode(Shell.run(file: file, arguments: Array(script.dropFirst()), faults: faults)) }
    throw ExitCode(Shell.prompt(faults: faults))
  }
}

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Tells every error in scripts, without running them.")

  @Argument(help: "Scripts.") var files: [String]

  func run() throws {
    throw ExitCode(Shell.check(files: files))
  }
}

struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Serves the simulator's models over OpenAI's chat completions on 127.0.0.1.")

  @Option(help: "0 takes a free one.") var port: Int = 8642
  @Option(help: ArgumentHelp("What sim/flaky does: shares of requests.", valueName: "429=0.1,500=0.05,cut=0.05,stall=0"))
  var faults: String?
  @Option(help: "Requests a minute at most, for all models together; told in x-ratelimit headers.") var rpm: Int?
  @Flag(help: "Refuses everything for two seconds in every thirty, with 429 and 529 in turn.") var bursts = false
  @Option(help: "Ends by itself after this many seconds.") var seconds: Int?

  func run() throws {
    guard (0...65535).contains(port) else { throw ValidationError("--port takes 0 to 65535") }
    if let rpm, !(1...1_000_000).contains(rpm) { throw ValidationError("--rpm takes 1 to 1000000") }
    throw ExitCode(
      Shell.simulate(
        port: port, faults: try Shell.faults(faults), allowance: Shell.allowance(rpm: rpm, bursts: bursts), seconds: seconds))
  }
}

struct Reference: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the reference of commands, settings and functions as markdown.", shouldDisplay: false)

  func run() throws {
    print(Shell.reference)
  }
}

struct Format: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "fmt", abstract: "Lays scripts out; - is standard input to standard output.")

  @Flag(help: "Writes nothing; tells which are not laid out.") var check = false
  @Argument(help: "Scripts.") var files: [String]

  func run() throws {
    throw ExitCode(Shell.format(files: files, checking: check))
  }
}

/// `promptsh help map` tells about the language's `map`; the parser's own `help` knows only subcommands.
@main
enum Entry {
  static func main() {
    let arguments = CommandLine.arguments
    if arguments.count == 3, arguments[1] == "help", !["run", "check", "fmt", "simulate"].contains(arguments[2]) {
      Promptsh.exit(withError: ExitCode(Shell.help(arguments[2])))
    }
    Promptsh.main()
  }
}
