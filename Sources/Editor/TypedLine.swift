import Terminal

/// A line that is typed while something else has the terminal: the plain half of the editor's keys, without libedit.
public struct TypedLine: Sendable {
  private var scalars: [Unicode.Scalar] = []
  /// Offset in Unicode scalars, as libedit counts.
  public private(set) var cursor = 0
  private var killed: [Unicode.Scalar] = []
  private var past = UndoStack()

  public init() {}

  public init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    cursor = scalars.count
    past.begin(text, cursor)
  }

  public var text: String { String(String.UnicodeScalarView(scalars)) }
  public var isEmpty: Bool { scalars.isEmpty }

  /// Whether the line holds nothing but digits.
  public var isNumber: Bool { scalars.allSatisfy { ("0"..."9").contains($0) } }

  /// Takes a key in. Enter, ^C and whatever else is no matter of the text is the caller's.
  public mutating func take(_ key: Key) {
    if key == .character("\u{1F}") { return undo() }
    change(by: key)
    past.note(text, cursor)
  }

  private mutating func undo() {
    guard let moment = past.undo() else { return }
    scalars = Array(moment.text.unicodeScalars)
    cursor = moment.cursor
  }

  /// Tab: writes the rest of the word as far as all that it could be agree.
  ///
  /// - Parameter replaced: how many characters before the cursor the choices stand for.
  /// - Returns: what there is to choose from, where nothing could be written.
  public mutating func complete(_ choices: [Completion], replacing replaced: Int) -> [Completion] {
    guard !choices.isEmpty else { return [] }
    let common = choices.commonStart
    guard choices.count == 1 || common.unicodeScalars.count > replaced else { return choices }
    scalars.removeSubrange(max(0, cursor - replaced)..<cursor)
    cursor = max(0, cursor - replaced)
    insert(common)
    past.note(text, cursor)
    return []
  }

  private mutating func change(by key: Key) {
    switch key {
    case .character(let scalar): take(scalar)
    case .paste(let text): insert(EditorThread.withNewlines(text))
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(scalars.count, cursor + 1)
    case .home: cursor = LineMove.edge(text, cursor, -1)
    case .end: cursor = LineMove.edge(text, cursor, 1)
    case .up: cursor = LineMove.vertical(text, cursor, -1) ?? cursor
    case .down: cursor = LineMove.vertical(text, cursor, 1) ?? cursor
    case .delete: if cursor < scalars.count { scalars.remove(at: cursor) }
    case .wordLeft: cursor = LineMove.word(scalars, cursor, -1)
    case .wordRight: cursor = LineMove.word(scalars, cursor, 1)
    case .deleteWordLeft: kill(LineMove.word(scalars, cursor, -1), cursor)
    case .deleteWordRight: kill(cursor, LineMove.word(scalars, cursor, 1))
    case .upperWord, .lowerWord, .widen, .narrow, .previousChoice, .editOutside, .escape: break
    }
  }

  private mutating func take(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 1: take(.home)
    case 2: take(.left)
    case 4: take(.delete)
    case 5: take(.end)
    case 6: take(.right)
    case 8, 127:
      guard cursor > 0 else { return }
      cursor -= 1
      scalars.remove(at: cursor)
    case 10: insert("\n")
    case 11: kill(cursor, scalars[cursor...].firstIndex(of: "\n") ?? scalars.count)
    case 14: take(.down)
    case 16: take(.up)
    case 21: kill(scalars[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0, cursor)
    case 23: take(.deleteWordLeft)
    case 25: insert(String(String.UnicodeScalarView(killed)))
    case 0..<0x20: break
    default: insert(String(Character(scalar)))
    }
  }

  public mutating func insert(_ text: String) {
    let added = Array(text.unicodeScalars)
    scalars.insert(contentsOf: added, at: cursor)
    cursor += added.count
  }

  private mutating func kill(_ start: Int, _ end: Int) {
    guard start < end else { return }
    killed = Array(scalars[start..<end])
    scalars.removeSubrange(start..<end)
    cursor = start
  }

  /// How it looks behind a prompt: at most so many rows, those around the cursor.
  public func rows(prompt: String, continuation: String, columns: Int, rows: Int) -> TypedRows {
    let layout = Layout(prompt: prompt, continuation: continuation, text: text, cursor: cursor, width: max(columns, 4)).window(
      height: max(1, rows))
    return TypedRows(rows: layout.rows, cursor: layout.cursor)
  }
}

/// Rows of a line that is being typed, and where in them the cursor stands.
public struct TypedRows: Sendable {
  public var rows: [StyledText]
  public var cursor: LiveBlock.Cursor

  public init(rows: [StyledText], cursor: LiveBlock.Cursor) { (self.rows, self.cursor) = (rows, cursor) }
}
