import ArgumentParser
import Shell

struct Promptsh: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promptsh",
    abstract: "A scripting shell for prompt experiments: fans prompts out to language models at a width you choose.",
    usage: """
      promptsh [OPTION …]                      the prompt
      promptsh [OPTION …] SCRIPT [ARGUMENT …]  runs a script; `args` holds what follows
      promptsh [OPTION …] -e TEXT              runs the text
      promptsh [OPTION …] -m MODEL WORD …      sends the words as one prompt
      promptsh SUBCOMMAND …
      """,
    discussion: """
      Options, which stand before the script; -- ends them:

      \(RunOption.overview)

      Exit status: 0 all well, 1 the script failed, 2 misused (usage, syntax), 3 some prompts failed, 130 interrupted, 141 nobody reads it.
      """,
    version: "promptsh \(Shell.version)",
    subcommands: [Run.self, Attach.self, Check.self, Format.self, Simulate.self, Reference.self],
    defaultSubcommand: Run.self)

  static let subcommands = ["run", "attach", "check", "fmt", "simulate", "reference"]
}

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Runs a script, an expression, or the prompt (the default).")

  @Option(name: RunOption.expression.names, parsing: .unconditionalSingleValue, help: RunOption.expression.argumentHelp)
  var expression: [String] = []

  @Option(name: RunOption.model.names, parsing: .unconditional, help: RunOption.model.argumentHelp)
  var model: String?

  @Option(name: RunOption.faults.names, parsing: .unconditional, help: RunOption.faults.argumentHelp)
  var faults: String?

  @Option(name: RunOption.control.names, parsing: .unconditional, help: RunOption.control.argumentHelp)
  var control: String?

  @Argument(help: "A script and its arguments, or the words of a prompt.")
  var rest: [String] = []

  func run() throws {
    var arguments = RunArguments()
    (arguments.texts, arguments.model, arguments.faults) = (expression, model, faults)
    arguments.control = control
    arguments.rest = rest
    throw ExitCode(try arguments.run())
  }
}

struct Attach: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Steers a session that runs elsewhere.",
    discussion: """
      A session listens while it has jobs (map, each, &). Without PID: attaches to the one there is, or lists them.
      Lines steer only: set of live settings, set … for JOB, jobs, why, peek, pause, resume, cancel, vars, help.

      Exit status: that of the first line that failed, 0 where none did; 4 where the session broke off without a word, as one that is
      killed does.
      """)

  @Option(
    name: .customShort("e"), parsing: .unconditionalSingleValue, help: ArgumentHelp("Runs this line there, and leaves.", valueName: "LINE"))
  var lines: [String] = []

  @Option(help: ArgumentHelp("The reason, kept with what the lines change.", valueName: "TEXT"))
  var why: String?

  @Argument(help: ArgumentHelp("The session's process, or the path of its socket.", valueName: "PID|PATH"))
  var target: String?

  func run() throws {
    throw ExitCode(Shell.attach(target, lines: lines, why: why))
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
  @Option(name: RunOption.faults.names, help: RunOption.faults.argumentHelp) var faults: String?
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
    throw ExitCode(Shell.told(Shell.reference))
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
