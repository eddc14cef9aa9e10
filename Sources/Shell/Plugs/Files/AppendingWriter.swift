import Interpreter
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Adds to the end of a file, which is locked meanwhile. Other programs know nothing of the lock: the end is wherever the file ends when a
/// row is written (`O_APPEND`), and nothing of theirs is written over or cut off.
final class AppendingWriter: FileWriting {
  private let descriptor: Int32
  private let path: String
  /// One write after the other; holds the header of a table.
  private let turn = Mutex<[UInt8]>([])
  private let growing: (file: FileIdentity, ticket: GrowingFiles.Ticket)?

  init(_ place: String, path: String) throws(FileProblem) {
    self.path = path
    let isReplaced = { PartialFile.isWritten(PartialFile.resolved(place) + ".partial") }
    if isReplaced() { throw FileProblem("it is being written by another `save`") }
    descriptor = systemOpen(place, O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else { throw FileProblem(systemError()) }
    // Once more: whoever replaces the file locks it first.
    guard FileLock.take(descriptor), !isReplaced() else {
      _ = systemClose(descriptor)
      throw FileProblem("it is being written by another `save`")
    }
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else {
      let problem = systemError()
      _ = systemClose(descriptor)
      throw FileProblem("its length is not known: \(problem)")
    }
    growing = FileIdentity(descriptor).map { ($0, GrowingFiles.began($0, at: end)) }
    OpenRows.began()
  }

  deinit {
    if let growing { GrowingFiles.ended(growing.file, growing.ticket) }
    OpenRows.ended()
  }

  func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
    try turn.withLock { (head: inout [UInt8]) throws(FileProblem) in try add(bytes + tail, rowEnds, behind: head) }
  }

  func stands(behind head: [UInt8]) { turn.withLock { $0 = head } }

  private func add(_ bytes: [UInt8], _ rowEnds: [Int], behind head: [UInt8]) throws(FileProblem) {
    let before = missing(before: bytes, head)
    let (written, last, failure) = put(before + bytes)
    if failure == 0 { return }
    let ends = rowEnds.map { $0 + before.count }.prefix { $0 <= written }
    let isCut = takeBack(written - (ends.last ?? 0), of: last)
    throw FileProblem(
      String(cString: strerror(failure)) + (isCut ? "" : ", and a part of the next row stands behind them: it could not be cut off"),
      rowsWritten: ends.count)
  }

  /// Behind half a line of somebody else's a row begins one of its own, and at the beginning of a file stands its header.
  private func missing(before bytes: [UInt8], _ head: [UInt8]) -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return [] }
    if status.st_size == 0 { return bytes.starts(with: head) ? [] : head }
    var last: UInt8 = 0x0A
    return bytes != [0x0A] && pread(descriptor, &last, 1, status.st_size - 1) == 1 && last != 0x0A ? [0x0A] : []
  }

  /// - Returns: `last`: how many bytes the last write brought that stand together.
  private func put(_ bytes: [UInt8]) -> (written: Int, last: Int, failure: Int32) {
    bytes.withUnsafeBytes { buffer in
      var (offset, last) = (0, 0)
      while let base = buffer.baseAddress, offset < buffer.count {
        #if canImport(Glibc)
          let count = Glibc.write(descriptor, base + offset, buffer.count - offset)
        #else
          let count = Darwin.write(descriptor, base + offset, buffer.count - offset)
        #endif
        if count > 0 {
          offset += count
          last = count
        } else if count == 0 {
          return (offset, last, ENOSPC)
        } else if errno != EINTR {
          return (offset, last, errno)
        }
      }
      return (offset, last, 0)
    }
  }

  /// Takes half a row away, where it is still the end of the file: what others have added behind it stays.
  ///
  /// - Parameter last: bytes that the last write brought, behind which the descriptor stands.
  private func takeBack(_ count: Int, of last: Int) -> Bool {
    if count == 0 { return true }
    var status = stat()
    let end = lseek(descriptor, 0, SEEK_CUR)
    guard count <= last, fstat(descriptor, &status) == 0, status.st_size == end else { return false }
    return ftruncate(descriptor, end - off_t(count)) == 0
  }

  func close(_ ending: FileEnding) throws(FileProblem) -> FilePlace? {
    if let growing { GrowingFiles.ended(growing.file, growing.ticket) }
    // A full disk may only be told now.
    let failed = fsync(descriptor) != 0 && errno != EINVAL
    let problem = systemError()
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_nlink == 0 {
      defer { _ = systemClose(descriptor) }
      throw FileProblem("it has been removed meanwhile, and \(Recovered.rescued(descriptor, of: path))")
    }
    guard systemClose(descriptor) == 0, !failed else { throw FileProblem(problem) }
    return nil
  }
}
