import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the program does when it is told to stop. The signals are dealt with on a thread of their own, which nothing else can hold up:
/// not a computation, not a file that does not answer.
final class Signals: Sendable {
  private struct State {
    var onInterrupt: (@Sendable () -> Void)?
    var onTerminate: (@Sendable (Int32) -> Void)?
  }

  /// Beside the number of a signal, where a process sent it.
  private static let sent: UInt8 = 0x80
  /// Where another program has the terminal, and gets its ^C too.
  private static let others: UInt8 = 0x40

  private let state = Mutex(State())

  /// Where the handler writes to; set before it can run.
  nonisolated(unsafe) private static var pipeEnd: Int32 = -1

  /// Takes SIGINT, SIGTERM and SIGHUP over, each unless it was ignored when the program started; a closed pipe becomes an error of
  /// the write.
  ///
  /// - Parameters:
  ///   - onInterrupt: what ^C does until another is named: none is in vain, however early it comes.
  ///   - onTerminate: the same for the other two.
  /// - Returns: false where the system gives no pipe or no thread for it.
  @discardableResult
  func install(onInterrupt: @escaping @Sendable () -> Void, onTerminate: @escaping @Sendable (Int32) -> Void) -> Bool {
    state.withLock { ($0.onInterrupt, $0.onTerminate) = (onInterrupt, onTerminate) }
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return false }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    let readEnd = ends[0]
    guard startThread({ [weak self] in Signals.receive(readEnd) { self?.received($0, $1) } }) else { return false }
    Signals.pipeEnd = ends[1]
    // Made here, not within a handler.
    _ = Child.takesInterrupts.load(ordering: .relaxed)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      handleSignal(number) { number, information, _ in
        let saved = errno
        var byte = UInt8(truncatingIfNeeded: number) | (isSent(information) ? Signals.sent : 0)
        if Child.takesInterrupts.load(ordering: .relaxed) { byte |= Signals.others }
        _ = write(Signals.pipeEnd, &byte, 1)
        errno = saved
      }
    }
    return true
  }

  /// The thread: one signal after the other, as long as the program lasts.
  private static func receive(_ readEnd: Int32, _ handle: (_ number: Int32, _ marks: UInt8) -> Void) {
    var byte: UInt8 = 0
    while true {
      let count = read(readEnd, &byte, 1)
      if count == 1 { handle(Int32(byte & ~(sent | others)), byte & (sent | others)) } else if errno != EINTR { return }
    }
  }

  func onInterrupt(_ body: (@Sendable () -> Void)?) { state.withLock { $0.onInterrupt = body } }
  func onTerminate(_ body: (@Sendable (Int32) -> Void)?) { state.withLock { $0.onTerminate = body } }

  /// Whether a process sent the SIGINT that is dealt with, and no key of the terminal did.
  let wasSent = Atomic(false)

  /// ^C of the terminal is not ours while another program has it: it gets it as well, and may do something else than end (a pager, an
  /// editor). A SIGINT that a process sends is.
  private func received(_ number: Int32, _ marks: UInt8) {
    if number == SIGINT {
      if marks == Signals.others { return }
      wasSent.store(marks & Signals.sent != 0, ordering: .relaxed)
      state.withLock { $0.onInterrupt }?()
    } else {
      state.withLock { $0.onTerminate }?(number)
    }
  }
}

/// Opens as many descriptors as the system allows: every stream takes one, and the usual soft limit is 1,024 (macOS: 256). Programs
/// that we start get the user's own limit back (`HostSystem`).
func raiseDescriptorLimit() {
  if SystemLimit.openFiles.raise(to: 65_536) { hasRaisedLimit.store(true, ordering: .relaxed) }
}

private let hasRaisedLimit = Atomic(false)
/// Whether our limit is another than the user's.
var raisedDescriptorLimit: Bool { hasRaisedLimit.load(ordering: .relaxed) }
