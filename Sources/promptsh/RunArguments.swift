import Shell

/// What `promptsh` was asked to do, where it was not asked for a subcommand.
///
/// Read by hand: swift-argument-parser takes 12 million instructions for this, of the 19 that a whole start took, since every
/// cast in it looks through all conformances of the program. What this does not understand goes there, for its words.
struct RunArguments {
  var texts: [String] = []
  var model: String?
  var faults: String?
  var control: String?
  /// The script and its arguments, the arguments alone (after `-e`), or the words of a prompt (after `-m`).
  var rest: [String] = []

  init() {}

  /// - Parameter arguments: without the program's name. Options stand before the first word that is none; from it on everything
  ///   belongs to the script. `--` ends them. `run` may stand first.
  /// - Returns: nil for another subcommand, `--help` and the like, and for what is wrong.
  init?(_ arguments: [String], subcommands: [String]) {
    var index = 0
    if let first = arguments.first {
      if first == "run" { index = 1 } else if subcommands.contains(first) { return nil }
    }
    while index < arguments.count {
      let argument = arguments[index]
      if argument == "--" {
        index += 1
        break
      }
      // `-` alone is standard input.
      guard argument.utf8.first == UInt8(ascii: "-"), argument.utf8.count > 1 else { break }
      if let option = RunOption.all.first(where: { $0.spellings.contains(argument) }) {
        guard index + 1 < arguments.count else { return nil }
        option.put(&self, arguments[index + 1])
        index += 2
      } else if let (option, value) = RunArguments.joined(argument) {
        option.put(&self, value)
        index += 1
      } else {
        return nil
      }
    }
    rest = Array(arguments[index...])
  }

  /// `--model=openai/gpt-4o-mini`
  private static func joined(_ argument: String) -> (RunOption, String)? {
    guard argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") else { return nil }
    guard let option = RunOption.all.first(where: { $0.spellings.contains(String(argument[..<equals])) }) else { return nil }
    return (option, String(argument[argument.index(after: equals)...]))
  }

  /// Does it; returns the exit status.
  func run() throws(Shell.Misuse) -> Int32 {
    let options = Shell.Options(faults: try Shell.faults(faults), model: try Shell.model(model), control: control)
    if !texts.isEmpty { return Shell.run(text: texts.joined(separator: "\n"), named: "-e", arguments: rest, options) }
    if model != nil, !Shell.isScript(rest) { return Shell.ask(rest, options) }
    if let file = rest.first { return Shell.run(file: file, arguments: Array(rest.dropFirst()), options) }
    return Shell.prompt(options)
  }
}
