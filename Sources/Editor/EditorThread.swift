import CEdit

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs on the editor's thread: owns terminal mode, libedit and screen. Not Sendable; made and used there alone.
final class EditorThread {
  private let editor: LineEditor
  private var libedit: OpaquePointer?
  private var screen = Screen()
  private var keys = KeyReader()
  private var saved = termios()
  private var prompt = ""
  private var continuation = ""
  private var size = Screen.size
  private var outcome: Edited?
  private var pasted = ""
  private var inputEnded = false
  /// Where Up and Down are in the history; nil at the line being typed, which is kept in `draft`.
  private var place: Int?
  private var draft = ""

  init(_ editor: LineEditor) {
    self.editor = editor
  }

  static func start(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let context = Unmanaged.passRetained(Box(body)).toOpaque()
    var (all, old) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &old)
    #if canImport(Glibc)
      var thread = pthread_t()
      _ = pthread_create(
        &thread, nil,
        {
          Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body()
          return nil
        }, context)
      pthread_detach(thread)
    #else
      var thread: pthread_t?
      _ = pthread_create(
        &thread, nil,
        {
          Unmanaged<Box>.fromOpaque($0).takeRetainedValue().body()
          return nil
        }, context)
      if let thread { pthread_detach(thread) }
    #endif
    pthread_sigmask(SIG_SETMASK, &old, nil)
  }

  func run() {
    libedit = ce_create(
      "promptsh", Unmanaged.passUnretained(self).toOpaque(),
      { editor, key in EditorThread.of(editor)?.readKey(key) ?? 0 })
    if libedit != nil { bindKeys() }
    while true {
      guard let request = editor.takeRequest() else {
        waitForWake()
        continue
      }
      prompt = request.prompt
      continuation = request.continuation
      let result = edit()
      // Whoever posts from now on writes to the screen itself; what came before is printed here.
      let rest = editor.stopReading()
      if !rest.isEmpty { Screen.write(rest.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")) }
      request.reply.resume(returning: result)
    }
  }

  private func waitForWake() {
    var waiting = pollfd(fd: editor.wakeDescriptor, events: Int16(POLLIN), revents: 0)
    poll(&waiting, 1, -1)
    editor.clearWake()
  }

  // MARK: one statement

  private func edit() -> Edited {
    guard let libedit, !inputEnded else { return .end }
    makeRaw()
    (outcome, place, draft, pasted) = (nil, nil, "", "")
    size = Screen.size
    var count: Int32 = 0
    _ = ce_read(libedit, &count)
    let result = outcome ?? .end
    restore()
    return result
  }

  private func makeRaw() {
    tcgetattr(0, &saved)
    var raw = saved
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    raw.c_iflag &= ~tcflag_t(ICRNL | IXON)
    tcsetattr(0, TCSADRAIN, &raw)
    TerminalRescue.arm(saved)
    Screen.write("\u{1B}[?2004h")
  }

  private func restore() {
    Screen.write("\u{1B}[?2004l")
    tcsetattr(0, TCSADRAIN, &saved)
    TerminalRescue.disarm()
  }

  private var line: (text: String, cursor: Int) {
    guard let libedit else { return ("", 0) }
    var (length, cursor) = (0, 0)
    guard let buffer = ce_line(libedit, &length, &cursor) else { return ("", 0) }
    var view = String.UnicodeScalarView()
    for index in 0..<length { view.append(Unicode.Scalar(UInt32(bitPattern: buffer[index])) ?? "\u{FFFD}") }
    return (String(view), cursor)
  }

  private func replace(_ text: String, cursor: Int? = nil) {
    guard let libedit else { return }
    let wide = EditorThread.wide(text)
    ce_replace(libedit, wide, cursor ?? wide.count - 1)
  }

  static func wide(_ text: String) -> [wchar_t] { text.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0] }

  private func layout() -> Layout {
    let (text, cursor) = line
    return Layout(prompt: prompt, continuation: continuation, text: text, cursor: cursor, width: max(size.columns, 4)).window(
      height: max(size.rows - 1, 1))
  }

  // MARK: keys

  /// libedit asks for a key: draw what there is, then wait for the terminal or a wake-up.
  private func readKey(_ key: UnsafeMutablePointer<wchar_t>?) -> Int32 {
    guard let key else { return 0 }
    while true {
      if outcome != nil { return 0 }
      if let next = keys.next(isLate: false) {
        if let code = meaning(next) {
          key.pointee = wchar_t(bitPattern: code)
          return 1
        }
        continue
      }
      screen.draw(layout(), above: editor.takeAbove())
      waitForInput()
      if inputEnded {
        outcome = .end
        return 0
      }
    }
  }

  private func waitForInput() {
    var waitingKey = !keys.isEmpty
    while true {
      // select, not poll: on macOS poll reports a terminal as invalid.
      var set = fd_set()
      let wake = editor.wakeDescriptor
      withUnsafeMutableBytes(of: &set) { bits in
        for descriptor in [0, Int(wake)] { bits[descriptor / 8] |= 1 << UInt8(descriptor % 8) }
      }
      var timeout = timeval(tv_sec: 0, tv_usec: 40_000)
      let ready = waitingKey ? select(wake + 1, &set, nil, nil, &timeout) : selectForever(wake + 1, &set)
      if ready < 0 {
        if errno == EINTR { continue }
        inputEnded = true
        return
      }
      if ready == 0 {
        // Nothing followed: a lone ESC, or a character that never was finished.
        if let late = keys.next(isLate: true), let code = meaning(late) { keys.append(String(Character(Unicode.Scalar(code) ?? " ")).utf8) }
        waitingKey = false
        return
      }
      let (hasKey, isWoken) = withUnsafeBytes(of: &set) { bits in (bits[0] & 1 != 0, bits[Int(wake) / 8] & (1 << UInt8(wake % 8)) != 0) }
      if isWoken { editor.clearWake() }
      if hasKey {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = readBytes(0, &bytes, bytes.count)
        if count > 0 { keys.append(bytes.prefix(count)) } else if count == 0 || errno != EINTR { inputEnded = true }
      }
      resizeIfNeeded()
      return
    }
  }

  private func selectForever(_ count: Int32, _ set: inout fd_set) -> Int32 {
    // A resize sends no byte: look every now and then.
    var timeout = timeval(tv_sec: 0, tv_usec: 200_000)
    while true {
      var copy = set
      let ready = select(count, &copy, nil, nil, &timeout)
      if ready != 0 {
        set = copy
        return ready
      }
      timeout = timeval(tv_sec: 0, tv_usec: 200_000)
      if resizeIfNeeded() { screen.draw(layout(), above: editor.takeAbove()) }
    }
  }

  @discardableResult
  private func resizeIfNeeded() -> Bool {
    let now = Screen.size
    guard now != size else { return false }
    size = now
    let relaid = layout()
    screen.relaid(rows: relaid.rows.count, cursorRow: relaid.cursorRow)
    return true
  }

  /// The character libedit is given for a key: itself, or one of the private ones bound to a command. Nil where it is dealt with here.
  private func meaning(_ key: Key) -> UInt32? {
    switch key {
    case .character(let scalar):
      switch scalar.value {
      case 3:
        screen.finish(layout())
        outcome = .abandoned
        return nil
      case 4 where line.text.isEmpty:
        screen.finish(layout())
        outcome = .end
        return nil
      case 12:
        screen.clear()
        return nil
      case 26:
        suspend()
        return nil
      case 13: return KeyCode.submit
      case 9: return KeyCode.complete
      default: return scalar.value
      }
    case .paste(let text):
      pasted = text.split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\n").split(
        separator: "\r", omittingEmptySubsequences: false
      )
      .joined(separator: "\n")
      return KeyCode.paste
    case .up: return KeyCode.previous
    case .down: return KeyCode.next
    case .left: return KeyCode.left
    case .right: return KeyCode.right
    case .home: return KeyCode.home
    case .end: return KeyCode.end
    case .delete: return KeyCode.delete
    case .wordLeft: return KeyCode.wordLeft
    case .wordRight: return KeyCode.wordRight
    case .deleteWordLeft: return KeyCode.deleteWordLeft
    case .deleteWordRight: return KeyCode.deleteWordRight
    case .upperWord: return KeyCode.upperWord
    case .lowerWord: return KeyCode.lowerWord
    case .widen, .narrow: return nil
    }
  }

  private func suspend() {
    screen.erase()
    restore()
    raise(SIGTSTP)
    makeRaw()
    size = Screen.size
  }

  // MARK: commands

  /// Enter submits when the whole text is complete, wherever the cursor stands; else it adds a line.
  private func submit() -> UInt8 {
    let (text, _) = line
    guard editor.delegate.isComplete(text) else {
      if let libedit { _ = ce_insert(libedit, EditorThread.wide("\n")) }
      return UInt8(CC_REFRESH)
    }
    var whole = layout()
    whole.cursorRow = whole.rows.count - 1
    screen.finish(whole)
    editor.history.add(text)
    outcome = .text(text)
    return UInt8(CC_EOF)
  }

  private func insertPaste() -> UInt8 {
    if let libedit { _ = ce_insert(libedit, EditorThread.wide(pasted)) }
    pasted = ""
    return UInt8(CC_REFRESH)
  }

  /// Up and Down: within a text of several lines first, then through the history.
  private func recall(_ step: Int) -> UInt8 {
    let lines = editor.history.lines
    if place == nil {
      draft = line.text
      place = lines.count
    }
    let wanted = (place ?? lines.count) + step
    guard wanted >= 0, wanted <= lines.count else { return UInt8(CC_NORM) }
    place = wanted
    replace(wanted == lines.count ? draft : lines[wanted])
    if wanted == lines.count { place = nil }
    return UInt8(CC_REFRESH)
  }

  private func complete() -> UInt8 {
    let (text, cursor) = line
    let (replaced, choices) = editor.delegate.complete(text, cursor)
    guard let libedit, let first = choices.first else { return UInt8(CC_NORM) }
    let common = choices.dropFirst().reduce(first.text) { shared, choice in
      String(zip(shared, choice.text).prefix { $0 == $1 }.map(\.0))
    }
    if choices.count == 1 || common.unicodeScalars.count > replaced {
      ce_delete_before(libedit, Int32(replaced))
      _ = ce_insert(libedit, EditorThread.wide(common))
      return UInt8(CC_REFRESH)
    }
    let width = (choices.map(\.text.count).max() ?? 0) + 2
    let shown = choices.prefix(30).map { choice in
      String(
        (choice.text + String(repeating: " ", count: max(0, width - choice.text.count)) + choice.note).prefix(max(1, size.columns - 1)))
    }
    let more = choices.count > 30 ? ["… \(choices.count - 30) more"] : []
    screen.draw(layout(), above: (shown + more).joined(separator: "\n") + "\n")
    return UInt8(CC_REFRESH)
  }

  // MARK: bindings

  private static func of(_ editor: OpaquePointer?) -> EditorThread? {
    guard let editor, let context = ce_context(editor) else { return nil }
    return Unmanaged<EditorThread>.fromOpaque(context).takeUnretainedValue()
  }

  private func bindKeys() {
    guard let libedit else { return }
    ce_source(libedit)
    ce_use_emacs(libedit)
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
    for (key, command) in KeyCode.bindings { ce_bind(libedit, EditorThread.wide(key), EditorThread.wide(command)) }
    // Commands with memory faults, or that draw or read on their own.
    for key in KeyCode.lockedDown { ce_bind(libedit, EditorThread.wide(key), nil) }
  }
}
