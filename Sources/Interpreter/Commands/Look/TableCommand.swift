import Language

extension CommandDefinition {
  static let table = CommandDefinition(
    name: "table", group: .look, summary: "shows rows as a table, a long one through $PAGER", usage: ["rows | table --all --wide"],
    arguments: 0...1, takesInput: true,
    flags: [
      FlagDefinition(name: "all", summary: "every row", isSwitch: true),
      FlagDefinition(name: "wide", summary: "no cell is cut", isSwitch: true),
    ], showsItself: true, examples: ["[{a: 1}, {a: 2}] | table"], run: showValue)
}
