import ArgumentParser
import Names
import Shell

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@main
enum Entry {
  static func main() {
    if let problem = Shell.begin() { exit(Shell.cannotRun(problem)) }
    let arguments = Shell.startArguments
    do {
      exit(try status(of: arguments))
    } catch {
      report(error)
    }
  }

  private static func status(of arguments: [String]) throws -> Int32 {
    // `help map` tells about the language's `map`; the parser's own `help` knows only subcommands.
    if arguments.count == 2, arguments[0] == "help", !Promptsh.subcommands.contains(arguments[1]) { return Shell.help(arguments[1]) }
    if let plain = RunArguments(arguments, subcommands: Promptsh.subcommands + ["help"]) { return try plain.run() }
    var command = try parsed(arguments)
    try command.run()
    return 0
  }

  private static func parsed(_ arguments: [String]) throws -> any ParsableCommand {
    do { return try Promptsh.parseAsRoot(arguments) } catch {
      // Its words hold what was given as it stands.
      _ = try Promptsh.parseAsRoot(arguments.map(\.oneLine))
      throw error
    }
  }

  /// Help and the version are thrown too; whatever else is no status of its own was misuse.
  private static func report(_ error: any Error) -> Never {
    if let misuse = error as? Shell.Misuse { exit(Shell.misused(misuse.description)) }
    if Promptsh.exitCode(for: error) == .validationFailure { exit(Shell.misused(Promptsh.fullMessage(for: error), prefix: "")) }
    let message = Promptsh.fullMessage(for: error)
    if Promptsh.exitCode(for: error) == .success, !message.isEmpty { exit(Shell.told(message)) }
    Promptsh.exit(withError: error)
  }
}
