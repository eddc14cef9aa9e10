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
  func rows(width: Int, rows most: Int, colour: Bool) -> [String] {
    let room = max(1, most - 1)
    let start = max(0, min((chosen ?? 0) - room / 2, choices.count - room))
    let shown = choices[start..<min(choices.count, start + room)]
    let column = min(shown.map { DisplayWidth.of($0.text) }.max() ?? 0, max(8, width / 2))
    var rows = shown.indices.map { index in
      let choice = choices[index]
      let mark = index == chosen ? "▸ " : "  "
      let name = String(DisplayWidth.prefix(choice.text[...], width: column))
      let padding = String(repeating: " ", count: max(0, column - DisplayWidth.of(name)))
      let note = DisplayWidth.prefix(choice.note[...], width: max(0, width - column - 6))
      let text = String(DisplayWidth.prefix((mark + name)[...], width: max(1, width - 1)))
      let rest = note.isEmpty ? "" : "\(padding)  \(note)"
      guard colour else { return text + rest }
      return (index == chosen ? "\u{1B}[7m\(text)\u{1B}[0m" : text) + (rest.isEmpty ? "" : "\u{1B}[2m\(rest)\u{1B}[0m")
    }
    if choices.count > shown.count { rows.append("  … \(choices.count - shown.count) more") }
    return rows
  }
}
