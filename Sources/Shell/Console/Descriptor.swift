import Terminal
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Where output could not go, in the system's words.
struct OutputProblem: Error, CustomStringConvertible {
  /// Of what could not be written.
  var name: String?
  var reason: String
  /// It was a terminal, and is gone.
  var isHangUp = false
  /// Whoever read the pipe has gone, and wants no more.
  var isReaderGone = false

  var description: String { name.map { "\($0): \(reason)" } ?? reason }
}

/// A file descriptor that is written whole or not at all, as far as the system lets us.
enum Descriptor {
  /// - Parameter gaveUp: asked five times a second while the descriptor (one whose writes do not block) takes nothing.
  /// - Throws: what the system said, e.g. that the disk is full or the pipe closed.
  static func write(
    _ bytes: some Collection<UInt8>, to descriptor: Int32, named name: String, unless gaveUp: () -> Bool = { Task.isCancelled }
  ) throws(OutputProblem) {
    let all = ContiguousArray(bytes)
    let failure: Int32 = all.withUnsafeBytes { buffer in
      var offset = 0
      while offset < buffer.count {
        #if canImport(Glibc)
          let count = Glibc.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
        #else
          let count = Darwin.write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
        #endif
        if count >= 0 {
          offset += count
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          // Whoever should read may have stopped.
          if poll(&waiting, 1, 200) == 0, gaveUp() { return ECANCELED }
        } else if errno != EINTR {
          return errno
        }
      }
      return 0
    }
    if failure != 0 {
      throw OutputProblem(
        name: name, reason: String(cString: strerror(failure)), isHangUp: failure == EIO && isCharacterDevice(descriptor),
        isReaderGone: failure == EPIPE)
    }
  }

  /// Copies all of a plain file to where another stands.
  ///
  /// - Returns: what went wrong.
  static func copy(_ file: Int32, to descriptor: Int32) -> String? {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var offset: off_t = 0
    while true {
      let count = pread(file, &buffer, buffer.count, offset)
      if count == 0 { return fsync(descriptor) == 0 ? nil : systemError() }
      if count < 0 {
        if errno == EINTR { continue }
        return systemError()
      }
      do throws(OutputProblem) { try write(buffer[..<count], to: descriptor, named: "") } catch { return error.reason }
      offset += off_t(count)
    }
  }

  /// Says something outside a session. What comes from outside (a file's name, an argument) is guarded where a person reads it.
  static func say(_ text: String, to descriptor: Int32, named name: String) throws(OutputProblem) {
    let shown = descriptor == 2 || isTerminal(descriptor) ? ControlGuard.clean(text) : text
    try write(Array(shown.utf8), to: descriptor, named: name)
  }

  private static func isCharacterDevice(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFCHR
  }

  /// Whether two descriptors are one file, pipe or terminal.
  static func areSame(_ one: Int32, _ other: Int32) -> Bool {
    var (first, second) = (stat(), stat())
    guard fstat(one, &first) == 0, fstat(other, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino && first.st_rdev == second.st_rdev
  }

  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Whether we are in the foreground of a terminal: false where the shell has given it to somebody else.
  static func isOurs(_ descriptor: Int32) -> Bool {
    let group = tcgetpgrp(descriptor)
    return group < 0 || group == getpgrp()
  }

  /// Columns and rows of a terminal; nil where it does not say.
  static func size(_ descriptor: Int32) -> (columns: Int, rows: Int)? {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
  }
}
