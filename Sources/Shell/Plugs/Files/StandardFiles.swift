import Interpreter
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The file system, as `load` and `save` reach it.
struct StandardFiles: Files {
  /// Standard output goes through the console, in turn with what `print` writes.
  let console: Console

  func open(_ path: String) throws(FileProblem) -> any FileReading {
    if path == "-" {
      // What is typed is data from now on, and steers nothing.
      console.leaveStandardInput()
      return FileReader(0) { [console] in console.noteTerminalGone() }
    }
    // A pipe that nobody writes is opened at once, and waited for where it is read: there it can be interrupted.
    let descriptor = systemOpen(expanded(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw FileProblem(systemError()) }
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      close(descriptor)
      throw FileProblem("this is a directory")
    }
    return FileReader(descriptor)
  }

  enum Presence {
    /// Something stands under the name, be it such that cannot be read.
    case there
    case nowhere
    /// Nothing can ever stand there: what should be a folder above it is none.
    case impossible
  }

  static func presence(_ path: String) -> Presence {
    var status = stat()
    if lstat(SystemText.bytes(path), &status) == 0 { return .there }
    return errno == ENOENT ? .nowhere : errno == ENOTDIR ? .impossible : .there
  }

  func resolved(_ path: String) -> String {
    var status = stat()
    guard lstat(SystemText.bytes(path), &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return path }
    guard let pointer = realpath(SystemText.bytes(path), nil) else { return path }
    defer { free(pointer) }
    return SystemText.text(pointer)
  }

  func identity(_ path: String) -> String? {
    var status = stat()
    guard stat(SystemText.bytes(expanded(path)), &status) == 0 else { return nil }
    return "\(status.st_dev):\(status.st_ino)"
  }

  func create(_ path: String, appending: Bool) async throws -> any FileWriting {
    let place = expanded(path)
    var status = stat()
    guard path != "-", stat(SystemText.bytes(place), &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      return try createNow(path, appending: appending)
    }
    return StreamWriter(try await PipeReader.open(place), path: path)
  }

