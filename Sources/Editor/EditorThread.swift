import CEdit
import Terminal
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Runs on the editor's thread: owns terminal mode, libedit and screen. Not Sendable; made and used there alone.
final class EditorThread {
  let editor: LineEditor
  private var libedit: OpaquePointer?
  private(set) var isVi = false
  var screen = Screen()
  var keys = KeyReader()
  private let mode = TerminalMode.ofInput
  private var continuation = ""
  private(set) var size = Screen.size
  var outcome: Edited?
  var pasted = ""
  private var inputEnded = false
  /// What stands over the plain editing of the line.
  var menu: CompletionMenu?
  var search: HistorySearch?
  var walk: HistoryWalk?
  private var undoStack = UndoStack()
  /// What was killed last; ^Y puts it back.
  var killed = ""
  private var styled: (text: String, cursor: Int, runs: [StyledRun]?, hint: String) = ("", -1, nil, "")

  init(_ editor: LineEditor) {
    self.editor = editor
  }

  /// Whether lines can be edited.
  func prepare() -> LineEditor.Opening {
    var problem: UnsafePointer<CChar>?
    libedit = ce_create(
      "promptsh", Unmanaged.passUnretained(self).toOpaque(),
      { editor, key in EditorThread.of(editor)?.readKey(key) ?? 0 }, &problem)
    guard let libedit else { return .plain(problem: problem.map { String(cString: $0) }) }
    bindKeys(libedit)
    isVi = ce_is_vi(libedit) != 0
    return ce_is_editing(libedit) == 0 ? .plain(problem: nil) : .editor(editor)
  }

  func run() {
    while true {
      guard let request = editor.takeRequest() else {
        waitForWake()
        continue
      }
      continuation = request.continuation
      let result = edit(request.initial, request.cursor)
      // Whoever posts from now on writes to the screen itself; what came before is printed here.
      let rest = editor.stopReading()
      if !rest.isEmpty {
        var out = Drawing()
        out.text(rest)
        Screen.write(out)
      }
      request.reply.resume(returning: result)
    }
  }

  private func waitForWake() {
    var waiting = pollfd(fd: editor.wake.readEnd, events: Int16(POLLIN), revents: 0)
    poll(&waiting, 1, -1)
    // Nobody edits: a request to stop is obeyed as the system would, unless keys are read, and somebody else gives the terminal back.
    if editor.wake.clear().contains(SIGTSTP), !mode.isRead, WakePipe.takeStopRequest() { mode.suspend() }
  }

  // MARK: one statement

  private func edit(_ initial: String, _ cursor: Int?) -> Edited {
    guard let libedit, !inputEnded, waitForTerminal() else { return .gone }
    mode.enter(pastes: true)
    // An interruption is of the line that stands there, none of the next.
    _ = editor.takeInterrupt()
    // Asked to stop while the keys were given from one to the other: each may have left it to us.
    if WakePipe.takeStopRequest() { suspend() }
    keys.append(PendingInput.take())
    (outcome, pasted, menu, search, walk) = (nil, "", nil, nil, nil)
    styled = ("", -1, nil, "")
    size = Screen.size
    if !initial.isEmpty { offered = (initial, cursor) }
    undoStack.begin("", 0)
    var count: Int32 = 0
    _ = ce_read(libedit, &count)
    let result = outcome ?? .end
    PendingInput.leave(keys.takeRest())
    mode.rest(pastes: true)
    return result
  }

  /// A text to begin with; libedit empties its buffer when it begins to read, so it is put there with the first key.
  private var offered: (text: String, cursor: Int?)?

  // MARK: the text

  var line: (text: String, cursor: Int) {
    guard let libedit else { return ("", 0) }
    var (length, cursor) = (0, 0)
    guard let buffer = ce_line(libedit, &length, &cursor) else { return ("", 0) }
    var view = String.UnicodeScalarView()
    for index in 0..<length { view.append(Unicode.Scalar(UInt32(bitPattern: buffer[index])) ?? "\u{FFFD}") }
    return (String(view), cursor)
  }

