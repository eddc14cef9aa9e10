import ArgumentParser

/// An option of `promptsh` itself, as both who read the command line know it: `RunArguments`, which reads it, and
/// swift-argument-parser, which tells about it.
struct RunOption: Sendable {
  var short: Character?
  var long: String?
  /// What stands for its value in the help.
  var value: String
  var help: String
  var put: @Sendable (inout RunArguments, String) -> Void

  /// How it is written: `-m`, `--model`.
  var spellings: [String] { (short.map { ["-\($0)"] } ?? []) + (long.map { ["--\($0)"] } ?? []) }

  static let expression = RunOption(
    short: "e", long: nil, value: "TEXT", help: "Runs this text instead of a file; given more than once, one after the other."
  ) { $0.texts.append($1) }

  static let model = RunOption(
    short: "m", long: "model", value: "PROVIDER/NAME",
    help:
      "The model to start with. Words after it are one prompt, as they stand, with what is piped in before them; a file or NAME.psh is a script."
  ) { $0.model = $1 }

  static let faults = RunOption(
    short: nil, long: "faults", value: "429=0.1,500=0.05,cut=0.05,stall=0", help: "What sim/flaky does: shares of requests."
  ) { $0.faults = $1 }

  static let control = RunOption(
    short: nil, long: "control", value: "PATH|off", help: "Where `promptsh attach` reaches this session; off: nowhere."
  ) { $0.control = $1 }

  static let all = [expression, model, faults, control]
}

extension RunOption {
  var names: NameSpecification {
    NameSpecification((short.map { [.customShort($0)] } ?? []) + (long.map { [.customLong($0)] } ?? []))
  }

  var argumentHelp: ArgumentHelp { ArgumentHelp(help, valueName: value) }

  /// The options as lines of the program's own help, which otherwise tells of subcommands only.
  static let overview = all.map { "  \($0.spellings.joined(separator: ", ")) \($0.value)\n      \($0.help)" }.joined(separator: "\n")
}
