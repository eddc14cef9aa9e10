import CEdit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What keys mean, while a line is edited, a menu is open, or the history is searched.
extension EditorThread {
  /// The character libedit is given for a key: itself, or one of the private ones bound to a command. Nil where it is dealt with here.
  func meaning(of key: Key) -> UInt32? {
    if search != nil, let code = searching(key) { return code.value }
    if menu != nil, let code = choosing(key) { return code.value }
    if key != .up, key != .down { walk = nil }
    switch key {
    case .character(let scalar): return meaning(ofCharacter: scalar)
    case .paste(let text):
      pasted = EditorThread.withNewlines(text)
      return KeyCode.paste
    case .up: return KeyCode.previous
    case .down: return KeyCode.next
    case .left: return KeyCode.left
    case .right: return takeHint() ? KeyCode.refresh : KeyCode.right
    case .home: return KeyCode.home
    case .end: return takeHint() ? KeyCode.refresh : KeyCode.end
    case .delete: return KeyCode.delete
    case .wordLeft: return KeyCode.wordLeft
    case .wordRight: return KeyCode.wordRight
    case .deleteWordLeft: return KeyCode.deleteWordLeft
    case .deleteWordRight: return KeyCode.deleteWordRight
    case .upperWord: return KeyCode.upperWord
    case .lowerWord: return KeyCode.lowerWord
    case .widen: editor.delegate.adjust(1)
    case .narrow: editor.delegate.adjust(-1)
    case .editOutside:
      editOutside()
      return KeyCode.refresh
    // vi's way to its command mode; elsewhere the first half of a key, as slow hands and slow lines send it.
    case .escape:
      if isVi { return 0x1B }
      keys.holdMeta()
    case .previousChoice: break
    }
    return nil
  }

  private func meaning(ofCharacter scalar: Unicode.Scalar) -> UInt32? {
    switch scalar.value {
    case 3:
      screen.finish(layout(isFinal: true))
      outcome = .abandoned
      return nil
    case 4 where line.text.isEmpty:
      screen.finish(layout(isFinal: true))
      outcome = .end
      return nil
    case 12:
      screen.clear()
      return nil
    case 18:
      search = HistorySearch(editor.history.lines, original: line)
      return nil
    case 26:
      suspend()
      keys.dropRepeats(of: 0x1A)
      return nil
    case 0: return nil
    case 5 where takeHint(), 6 where takeHint(): return KeyCode.refresh
    case 13: return KeyCode.submit
    case 9: return KeyCode.complete
    default: return scalar.value
    }
  }

  /// Whether there was a hint at the cursor, which is text now.
  private func takeHint() -> Bool {
    let (text, cursor) = line
    guard !hint.isEmpty, cursor == text.unicodeScalars.count else { return false }
    insert(hint)
    return true
  }

  static func withNewlines(_ text: String) -> String {
    guard text.utf8.contains(0x0D) else { return text }
    var out = String.UnicodeScalarView()
    var lastWasReturn = false
    for scalar in text.unicodeScalars {
      if scalar == "\n", lastWasReturn { out.removeLast() }
      out.append(scalar == "\r" ? "\n" : scalar)
      lastWasReturn = scalar == "\r"
    }
    return String(out)
  }

  // MARK: over the line

  /// A key that was dealt with; what libedit is told, if anything.
  struct Taken {
    var value: UInt32?
  }

  /// Nil for a key that ends the search and then means what it always does.
  private func searching(_ key: Key) -> Taken? {
    guard case .character(let scalar) = key else {
      endSearch(accepting: key != .escape)
      return key == .escape ? Taken(value: KeyCode.refresh) : nil
    }
    switch scalar.value {
    case 18: search?.older()
    case 19: search?.newer()
    case 8, 127: search?.deleteLast()
    case 3, 7:
      endSearch(accepting: false)
      return Taken(value: KeyCode.refresh)
    case 13:
      endSearch(accepting: true)
      return Taken(value: KeyCode.submit)
    case 0x20...: search?.type(scalar)
    default:
      endSearch(accepting: true)
      return nil
    }
    return Taken(value: nil)
  }

  private func endSearch(accepting: Bool) {
    guard let search else { return }
    self.search = nil
    if accepting { replace(search.match) } else { replace(search.original.text, cursor: search.original.cursor) }
  }

  private func choosing(_ key: Key) -> Taken? {
    switch key {
    case .character("\t"), .down: menu?.step(1)
    case .previousChoice, .up: menu?.step(-1)
    case .escape: menu = nil
    case .character("\r") where menu?.choice != nil:
      takeChoice()
      return Taken(value: KeyCode.refresh)
    default:
      // Whatever else is typed goes on from the choice that stands there.
      let hadChoice = menu?.choice != nil
      if hadChoice { takeChoice() }
      menu = nil
      return nil
    }
    return Taken(value: nil)
  }