  func replace(_ text: String, cursor: Int? = nil) {
    guard let libedit else { return }
    let wide = EditorThread.wide(text)
    ce_replace(libedit, wide, cursor ?? wide.count - 1)
  }

  func move(to cursor: Int) {
    if let libedit { ce_move(libedit, cursor) }
  }

  func insert(_ text: String) {
    if let libedit { _ = ce_insert(libedit, EditorThread.wide(text)) }
  }

  func deleteBefore(_ count: Int) {
    if let libedit { ce_delete_before(libedit, Int32(count)) }
  }

  static func wide(_ text: String) -> [wchar_t] { text.unicodeScalars.map { wchar_t(bitPattern: $0.value) } + [0] }

  /// Keys that came in one read are changes of their own, as if each had come by itself. In a long text those are not looked at that are
  /// mere typing, for a look takes all of it in.
  private func noteChange(before key: Key) {
    guard let libedit else { return }
    if case .character(let scalar) = key, scalar.value >= 0x20 {
      var (length, cursor) = (0, 0)
      _ = ce_line(libedit, &length, &cursor)
      if length > 1000 { return }
    }
    let (text, cursor) = line
    undoStack.note(text, cursor)
  }

  func undo() {
    let (text, cursor) = line
    undoStack.note(text, cursor)
    if let moment = undoStack.undo() { replace(moment.text, cursor: moment.cursor) }
  }

  /// What stands dim behind the text.
  var hint: String { styled.hint }

  // MARK: drawing

  func layout(isFinal: Bool = false) -> Layout {
    let width = max(size.columns, 4)
    if let search, !isFinal {
      let prompt = "\(search.found ? "" : "nothing more ")search `\(search.query)`: "
      let text = search.match
      let runs = editor.delegate.colour(text, text.unicodeScalars.count) ?? []
      return Layout(
        prompt: prompt, continuation: continuation, text: text, cursor: text.unicodeScalars.count, width: width, runs: runs,
        promptStyle: runs.isEmpty ? .plain : .prompt
      ).window(height: max(size.rows - 1, 1))
    }
    let (text, cursor) = line
    if text != styled.text || cursor != styled.cursor {
      let atEnd = cursor == text.unicodeScalars.count
      styled = (text, cursor, editor.delegate.colour(text, cursor), atEnd && !isFinal ? editor.history.rest(of: text) : "")
    }
    let runs = styled.runs
    // A hint can be told from the text by its colour alone.
    var layout = Layout(
      prompt: editor.delegate.prompt(), continuation: continuation, text: text, cursor: isFinal ? text.unicodeScalars.count : cursor,
      width: width, runs: runs ?? [], hint: runs == nil || isFinal || menu != nil ? "" : styled.hint,
      promptStyle: runs == nil ? .plain : .prompt)
    guard let menu, !isFinal, size.rows > 3 else { return layout.window(height: max(size.rows - 1, 1)) }
    let below = menu.rows(width: width, rows: max(1, min(12, size.rows / 2)), colour: runs != nil)
    layout = layout.window(height: max(1, size.rows - 1 - below.count))
    layout.rows += below
    return layout
  }

  func draw() { screen.draw(layout(), above: editor.takeAbove()) }

  // MARK: keys

  /// libedit asks for a key: draw what there is, then wait for the terminal or a wake-up.
  private func readKey(_ key: UnsafeMutablePointer<wchar_t>?) -> Int32 {
    guard let key else { return 0 }
    if let (text, cursor) = offered {
      offered = nil
      replace(text, cursor: cursor)
    }
    while true {
      if outcome != nil { return 0 }
      if let next = keys.next() {
        noteChange(before: next)
        if let code = meaning(of: next) {
          key.pointee = wchar_t(bitPattern: code)
          return 1
        }
        continue
      }
      let (text, cursor) = line
      undoStack.note(text, cursor)
      draw()
      waitForInput()
      if inputEnded {
        outcome = .gone
        return 0
      }
    }
  }

