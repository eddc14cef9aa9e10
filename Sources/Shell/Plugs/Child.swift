import Interpreter
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Other programs, started through the system's shell as we were started: with the signals that were ignored then, and the limit of
/// open files that the user has, whatever we do with ours.
enum Child {
  /// Runs a text of the shell's and waits for its end. Takes the calling thread.
  ///
  /// - Parameters:
  ///   - words: `$1`, `$2`, … of the text: what must never be read as shell text.
  ///   - handle: for whoever may have to end it.
  /// - Returns: its exit status, as a shell tells it: 128 and the number for a signal.
  static func run(_ text: String, _ words: [String] = [], handle: Handle) throws(FileProblem) -> Int {
    if handle.isInterrupted { return 128 + Int(SIGINT) }
    handle.began(try start(text, words, input: nil))
    return try handle.end()
  }

  /// Those that run or are about to, for the end of the program.
  private static let running = Mutex<[Handle]>([])

  /// Sends a signal to every program that runs or is about to.
  ///
  /// - Returns: the processes that it was sent to.
  @discardableResult
  static func signalAll(_ number: Int32) -> [pid_t] { running.withLock({ $0 }).flatMap { $0.signal(number) } }

  /// Waits for their ends, for so long at most: a program that was told to end gives the terminal back first. Blocks.
  static func awaitEnds(of processes: [pid_t], milliseconds: Int) {
    var left = milliseconds
    while left > 0, processes.contains(where: isAlive) {
      pauseThread(milliseconds: 5)
      left -= 5
    }
  }

  /// One that has ended and that nobody has asked about yet is not.
  private static func isAlive(_ process: pid_t) -> Bool {
    if kill(process, 0) != 0 { return false }
    #if canImport(Glibc)
      guard let file = fopen("/proc/\(process)/stat", "r") else { return false }
      defer { fclose(file) }
      var text = [UInt8](repeating: 0, count: 512)
      let count = fread(&text, 1, text.count, file)
      // Its name stands in brackets, and may hold any bytes; behind them stands the state.
      guard let end = text[..<count].lastIndex(of: UInt8(ascii: ")")), end + 2 < count else { return false }
      return ![UInt8(ascii: "Z"), UInt8(ascii: "X")].contains(text[end + 2])
    #else
      return true
    #endif
  }

  /// Whether ^C of the terminal is another program's: it gets it too, and does with it what it likes. One that does not run yet gets none.
  /// For the handler of the signal: what was so when the key was pressed counts.
  static let takesInterrupts = Atomic(false)

  /// Under the lock of those that run.
  private static func noteChange(_ running: [Handle]) {
    takesInterrupts.store(!running.isEmpty && running.allSatisfy(\.hasBegun), ordering: .relaxed)
  }

  /// A program that runs, for whoever may have to end it.
  final class Handle: Sendable {
    private struct State {
      /// 0 before it runs and once it is over: its number may be another's then.
      var child: pid_t = 0
      var hasBegun = false
      var isInterrupted = false
      /// A signal that came before it ran.
      var early: Int32?
    }

    private let state = Mutex(State())

    var isInterrupted: Bool { state.withLock { $0.isInterrupted } }
    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// SIGINT, as ^C sends it: to the shell and to what it runs. Also where it is about to be started.
    func interrupt() {
      state.withLock { $0.isInterrupted = true }
      signal(SIGINT)
    }

    @discardableResult
    func signal(_ number: Int32) -> [pid_t] {
      state.withLock { state in
        if state.child > 0 {
          let family = Child.family(of: state.child)
          for process in family { kill(process, number) }
          return family
        }
        if !state.hasBegun { state.early = number }
        return []
      }
    }

    /// Whoever gives it the terminal does so within this: a signal that comes before it runs is meant for it too.
    func whileRegistered<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
      Child.running.withLock { running in
        running.append(self)
        Child.noteChange(running)
      }
      defer {
        Child.running.withLock { running in
          running.removeAll { $0 === self }
          Child.noteChange(running)
        }
      }
      return try body()
    }

