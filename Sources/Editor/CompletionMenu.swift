import Terminal
import TextWidth

/// The choices for the word at the cursor, shown under the text with their help; Tab goes through them.
struct CompletionMenu {
  let choices: [Completion]
  /// Characters before the cursor that a choice replaces.
  let replaced: Int
  private(set) var chosen: Int?

  init(_ choices: [Completion], replaced: Int) {
    (self.choices, self.replaced) = (choices, replaced)
  }

  mutating func step(_ by: Int) {
    guard let chosen else {
      self.chosen = by > 0 ? 0 : choices.count - 1
      return
    }
    self.chosen = (chosen + by + choices.count) % choices.count
  }

  var choice: Completion? { chosen.map { choices[$0] } }

  /// - Parameter rows: at most so many.
  func rows(width: Int, rows most: Int, colour: Bool) -> [StyledText] {
    let room = max(1, most - 1)
    let start = max(0, min((chosen ?? 0) - room / 2, choices.count - room))
    let shown = choices[start..<min(choices.count, start + room)]
    let names = shown.map { ControlGuard.line($0.text) }
    let column = min(names.map { DisplayWidth.of($0) }.max() ?? 0, max(8, width / 2))
    var rows = zip(shown.indices, names).map { index, name -> StyledText in
      let mark = index == chosen ? "▸ " : "  "
      let name = String(DisplayWidth.prefix(name[...], width: column))
      let padding = String(repeating: " ", count: max(0, column - DisplayWidth.of(name)))
      let note = DisplayWidth.prefix(ControlGuard.line(choices[index].note)[...], width: max(0, width - column - 6))
      var row = StyledText(
        String(DisplayWidth.prefix((mark + name)[...], width: max(1, width - 1))), index == chosen && colour ? .chosen : .plain)
      if !note.isEmpty { row.append("\(padding)  \(note)", colour ? .hint : .plain) }
      return row
    }
    if choices.count > shown.count { rows.append(StyledText("  … \(choices.count - shown.count) more")) }
    return rows
  }
}
