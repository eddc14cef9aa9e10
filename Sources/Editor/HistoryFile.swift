import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file of lines that grows at its end, of which only the last matter: however long it is, or whatever stands in its place, it is
/// read in a moment. Only a plain file is ever opened for good: a pipe would keep the prompt waiting.
struct HistoryFile: Sendable {
  let path: String
  /// A line longer than this is passed over: a paste of a whole file is no line that somebody looks for.
  static let longestLine = 64 << 10
  /// What is read at most, of lines however long.
  static let mostBytes = 16 << 20

  init(_ path: String) { self.path = path }

  /// The last lines, oldest first, without their ends. A file that holds more than twice of that is rewritten with these alone, beside
  /// the caller.
  func read(lines most: Int) -> [ArraySlice<UInt8>] {
    guard let (descriptor, size) = openPlain(O_RDONLY) else { return [] }
    defer { close(descriptor) }
    var (lineEnds, isWhole) = (0, true)
    var offset = size
    var blocks: [[UInt8]] = []
    var held = 0
    while offset > 0 {
      if lineEnds > most || held >= Self.mostBytes {
        isWhole = false
        break
      }
      let count = min(offset, 256 << 10)
      guard let block = Self.read(descriptor, at: offset - count, count) else { return [] }
      offset -= count
      held += count
      lineEnds += Self.lineEnds(block).count
      blocks.append(block)
    }
    var tail: [UInt8] = []
    tail.reserveCapacity(held)
    for block in blocks.reversed() { tail += block }
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    for end in Self.lineEnds(tail) + [tail.count] {
      if end > start { lines.append(tail[start..<end]) }
      start = end + 1
    }
    // What was cut at its front is no line.
    if !isWhole, !lines.isEmpty { lines.removeFirst() }
    lines.removeAll { $0.count > Self.longestLine }
    lines = lines.suffix(most)
    let kept = lines.reduce(0) { $0 + $1.count + 1 }
    if size > 2 * kept, size > 1 << 16 {
      let rewritten = lines
      startThread { rewrite(rewritten, had: size) }
    }
    return lines
  }

  /// Why lines cannot be added, or be read; nil where they can.
  var problem: String? {
    var status = stat()
    let name = SystemText.bytes(path)
    if stat(name, &status) == 0 {
      if status.st_mode & S_IFMT != S_IFREG { return "\(path) is no plain file" }
      return access(name, R_OK | W_OK) == 0 ? nil : "\(path): \(String(cString: strerror(errno)))"
    }
    guard errno == ENOENT else { return "\(path): \(String(cString: strerror(errno)))" }
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    return access(SystemText.bytes(folder), W_OK | X_OK) == 0 ? nil : "\(folder): \(String(cString: strerror(errno)))"
  }

  /// Adds a line, whole, with its end.
  func append(_ line: String) {
    // Once more where a rewriting has put another file in its place meanwhile.
    for _ in 0..<3 {
      guard let (descriptor, _) = openPlain(O_WRONLY | O_APPEND | O_CREAT) else { return }
      defer { close(descriptor) }
      // Held by others for as long as a few lines take to copy; by a program that was stopped meanwhile, for longer than anybody waits.
      var tries = 0
      while flock(descriptor, LOCK_SH | LOCK_NB) != 0, tries < 1000 {
        usleep(1000)
        tries += 1
      }
      guard isStill(descriptor) else { continue }
      _ = Self.write(descriptor, Array((line + "\n").utf8))
      return
    }
  }

  /// Puts these lines, and whatever was appended meanwhile, in the file's place. Whoever appends is held up only while the little that
  /// was added is copied, not while the lines are written.
  private func rewrite(_ lines: [ArraySlice<UInt8>], had size: Int) {
    guard let (old, _) = openPlain(O_RDONLY) else { return }
    defer { close(old) }
    let temporary = path + ".\(getpid()).part"
    let descriptor = open(SystemText.bytes(temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    func isInPlace() -> Bool {
      guard Self.write(descriptor, Array(lines.joined(separator: [0x0A])) + (lines.isEmpty ? [] : [0x0A])) else { return false }
      while flock(old, LOCK_EX) != 0 { guard errno == EINTR else { return false } }
      var status = stat()
      // Somebody else may have done it.
      guard isStill(old), fstat(old, &status) == 0, Int(status.st_size) >= size,
        let added = Self.read(old, at: size, Int(status.st_size) - size)
      else { return false }
      return Self.write(descriptor, added) && rename(SystemText.bytes(temporary), SystemText.bytes(path)) == 0
    }
    if !isInPlace() { unlink(SystemText.bytes(temporary)) }
    close(descriptor)
  }

  private static func write(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { buffer in
        #if canImport(Glibc)
          Glibc.write(descriptor, buffer.baseAddress, buffer.count)
        #else
          Darwin.write(descriptor, buffer.baseAddress, buffer.count)
        #endif
      }
      if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return false }
    }
    return true
  }

  private func isStill(_ descriptor: Int32) -> Bool {
    var (opened, named) = (stat(), stat())
    return fstat(descriptor, &opened) == 0 && stat(SystemText.bytes(path), &named) == 0 && opened.st_ino == named.st_ino
      && opened.st_dev == named.st_dev
  }

  /// Nil where there is none, or where something else than a plain file stands in its place.
  private func openPlain(_ flags: Int32) -> (descriptor: Int32, size: Int)? {
    let descriptor = open(SystemText.bytes(path), flags | O_NONBLOCK | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return nil
    }
    return (descriptor, Int(status.st_size))
  }

  /// Where the line ends are.
  private static func lineEnds(_ bytes: [UInt8]) -> [Int] {
    var ends: [Int] = []
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return }
      var offset = 0
      while offset < buffer.count, let found = memchr(base + offset, 0x0A, buffer.count - offset) {
        offset = UnsafeRawPointer(found) - base
        ends.append(offset)
        offset += 1
      }
    }
    return ends
  }

  private static func read(_ descriptor: Int32, at offset: Int, _ count: Int) -> [UInt8]? {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count, let base = buffer.baseAddress {
        let got = pread(descriptor, base + filled, count - filled, off_t(offset + filled))
        if got < 0, errno == EINTR { continue }
        if got <= 0 {
          failed = got < 0
          break
        }
        filled += got
      }
    }
    return failed ? nil : bytes
  }
}
