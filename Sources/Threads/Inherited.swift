#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the program was started with and gives to its children again: signals that were ignored, the limit of open files.
public enum Inherited {
  /// What is ignored at the start stays so (`nohup`, `trap '' INT`), for us and for our children. Looked at once, before the program
  /// changes any of them: `capture` is the first thing `main` does.
  public static let ignoredSignals: Set<Int32> = {
    var ignored: Set<Int32> = []
    for number in Int32(1)..<32 {
      var action = sigaction()
      guard sigaction(number, nil, &action) == 0 else { continue }
      #if canImport(Glibc)
        let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      #else
        let handler = unsafeBitCast(action.__sigaction_u.__sa_handler, to: Int.self)
      #endif
      if handler == unsafeBitCast(SIG_IGN, to: Int.self) { ignored.insert(number) }
    }
    return ignored
  }()

  /// The soft limit of open files; nil where there is none.
  public static let openFiles = SystemLimit.openFiles.value

  /// On the main thread, which is the one that takes signals: a parent that left them blocked did not mean us to be deaf.
  public static func capture() {
    _ = ignoredSignals
    _ = openFiles
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_UNBLOCK, &all, nil)
  }
}

/// The same, for a handler that wants to know whether a process sent the signal (`kill`) or a key of the terminal did.
@discardableResult
public func handleSignal(
  _ number: Int32, sender handler: @escaping @convention(c) (Int32, UnsafeMutablePointer<siginfo_t>?, UnsafeMutableRawPointer?) -> Void
) -> Bool {
  guard !Inherited.ignoredSignals.contains(number) else { return false }
  var action = sigaction()
  action.sa_flags = SA_SIGINFO | SA_RESTART
  #if canImport(Glibc)
    action.__sigaction_handler.sa_sigaction = handler
  #else
    action.__sigaction_u.__sa_sigaction = handler
  #endif
  return sigaction(number, &action, nil) == 0
}

/// Whether a process sent a signal. False for the terminal's keys; macOS does not tell.
public func isSent(_ information: UnsafeMutablePointer<siginfo_t>?) -> Bool {
  #if canImport(Glibc)
    return (information?.pointee.si_code ?? 0) <= 0
  #else
    return information?.pointee.si_code == SI_USER
  #endif
}

/// Handles a signal from now on. False, and nothing is changed, where it was ignored when the program started.
///
/// - Parameter handler: runs in the middle of anything; it may do only what POSIX calls async-signal-safe.
@discardableResult
public func handleSignal(_ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void) -> Bool {
  guard !Inherited.ignoredSignals.contains(number) else { return false }
  signal(number, handler)
  return true
}
