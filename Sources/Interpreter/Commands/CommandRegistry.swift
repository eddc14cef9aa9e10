import Language

/// Every command there is. A new one is a file with its definition and a row here.
public enum CommandRegistry {
  public static let all: [CommandDefinition] =
    [
      .ask, .stream, .chat, .map, .each,
      .gather, .jobs, .peek, .fg, .bg, .pause, .resume, .cancel, .retry, .together, .race, .timeout, .with, .why,
      .load, .save, .where, .select, .add, .sort, .take, .skip, .group, .summarize, .flatten, .unique, .shuffle, .sample, .join, .count,
      .show, .table, .print, .log, .watch,
      .set, .unset, .vars, .use, .models, .help, .history, .edit, .source, .import, .off, .exit, .system,
    ] + later

  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  public static func named(_ name: String) -> CommandDefinition? { byName[name] }

  /// Those that act on what runs or look at it, and so may run beside it and come from elsewhere.
  static let steering = all.filter { if case .always = $0.steers { true } else { false } }.map(\.name)

  /// Part of the language, not yet of the program.
  private static let later: [CommandDefinition] = [
    ("plot", CommandDefinition.Group.look), ("timeline", .look), ("diff", .look), ("report", .look), ("runs", .session),
  ].map { name, group in
    CommandDefinition(name: name, group: group, summary: "not yet", usage: [name], arguments: 0...99, takesInput: true) { call in
      throw call.error(
        "`\(name)` is not there yet", at: call.command.name.span,
        help: "it is part of the language and will come; `help` lists what there is")
    }
  }

  static let vocabulary = Vocabulary(
    commands: Set(all.map(\.name)), wordCommands: Set(all.filter(\.takesWords).map(\.name)),
    switches: Set(all.flatMap { $0.flags.filter(\.isSwitch).map(\.name) }), functions: Set(Functions.names))
}