  /// The same for whoever may wait for a pipe's reader.
  func createNow(_ path: String, appending: Bool) throws(FileProblem) -> any FileWriting {
    if path == "-" { return ConsoleWriter(console) }
    let place = expanded(path)
    var status = stat()
    let exists = stat(SystemText.bytes(place), &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR { throw FileProblem("this is a directory") }
    if let number = OpenDescriptor.number(place) {
      // One that whoever started us opened: to be written on, neither replaced nor begun anew.
      if number == 1 { return ConsoleWriter(console) }
      if exists, status.st_mode & S_IFMT == S_IFREG {
        let descriptor = fcntl(number, F_DUPFD_CLOEXEC, 3)
        guard descriptor >= 0 else { throw FileProblem(systemError()) }
        return StreamWriter(descriptor, path: path)
      }
    }
    if exists, let problem = OpenDescriptor.problem(replacing: status) { throw FileProblem(problem) }
    // What is no plain file (a pipe, /dev/null) is written where it is.
    if exists, status.st_mode & S_IFMT != S_IFREG {
      let descriptor = systemOpen(place, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
      guard descriptor >= 0 else { throw FileProblem(systemError()) }
      return StreamWriter(descriptor, path: path)
    }
    if appending { return try AppendingWriter(place, path: path) }
    let writer = try ReplacingWriter(place, path: path)
    if let old = writer.movedAside { console.note("\(path).partial was left by a run that ended early; it is kept as \(old)".oneLine) }
    return writer
  }

  func ending(_ path: String, _ most: Int) -> [UInt8] {
    let descriptor = systemOpen(expanded(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    let end = lseek(descriptor, 0, SEEK_END)
    let wanted = min(Int(end), most)
    guard wanted > 0 else { return [] }
    return [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
      while count < wanted, let base = buffer.baseAddress {
        let got = pread(descriptor, base + count, wanted - count, end - off_t(wanted - count))
        if got > 0 { count += got } else if got == 0 || errno != EINTR { break }
      }
    }
  }

  func problem(writing path: String) -> String? {
    if path == "-" { return nil }
    let place = expanded(path)
    var status = stat()
    guard stat(SystemText.bytes(place), &status) == 0 else {
      let folder = place.lastIndex(of: "/").map { String(place[...$0]) } ?? "."
      return access(SystemText.bytes(folder), W_OK | X_OK) == 0 ? nil : systemError()
    }
    if status.st_mode & S_IFMT == S_IFDIR { return "this is a directory" }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    if OpenDescriptor.number(place) != nil { return nil }
    if let problem = OpenDescriptor.problem(replacing: status) { return problem }
    if access(SystemText.bytes(place), W_OK) != 0 { return systemError() }
    let target = PartialFile.resolved(place)
    return PartialFile.isWritten(target) || PartialFile.isWritten(target + ".partial") ? "it is being written by another `save`" : nil
  }

  func beginning(_ path: String, _ most: Int) throws(FileProblem) -> (bytes: [UInt8], isWhole: Bool)? {
    var status = stat()
    guard stat(SystemText.bytes(expanded(path)), &status) == 0 else { throw FileProblem(systemError()) }
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    let file = try open(path)
    var bytes: [UInt8] = []
    while bytes.count < most {
      let more = try file.read()
      if more.isEmpty { return (bytes, true) }
      bytes += more
    }
    return (bytes, false)
  }

  /// The files whose names fit a pattern, sorted.
  func matching(_ pattern: String) -> [String] {
    var found = glob_t()
    defer { globfree(&found) }
    guard glob(SystemText.bytes(expanded(pattern)), 0, nil, &found) == 0 else { return [] }
    return (0..<Int(found.gl_pathc)).compactMap { index in found.gl_pathv[index].map { SystemText.text($0) } }
  }

  private func expanded(_ path: String) -> String {
    guard path == "~" || path.hasPrefix("~/"), let home = UserFolders.home else { return path }
    return path == "~" && home.isEmpty ? "/" : home + path.dropFirst()
  }
}

func systemError() -> String { String(cString: strerror(errno)) }

#if canImport(Glibc)
  func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { Glibc.open(SystemText.bytes(path), flags, mode) }
  func systemClose(_ descriptor: Int32) -> Int32 { Glibc.close(descriptor) }
#else
  func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 { Darwin.open(SystemText.bytes(path), flags, mode) }
  func systemClose(_ descriptor: Int32) -> Int32 { Darwin.close(descriptor) }
#endif

/// Reads a descriptor piece by piece; closes it at the end of its life, unless it is standard input.
private final class FileReader: FileReading {
  private let descriptor: Int32
  private let onHangUp: @Sendable () -> Void

  let isPlainFile: Bool
  /// Of a plain file.
  private let identity: FileIdentity?

  /// - Parameter onHangUp: told where it was a terminal, and is gone.
  init(_ descriptor: Int32, onHangUp: @escaping @Sendable () -> Void = {}) {
    (self.descriptor, self.onHangUp) = (descriptor, onHangUp)
    var status = stat()
    isPlainFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    identity = isPlainFile ? FileIdentity(status) : nil
  }

  deinit {
    if descriptor > 2 { close(descriptor) }
  }

  func ready() async throws {
    if !isPlainFile { try await inputReady(descriptor) }
  }

  func read() throws(FileProblem) -> [UInt8] {
    var failure: Int32 = 0
    let descriptor = descriptor
    var most = 256 * 1024
    if let identity, let end = GrowingFiles.end(of: identity) { most = min(most, max(0, Int(end - lseek(descriptor, 0, SEEK_CUR)))) }
    if most == 0 { return [] }
    // A named pipe that nobody has opened to write seems to be at its end.
    if !isPlainFile { _ = waitForInput(descriptor, wake: -1) }
    let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
      var got = -1
      repeat {
        #if canImport(Glibc)
          got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #else
          got = Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
        // Somebody else (a shell in one pipeline with us) may have made it a descriptor that does not wait.
        if got < 0, errno == EAGAIN { _ = waitForInput(descriptor, wake: -1) }
      } while got < 0 && (errno == EINTR || errno == EAGAIN)
      if got < 0 { failure = errno }
      count = max(0, got)
    }
    // The end that a closed window has is not the one that somebody typed.
    if bytes.isEmpty, !isPlainFile, hasHungUp(descriptor) {
      onHangUp()
      throw FileProblem("the terminal is gone")
    }
    if failure != 0 { throw FileProblem(String(cString: strerror(failure))) }
    return bytes
  }
}
