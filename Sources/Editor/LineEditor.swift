import CEdit
import Terminal
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What came of editing a line.
public enum Edited: Sendable, Equatable {
  case text(String)
  /// ^C: the line is abandoned.
  case abandoned
  /// ^D on an empty line.
  case end
  /// The terminal went away, or will never be ours.
  case gone
}

/// A completion: what would replace the word before the cursor.
public struct Completion: Sendable, Equatable {
  public var text: String
  public var note: String

  public init(_ text: String, note: String = "") {
    self.text = text
    self.note = note
  }
}

extension [Completion] {
  /// What all of them begin with.
  var commonStart: String {
    guard let first else { return "" }
    return dropFirst().reduce(first.text) { shared, choice in String(zip(shared, choice.text).prefix { $0 == $1 }.map(\.0)) }
  }
}

/// What the editor asks its owner. All of it is asked on the editor's thread and must be quick.
public struct EditorDelegate: Sendable {
  /// Whether Enter submits; else it adds a line.
  public var isComplete: @Sendable (String) -> Bool = { _ in true }
  /// The completions for the word that ends at the cursor, and how many characters of it they replace.
  public var complete: @Sendable (_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion]) = { _, _ in (0, []) }
  /// The styles of a text's pieces; nil for no colour at all.
  public var colour: @Sendable (_ text: String, _ cursor: Int) -> [StyledRun]? = { _, _ in nil }
  /// Alt-+ and Alt--: the limit goes up or down by one.
  public var adjust: @Sendable (Int) -> Void = { _ in }
  /// Alt-E: begins to edit the text with another editor, which has the terminal meanwhile, and tells how that leaves it; nil where it
  /// failed. Told once, on whatever thread.
  public var editOutside: @Sendable (String, _ done: @escaping @Sendable (String?) -> Void) -> Void = { _, done in done(nil) }
  /// The prompt may have become another while the line is edited.
  public var prompt: @Sendable () -> String = { "> " }

  public init() {}
}

/// The line editor: a thread of its own that owns terminal, libedit and screen. Others post to its inbox and wake it.
///
/// libedit keeps keys and buffer, and we draw: text can be printed above the line being typed at any
/// moment without disturbing it.
public final class LineEditor: Sendable {
  struct Request {
    var continuation: String
    var initial: String
    var cursor: Int?
    var reply: CheckedContinuation<Edited, Never>
  }

  private struct Inbox {
    var request: Request?
    var above = ""
    var isReading = false
    var hasNewChoices = false
    var isInterrupted = false
  }

  private let inbox = Mutex(Inbox())
  let wake: WakePipe
  let history: History
  let delegate: EditorDelegate

  /// What came of an attempt to edit on the terminal.
  public enum Opening: Sendable {
    case editor(LineEditor)
    /// Lines are read as they come (`PlainLines`): why, where that is nobody's wish.
    case plain(problem: String?)
  }

  /// Begins to edit on standard input, if that can be: it is a terminal that can be drawn on, libedit is there, and the user did not
  /// turn it off (`edit off` in ~/.editrc).
  public static func open(history: History, delegate: EditorDelegate) async -> Opening {
    guard isatty(0) == 1, isatty(1) == 1 else { return .plain(problem: nil) }
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    if term.isEmpty || term == "dumb" { return .plain(problem: nil) }
    guard let wake = WakePipe() else { return .plain(problem: "the system gives no pipe (`ulimit -n`)") }
    let editor = LineEditor(wake, history, delegate)
    setlocale(LC_CTYPE, "C.UTF-8")
    return await withCheckedContinuation { continuation in
      startThread {
        let thread = EditorThread(editor)
        let opening = thread.prepare()
        if case .editor = opening { wake.receiveSignals() }
        continuation.resume(returning: opening)
        if case .editor = opening { thread.run() }
      } orHere: {
        continuation.resume(returning: .plain(problem: "the system gives no thread (`ulimit -u`)"))
      }
    }
  }

  private init(_ wake: WakePipe, _ history: History, _ delegate: EditorDelegate) {
    (self.wake, self.history, self.delegate) = (wake, history, delegate)
  }

  /// Edits one statement, over as many lines as it takes.
  ///
  /// - Parameters:
  ///   - initial: stands there to begin with.
  ///   - cursor: where the cursor stands in it, in Unicode scalars; nil for its end.
  public func read(continuation: String, initial: String = "", cursor: Int? = nil) async -> Edited {
    await withCheckedContinuation { reply in
      inbox.withLock { $0.request = Request(continuation: continuation, initial: initial, cursor: cursor, reply: reply) }
      wake.wake()
    }
  }

  /// Prints text above the line being typed. False where no line is being typed: the caller writes itself.
  public func printAbove(_ text: String) -> Bool {
    let isTaken = inbox.withLock { inbox in
      guard inbox.isReading || inbox.request != nil else { return false }
      inbox.above += text
      return true
    }
    if isTaken { wake.wake() }
    return isTaken
  }

  /// There is more to choose from than there was: a menu that is open is made anew.
  public func renewChoices() {
    inbox.withLock { $0.hasNewChoices = true }
    wake.wake()
  }

  /// As if ^C had been typed.
  public func interrupt() {
    inbox.withLock { $0.isInterrupted = true }
    wake.wake()
  }

  // MARK: for the thread

  func takeInterrupt() -> Bool {
    inbox.withLock { inbox in
      defer { inbox.isInterrupted = false }
      return inbox.isInterrupted
    }
  }

  func takeRequest() -> Request? {
    inbox.withLock { inbox in
      guard let request = inbox.request else { return nil }
      inbox.request = nil
      inbox.isReading = true
      return request
    }
  }

  func takeAbove() -> String {
    inbox.withLock { inbox in
      defer { inbox.above = "" }
      return inbox.above
    }
  }

  func takeNewChoices() -> Bool {
    inbox.withLock { inbox in
      defer { inbox.hasNewChoices = false }
      return inbox.hasNewChoices
    }
  }

  /// The line is done: from here on the screen is the console's. What was posted meanwhile is returned.
  func stopReading() -> String {
    inbox.withLock { inbox in
      inbox.isReading = false
      defer { inbox.above = "" }
      return inbox.above
    }
  }
}

@inline(__always)
func readBytes(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
  #if canImport(Glibc)
    Glibc.read(descriptor, buffer, count)
  #else
    Darwin.read(descriptor, buffer, count)
  #endif
}
