import CEdit
import Synchronization

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
  /// ^D on an empty line, or the terminal went away.
  case end
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

/// What the editor asks its owner about the text.
public struct EditorDelegate: Sendable {
  /// Whether Enter submits; else it adds a line.
  public var isComplete: @Sendable (String) -> Bool
  /// The completions for the word that ends at the cursor, and how many characters of it they replace.
  public var complete: @Sendable (_ text: String, _ cursor: Int) -> (replaced: Int, choices: [Completion])

  public init(
    isComplete: @escaping @Sendable (String) -> Bool, complete: @escaping @Sendable (String, Int) -> (replaced: Int, choices: [Completion])
  ) {
    self.isComplete = isComplete
    self.complete = complete
  }
}

/// The line editor: a thread of its own that owns terminal, libedit and screen. Others post to its inbox and wake it.
///
/// libedit keeps keys and buffer, and we draw (`facts.md`, "The line editor"): text can be printed above the line being typed at any
/// moment without disturbing it.
public final class LineEditor: Sendable {
  struct Request {
    var prompt: String
    var continuation: String
    var reply: CheckedContinuation<Edited, Never>
  }

  private struct Inbox {
    var request: Request?
    var above = ""
    var isReading = false
    var isWoken = false
  }

  private let inbox = Mutex(Inbox())
  private let wakePipe: (read: Int32, write: Int32)
  let history: History
  let delegate: EditorDelegate

  /// Nil where standard input is no terminal that can be edited on.
  public init?(history: History, delegate: EditorDelegate) {
    guard isatty(0) == 1, isatty(1) == 1 else { return nil }
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    guard !term.isEmpty, term != "dumb" else { return nil }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    wakePipe = (ends[0], ends[1])
    self.history = history
    self.delegate = delegate
    setlocale(LC_CTYPE, "C.UTF-8")
    EditorThread.start { [self] in EditorThread(self).run() }
  }

  /// Edits one statement, over as many lines as it takes.
  public func read(prompt: String, continuation: String) async -> Edited {
    await withCheckedContinuation { reply in
      inbox.withLock { $0.request = Request(prompt: prompt, continuation: continuation, reply: reply) }
      wake()
    }
  }

  /// Prints text above the line being typed. False where no line is being typed: the caller writes itself.
  public func printAbove(_ text: String) -> Bool {
    let isTaken = inbox.withLock { inbox in
      guard inbox.isReading || inbox.request != nil else { return false }
      inbox.above += text
      return true
    }
    if isTaken { wake() }
    return isTaken
  }

  private func wake() {
    let isNeeded = inbox.withLock { inbox in
      defer { inbox.isWoken = true }
      return !inbox.isWoken
    }
    if isNeeded {
      var byte: UInt8 = 1
      _ = write(wakePipe.write, &byte, 1)
    }
  }

  // MARK: for the thread

  var wakeDescriptor: Int32 { wakePipe.read }

  func clearWake() {
    inbox.withLock { $0.isWoken = false }
    var bytes = [UInt8](repeating: 0, count: 64)
    while readBytes(wakePipe.read, &bytes, 64) > 0 {}
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