  private func waitForInput() {
    while true {
      // select, not poll: on macOS poll reports a terminal as invalid.
      var set = fd_set()
      let wake = editor.wake.readEnd
      withUnsafeMutableBytes(of: &set) { bits in
        for descriptor in [0, Int(wake)] { bits[descriptor / 8] |= 1 << UInt8(descriptor % 8) }
      }
      // What may be the start of a sequence is a key of its own when nothing follows.
      var timeout = timeval(tv_sec: 0, tv_usec: 40_000)
      let ready = keys.awaitsMore ? select(wake + 1, &set, nil, nil, &timeout) : select(wake + 1, &set, nil, nil, nil)
      if ready < 0 {
        if errno == EINTR { continue }
        inputEnded = true
        return
      }
      if ready == 0 {
        keys.becomeLate()
        return
      }
      let (hasKey, isWoken) = withUnsafeBytes(of: &set) { bits in (bits[0] & 1 != 0, bits[Int(wake) / 8] & (1 << UInt8(wake % 8)) != 0) }
      if isWoken {
        heed(editor.wake.clear())
        if editor.takeNewChoices() { renewMenu() }
        if editor.takeInterrupt() { keys.append([3]) }
      }
      if hasKey {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = readBytes(0, &bytes, bytes.count)
        if count > 0 { keys.append(bytes.prefix(count)) } else if count == 0 || errno != EINTR { inputEnded = true }
      }
      return
    }
  }

  private func heed(_ signals: Set<Int32>) {
    if signals.contains(SIGTSTP), WakePipe.takeStopRequest() { suspend() }
    if signals.contains(SIGCONT) {
      mode.renew(pastes: true)
      takeTerminal()
      screen.forget()
      size = Screen.size
    }
    if signals.contains(SIGWINCH) { resize() }
  }

  /// A window that is being dragged changes many times: wait until it rests.
  private func resize() {
    var waiting = pollfd(fd: editor.wake.readEnd, events: Int16(POLLIN), revents: 0)
    var others: Set<Int32> = []
    while poll(&waiting, 1, 40) > 0 {
      let signals = editor.wake.clear()
      others.formUnion(signals.subtracting([SIGWINCH]))
      if !signals.contains(SIGWINCH) { break }
    }
    // Whatever else came meanwhile is not forgotten.
    defer { heed(others) }
    let now = Screen.size
    guard now != size else { return }
    size = now
    screen.resized(to: size.columns)
  }

  /// ^Z: the shell that started us takes over, until it says go on.
  func suspend() {
    screen.erase()
    mode.leave(pastes: true)
    stopProcess(SIGTSTP)
    takeTerminal()
    size = Screen.size
  }

  /// Goes on when the program is in front; a prompt that `bg` sends on stops again, for there is nothing it could do without keys.
  private func takeTerminal() {
    if waitForTerminal() { mode.enter(pastes: true) } else { inputEnded = true }
  }

  func editOutside() {
    let text = line.text
    screen.erase()
    mode.leave(pastes: true)
    let edited = awaitEdited(text)
    // Whoever closed the window meanwhile closed it for us too.
    takeTerminal()
    size = Screen.size
    screen.forget()
    if let edited { replace(edited) }
  }

  /// Another program has the terminal until it ends; ^Z stops it, and with it us.
  private func awaitEdited(_ text: String) -> String? {
    let outcome = Mutex<(isThere: Bool, text: String?)>((false, nil))
    editor.delegate.editOutside(text) { [editor] edited in
      outcome.withLock { $0 = (true, edited) }
      editor.wake.wake()
    }
    while !outcome.withLock({ $0.isThere }) { waitForWake() }
    // What came meanwhile for the line was cleared with it, and is looked at by the next wake.
    editor.wake.wake()
    return outcome.withLock { $0.text }
  }

  static func of(_ editor: OpaquePointer?) -> EditorThread? {
    guard let editor, let context = ce_context(editor) else { return nil }
    return Unmanaged<EditorThread>.fromOpaque(context).takeUnretainedValue()
  }
}
