import Language

extension CommandDefinition {
  static let show = CommandDefinition(
    name: "show", group: .look, summary: "shows a value, or again what was shown last; of one reply, all there is to it",
    usage: ["show x", "show r[3]", "rows | show --all", "show --wide"], arguments: 0...1,
    takesInput: true,
    flags: [
      FlagDefinition(name: "all", summary: "every row", isSwitch: true),
      FlagDefinition(name: "wide", summary: "no cell is cut", isSwitch: true),
    ], showsItself: true, examples: ["show [1, 2, 3]"], run: showValue)
}
