import Language

/// A command: its name, signature, summary, examples and what it does. Help, completion, checks and the reference derive from
/// this, and the examples are run as tests.
public struct CommandDefinition: Sendable {
  /// What of a command acts on what runs, or looks at it: such a line runs at once. Any other waits for its turn.
  public enum Steering: Sendable {
    case never
    /// Whatever it is given.
    case always
    /// Where the setting is live, or is one job's.
    case liveSettings
    /// Behind a command that steers: it looks at the rows that come from there.
    case behind
  }

  public enum Group: String, Sendable, CaseIterable {
    case talk, concurrency, data, look, session
  }

  public var name: String
  public var group: Group
  public var summary: String
  /// What is typed, a form a line.
  public var usage: [String]
  /// Positional arguments when nothing comes through `|`; one fewer is enough when something does, where `takesInput`.
  public var arguments: ClosedRange<Int> = 0...0
  public var takesInput = false
  public var flags: [FlagDefinition] = []
  /// Takes the settings of a request as flags.
  public var takesRequestFlags = false
  /// Its arguments are words, not expressions.
  public var takesWords = false
  /// It shows what there is to see; its value is not shown again.
  public var showsItself = false
  /// Arguments in which a row's fields are names: they cannot be checked before there is a row.
  public var takesRowExpressions = false
  /// It only reads and computes: what it gives may be kept (see `Invariants`).
  public var onlyReads = false
  /// Whether a line of it acts on what runs, and so may run beside it (see `Session.steers`).
  public var steers = Steering.never
  /// Each can be run by itself against the simulator.
  public var examples: [String] = []
  var run: @Sendable (Invocation) async throws -> Flow

  init(
    name: String, group: Group, summary: String, usage: [String], arguments: ClosedRange<Int> = 0...0, takesInput: Bool = false,
    flags: [FlagDefinition] = [], takesRequestFlags: Bool = false, takesWords: Bool = false, showsItself: Bool = false,
    takesRowExpressions: Bool = false, onlyReads: Bool = false, steers: Steering = .never, examples: [String] = [],
    run: @escaping @Sendable (Invocation) async throws -> Flow
  ) {
    self.name = name
    self.group = group
    self.summary = summary
    self.usage = usage
    self.arguments = arguments
    self.takesInput = takesInput
    self.flags = flags
    self.takesRequestFlags = takesRequestFlags
    self.takesWords = takesWords
    self.showsItself = showsItself
    self.takesRowExpressions = takesRowExpressions
    self.onlyReads = onlyReads
    self.steers = steers
    self.examples = examples
    self.run = run
  }

  /// Every flag it takes.
  public var flagNames: [String] {
    flags.map(\.name) + (takesRequestFlags ? SettingDefinition.requestFlags.map(\.name) : [])
  }
}

public struct FlagDefinition: Sendable {
  public var name: String
  public var summary: String
  /// Takes no value.
  public var isSwitch = false
  /// What its value may be; a word that cannot be one is the name of a variable.
  var accepts = Accepts.anything

  enum Accepts: Sendable {
    case anything
    case whole(ClosedRange<Int>)
    case words([String])
    /// Records of settings and parameters.
    case cells
  }
}

extension FlagDefinition {
  /// - Throws: where a value cannot be this flag's.
  func check(_ value: Value) throws(OperationError) {
    switch accepts {
    case .anything: return
    case .cells:
      if case .record = value { return }
      throw OperationError(
        "`--\(name)` takes records of settings, not \(value.preview)", help: "--\(name) [{temperature: 0}, {temperature: 1}]")
    case .whole(let range):
      if case .int(let whole) = value, range.contains(whole) { return }
      let ends = range.upperBound == .max ? "" : " from \(range.lowerBound) to \(range.upperBound)"
      throw OperationError("`--\(name)` takes a whole number\(ends), not \(value.preview)")
    case .words(let words):
      if words.contains(value.text) { return }
      throw OperationError(
        "`--\(name)` takes \(words.joined(separator: ", ")), not \(value.preview)", help: Suggestion.help(for: value.text, among: words))
    }
  }
}