  private func takeChoice() {
    guard let menu, let choice = menu.choice else { return }
    deleteBefore(menu.replaced)
    insert(choice.text)
    self.menu = nil
  }

  // MARK: commands

  /// Enter submits when the whole text is complete, wherever the cursor stands; else it adds a line.
  fileprivate func submit() -> UInt8 {
    let (text, _) = line
    guard editor.delegate.isComplete(text) else {
      insert("\n")
      return UInt8(CC_REFRESH)
    }
    screen.finish(layout(isFinal: true))
    editor.history.add(text)
    outcome = .text(text)
    return UInt8(CC_EOF)
  }

  fileprivate func insertPaste() -> UInt8 {
    insert(pasted)
    pasted = ""
    return UInt8(CC_REFRESH)
  }

  /// Up and Down: from line to line within a text, and through the history from its first and last.
  fileprivate func recall(_ step: Int) -> UInt8 {
    let (text, cursor) = line
    if walk == nil, let moved = LineMove.vertical(text, cursor, step) {
      move(to: moved)
      return UInt8(CC_REFRESH)
    }
    var walk = walk ?? HistoryWalk(editor.history.lines, from: text)
    if let recalled = walk.step(step) { replace(recalled) }
    self.walk = walk
    return UInt8(CC_REFRESH)
  }

  /// Home and End: of the line, and from there of the whole text.
  fileprivate func edge(_ step: Int) -> UInt8 {
    let (text, cursor) = line
    move(to: LineMove.edge(text, cursor, step))
    return UInt8(CC_REFRESH)
  }

  fileprivate func complete() -> UInt8 {
    let (text, cursor) = line
    let (replaced, choices) = editor.delegate.complete(text, cursor)
    if choices.isEmpty { return UInt8(CC_NORM) }
    let common = choices.commonStart
    if choices.count == 1 || common.unicodeScalars.count > replaced {
      deleteBefore(replaced)
      insert(common)
    } else {
      menu = CompletionMenu(choices, replaced: replaced)
    }
    return UInt8(CC_REFRESH)
  }

  func renewMenu() {
    guard menu != nil else { return }
    let (text, cursor) = line
    let (replaced, choices) = editor.delegate.complete(text, cursor)
    menu = choices.isEmpty ? nil : CompletionMenu(choices, replaced: replaced)
  }

  // MARK: bindings

  func bindKeys(_ libedit: OpaquePointer) {
    // libedit keeps the pointers of the names: they are leaked on purpose.
    func add(_ name: String, _ function: @escaping ce_function) {
      let wide = EditorThread.wide(name)
      let kept = UnsafeMutablePointer<wchar_t>.allocate(capacity: wide.count)
      kept.initialize(from: wide, count: wide.count)
      ce_add_function(libedit, kept, function)
    }
    add("psh-submit") { editor, _ in EditorThread.of(editor)?.submit() ?? UInt8(CC_EOF) }
    add("psh-paste") { editor, _ in EditorThread.of(editor)?.insertPaste() ?? UInt8(CC_ERROR) }
    add("psh-previous") { editor, _ in EditorThread.of(editor)?.recall(-1) ?? UInt8(CC_ERROR) }
    add("psh-next") { editor, _ in EditorThread.of(editor)?.recall(1) ?? UInt8(CC_ERROR) }
    add("psh-complete") { editor, _ in EditorThread.of(editor)?.complete() ?? UInt8(CC_ERROR) }
    add("psh-home") { editor, _ in EditorThread.of(editor)?.edge(-1) ?? UInt8(CC_ERROR) }
    add("psh-end") { editor, _ in EditorThread.of(editor)?.edge(1) ?? UInt8(CC_ERROR) }
    bindKills(add)
    add("psh-refresh") { _, _ in UInt8(CC_REFRESH) }
    add("psh-undo") { editor, _ in
      EditorThread.of(editor)?.undo()
      return UInt8(CC_REFRESH)
    }
    // The user's own first: `bind -v` in it begins with new maps, so ours come after it.
    ce_source(libedit)
    for (key, command) in KeyCode.bindings { ce_bind(libedit, EditorThread.wide(key), EditorThread.wide(command)) }
    // Commands with memory faults, or that draw or read on their own.
    for key in KeyCode.lockedDown { ce_bind(libedit, EditorThread.wide(key), nil) }
    guard ce_is_vi(libedit) != 0 else { return }
    for (key, command) in KeyCode.viBindings { ce_bind_alternate(libedit, EditorThread.wide(key), EditorThread.wide(command)) }
    for key in KeyCode.viLockedDown { ce_bind_alternate(libedit, EditorThread.wide(key), nil) }
  }
}