    fileprivate func began(_ child: pid_t) {
      let early = state.withLock { state in
        (state.child, state.hasBegun) = (child, true)
        return state.early
      }
      Child.running.withLock { Child.noteChange($0) }
      if let early { signal(early) }
    }

    fileprivate func end() throws(FileProblem) -> Int {
      let (child, isInterrupted) = state.withLock { ($0.child, $0.isInterrupted) }
      var information = siginfo_t()
      // Interrupted while it began: it may not have come to what it runs yet.
      while isInterrupted, waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT | WNOHANG) == 0, information.si_signo == 0 {
        interrupt()
        _ = poll(nil, 0, 20)
      }
      while waitid(P_PID, id_t(child), &information, WEXITED | WNOWAIT) < 0 { if errno != EINTR { break } }
      // Only now is its number given back.
      let status = state.withLock { state -> Int32? in
        state.child = 0
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 { if errno != EINTR { return nil } }
        return status
      }
      guard let status else { throw FileProblem("its end could not be waited for") }
      return status & 0x7F == 0 ? Int(status >> 8 & 0xFF) : 128 + Int(status & 0x7F)
    }
  }

  /// Runs a text of the shell's that reads `input`, and waits for its end. Whoever stops reading early has had enough.
  static func run(_ text: String, reading input: String, handle: Handle) throws(FileProblem) -> Int {
    if handle.isInterrupted { return 128 + Int(SIGINT) }
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw FileProblem(String(cString: strerror(errno))) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let child: pid_t
    do throws(FileProblem) { child = try start(text, [], input: ends[0]) } catch {
      close(ends[0])
      close(ends[1])
      throw error
    }
    close(ends[0])
    // Before it has read all there is: it may be told to end meanwhile.
    handle.began(child)
    try? Descriptor.write(Array(input.utf8), to: ends[1], named: text)
    close(ends[1])
    return try handle.end()
  }

  /// A process and those below it. The shell waits for what it runs and ends after it, whatever it is sent itself. (Where the system does
  /// not tell, the process alone.)
  private static func family(of process: pid_t) -> [pid_t] {
    guard let file = fopen("/proc/\(process)/task/\(process)/children", "r") else { return [process] }
    defer { fclose(file) }
    var (text, piece): ([UInt8], [UInt8]) = ([], [UInt8](repeating: 0, count: 4096))
    // To its end: half a number would be somebody else's.
    while true {
      let count = fread(&piece, 1, piece.count, file)
      if count == 0 { break }
      text += piece[..<count]
    }
    let children = String(decoding: text, as: UTF8.self).split(separator: " ")
    return [process] + children.compactMap { pid_t($0) }.flatMap(family)
  }

  private static func start(_ text: String, _ words: [String], input: Int32?) throws(FileProblem) -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var (none, defaults) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&defaults)
    for number in Inherited.ignoredSignals { sigdelset(&defaults, number) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input { posix_spawn_file_actions_adddup2(&actions, input, 0) }
    let arguments = ["sh", "-c", limited(text), "sh"] + words
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup(SystemText.bytes($0)) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var child = pid_t()
    let failed = posix_spawn(&child, "/bin/sh", &actions, &attributes, pointers, environ)
    guard failed == 0 else { throw FileProblem("the system's shell could not be started: \(String(cString: strerror(failed)))") }
    return child
  }

  /// A program of the user's choice (`$EDITOR`, `$PAGER`) as shell text. Where it is plain words the shell becomes it: one that waits for
  /// it ends of a ^C that the program has taken for itself, and the program's own end would be taken for that.
  static func chosen(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || " _./+,:@%-".utf8.contains(byte)
    }
    return isPlain ? "exec \(text)" : text
  }

  /// `posix_spawn` knows nothing of limits: the shell sets ours back before it reads the text.
  private static func limited(_ text: String) -> String {
    guard raisedDescriptorLimit, let limit = Inherited.openFiles else { return text }
    return "ulimit -S -n \(limit) 2>/dev/null; \(text)"
  }
}
