/// What the text was before each change. Characters typed in a row are one change, a word at a time.
struct UndoStack {
  struct Moment: Equatable {
    var text: String
    var cursor: Int
  }

  private var past: [Moment] = []
  private var present = Moment(text: "", cursor: 0)
  private var isTyping = false
  private static let most = 500

  mutating func begin(_ text: String, _ cursor: Int) {
    past = []
    present = Moment(text: text, cursor: cursor)
    isTyping = false
  }

  /// Looks at the text after a key.
  mutating func note(_ text: String, _ cursor: Int) {
    guard text != present.text else {
      present.cursor = cursor
      return
    }
    let typed = cursor == present.cursor + 1 && text.unicodeScalars.count == present.text.unicodeScalars.count + 1
    let isWord = typed && cursor > 0 && text.unicodeScalars.dropFirst(cursor - 1).first != " "
    if !(isTyping && isWord) {
      past.append(present)
      if past.count > Self.most { past.removeFirst() }
    }
    isTyping = isWord
    present = Moment(text: text, cursor: cursor)
  }

  mutating func undo() -> Moment? {
    guard let last = past.popLast() else { return nil }
    present = last
    isTyping = false
    return last
  }
}
