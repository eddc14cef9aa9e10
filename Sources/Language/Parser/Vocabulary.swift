/// The words the parser must know to tell a command from an expression. It comes from the command registry, so that a new command
/// needs no change here.
public struct Vocabulary: Sendable {
  public var commands: Set<String>
  /// Commands whose arguments are words: `set model openai/gpt-4o-mini`.
  public var wordCommands: Set<String>
  /// Flags that take no value.
  public var switches: Set<String>
  /// Built-in functions; some share their name with a command (`count`).
  public var functions: Set<String>
  /// Variables of the session that share their name with a command.
  public var variables: Set<String> = []

  public init(commands: Set<String> = [], wordCommands: Set<String> = [], switches: Set<String> = [], functions: Set<String> = []) {
    self.commands = commands
    self.wordCommands = wordCommands
    self.switches = switches
    self.functions = functions
  }

  /// Words that begin statements or are operators, and can name nothing.
  public static let keywords: Set<String> = [
    "let", "prompt", "def", "if", "else", "for", "in", "try", "catch", "return", "on", "true", "false", "nothing", "and", "or",
    "not", "contains", "matches",
  ]

  /// Those that cannot stand where a value is expected. The others can be names of fields: `select prompt`.
  static let notValues = keywords.subtracting(["prompt", "on"])

  static let operatorWords: Set<String> = ["and", "or", "in", "not", "contains", "matches"]
}
