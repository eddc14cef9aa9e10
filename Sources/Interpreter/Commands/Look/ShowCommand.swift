import Language

extension CommandDefinition {
  static let show = CommandDefinition(
    name: "show", group: .look, summary: "shows a value as the prompt does", usage: ["show x", "rows | show --all"], arguments: 1...1,
    takesInput: true,
    flags: [
      FlagDefinition(name: "all", summary: "every row", isSwitch: true),
      FlagDefinition(name: "wide", summary: "no cell is cut", isSwitch: true),
    ], showsItself: true, examples: ["show [1, 2, 3]"], run: showValue)
}
