import CEdit

/// Killing and yanking, with a buffer of our own: libedit's takes in every single character that is deleted, and whatever we replace.
extension EditorThread {
  enum Kill {
    case lineEnd, lineStart, wordBefore, wordAfter
  }

  func kill(_ what: Kill) {
    let (text, cursor) = line
    let scalars = Array(text.unicodeScalars)
    var (start, end) = (cursor, cursor)
    switch what {
    case .lineEnd:
      end = scalars[cursor...].firstIndex(of: "\n") ?? scalars.count
      // At a line's end, the line end itself.
      if end == cursor, end < scalars.count { end += 1 }
    case .lineStart:
      start = scalars[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0
      if start == cursor, start > 0 { start -= 1 }
    case .wordBefore: start = LineMove.word(scalars, cursor, -1)
    case .wordAfter: end = LineMove.word(scalars, cursor, 1)
    }
    guard start < end else { return }
    killed = String(String.UnicodeScalarView(scalars[start..<end]))
    move(to: end)
    deleteBefore(end - start)
  }

  func bindKills(_ add: (String, @escaping ce_function) -> Void) {
    func kill(_ name: String, _ function: @escaping ce_function) { add(name, function) }
    kill("psh-kill-line") { editor, _ in EditorThread.kill(editor, .lineEnd) }
    kill("psh-kill-start") { editor, _ in EditorThread.kill(editor, .lineStart) }
    kill("psh-kill-word") { editor, _ in EditorThread.kill(editor, .wordBefore) }
    kill("psh-kill-next") { editor, _ in EditorThread.kill(editor, .wordAfter) }
    kill("psh-yank") { editor, _ in
      guard let thread = EditorThread.of(editor) else { return UInt8(CC_ERROR) }
      thread.insert(thread.killed)
      return UInt8(CC_REFRESH)
    }
  }

  private static func kill(_ editor: OpaquePointer?, _ what: Kill) -> UInt8 {
    EditorThread.of(editor)?.kill(what)
    return UInt8(CC_REFRESH)
  }
}
