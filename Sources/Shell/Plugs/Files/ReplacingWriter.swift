import Interpreter
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// `FILE.partial`: where rows are written until the run is whole.
///
/// It is made anew (`O_EXCL`, which no link gets past), readable by its owner alone, and locked while it is written: whoever finds it
/// locked knows that another `save` is at work, and whoever finds it unlocked that a run ended early. An empty one may have been made a
/// moment ago: whoever locks it first has it.
struct PartialFile {
  let path: String
  let descriptor: Int32
  /// What an older one, which nobody was writing, is called now.
  let movedAside: String?

  init(beside target: String) throws(FileProblem) {
    path = target + ".partial"
    var movedAside: String?
    for _ in 0..<100 {
      let descriptor = systemOpen(path, O_RDWR | O_CLOEXEC | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      if descriptor >= 0 {
        // Somebody may have looked at it before it was locked, and moved it.
        if FileLock.take(descriptor), Self.isSame(descriptor, path) {
          (self.descriptor, self.movedAside) = (descriptor, movedAside)
          return
        }
        _ = systemClose(descriptor)
        continue
      }
      guard errno == EEXIST else { throw FileProblem("\(systemError()) (rows are written to \(path) first)") }
      switch try Self.takeOver(path) {
      case .empty(let descriptor):
        (self.descriptor, self.movedAside) = (descriptor, movedAside)
        return
      case .movedAside(let aside): movedAside = aside
      case .gone: break
      }
    }
    throw FileProblem("\(path) cannot be made: others are making it")
  }

  private enum Found {
    case gone
    /// It is ours now, and locked.
    case empty(Int32)
    case movedAside(String)
  }

  /// - Throws: where it is being written.
  private static func takeOver(_ path: String) throws(FileProblem) -> Found {
    var status = stat()
    guard lstat(SystemText.bytes(path), &status) == 0 else { return .gone }
    var descriptor: Int32 = -1
    defer { if descriptor >= 0 { _ = systemClose(descriptor) } }
    if status.st_mode & S_IFMT == S_IFREG {
      descriptor = systemOpen(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      // One that may only be read is locked all the same.
      if descriptor < 0 { descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) }
      // What may have come in its place is looked at anew.
      if descriptor < 0, errno == ENOENT { return .gone }
      if descriptor >= 0, !FileLock.take(descriptor) { throw FileProblem("it is being written by another `save`") }
      if descriptor >= 0, !isSame(descriptor, path) { return .gone }
      if descriptor >= 0, isOursAndEmpty(descriptor) {
        defer { descriptor = -1 }
        return .empty(descriptor)
      }
    }
    for number in 1..<10_000 {
      let aside = "\(path).\(number)"
      if lstat(SystemText.bytes(aside), &status) == 0 { continue }
      guard rename(SystemText.bytes(path), SystemText.bytes(aside)) == 0 else {
        if errno == ENOENT { return .gone }
        throw FileProblem("\(path) is in the way: \(systemError())")
      }
      return .movedAside(aside)
    }
    throw FileProblem("\(path) is in the way")
  }

  /// Made as this program makes it, and known by no other name: to write in it changes nobody's file.
  private static func isOursAndEmpty(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_size == 0 && status.st_nlink == 1 && status.st_uid == geteuid()
      && status.st_mode & 0o7777 == 0o600 && fcntl(descriptor, F_GETFL) & O_ACCMODE == O_RDWR
  }

  /// Whether somebody writes this one now.
  static func isWritten(_ path: String) -> Bool {
    let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return false }
    defer { _ = systemClose(descriptor) }
    return FileLock.isTaken(descriptor)
  }

  /// False where somebody has taken it away, or its folder: what was written can still be read.
  var isThere: Bool { Self.isSame(descriptor, path) }

  private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
    var (held, there) = (stat(), stat())
    return fstat(descriptor, &held) == 0 && lstat(SystemText.bytes(path), &there) == 0 && held.st_ino == there.st_ino
      && held.st_dev == there.st_dev
  }

  /// Where a path leads, through links: what is replaced is the file, never a link to it. Links that lead in a circle lead nowhere:
  /// one of them comes back.
  static func resolved(_ path: String) -> String {
    var place = path
    for _ in 0..<40 {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = buffer.withUnsafeMutableBytes { bytes in
        bytes.withMemoryRebound(to: CChar.self) { readlink(SystemText.bytes(place), $0.baseAddress!, $0.count) }
      }
      guard count > 0, count < buffer.count else { break }
      let target = SystemText.text(Array(buffer[..<count]))
      let folder = place.lastIndex(of: "/").map { String(place[...$0]) } ?? ""
      place = target.hasPrefix("/") ? target : folder + target
    }
    return place
  }
}

/// Writes beside a file and takes its place at the end, with its mode and owner, so that nobody ever sees half a file and nothing is lost
/// to a run that ends early.
final class ReplacingWriter: FileWriting {
  private let made: Mutex<PartialFile>
  private var partial: PartialFile { made.withLock { $0 } }
  private let target: String
  private let file: Mutex<RowFile>
  /// The old file, locked against those who would add to it meanwhile; -1 where there is none.
  private let old: Int32

  init(_ place: String, path: String) throws(FileProblem) {
    target = PartialFile.resolved(place)
    old = systemOpen(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if old < 0, errno == ELOOP { throw FileProblem(systemError()) }
    if access(SystemText.bytes(target), F_OK) == 0, access(SystemText.bytes(target), W_OK) != 0 {
      let problem = systemError()
      if old >= 0 { _ = systemClose(old) }
      throw FileProblem(problem)
    }
    if old >= 0, !FileLock.take(old) {
      _ = systemClose(old)
      throw FileProblem("it is being written by another `save`")
    }
    let partial: PartialFile
    do throws(FileProblem) { partial = try PartialFile(beside: target) } catch {
      if old >= 0 { _ = systemClose(old) }
      throw error
    }
    made = Mutex(partial)
    file = Mutex(RowFile(partial.descriptor, end: 0))
    OpenRows.began()
  }

  deinit { OpenRows.ended() }

  var movedAside: String? { partial.movedAside }

  func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
    try file.withLock { (file: inout RowFile) throws(FileProblem) in try file.write(bytes, rowEnds: rowEnds, tail: tail) }
  }

  func close(_ ending: FileEnding) throws(FileProblem) -> FilePlace? {
    defer {
      _ = systemClose(partial.descriptor)
      if old >= 0 { _ = systemClose(old) }
    }
    let isEmpty = file.withLock { $0.end == 0 }
    if ending == .unfinished, isEmpty {
      unlink(SystemText.bytes(partial.path))
      return .nowhere
    }
    if !partial.isThere { try makeAgain() }
    if fsync(partial.descriptor) != 0 { throw kept(systemError()) }
    var status = stat()
    guard stat(SystemText.bytes(target), &status) == 0 else {
      fchmod(partial.descriptor, 0o666 & ~Self.mask)
      // Not over a file that has come meanwhile.
      if link(SystemText.bytes(partial.path), SystemText.bytes(target)) == 0 {
        unlink(SystemText.bytes(partial.path))
        return nil
      }
      if errno == EEXIST { return .beside(partial.path, hasCome: true) }
      if rename(SystemText.bytes(partial.path), SystemText.bytes(target)) != 0 { throw kept(systemError()) }
      return nil
    }
    if ending == .unfinished { return .beside(partial.path, hasCome: false) }
    let keepsOwner =
      (status.st_uid == geteuid() && status.st_gid == getegid()) || fchown(partial.descriptor, status.st_uid, status.st_gid) == 0
    // Another owner's file, or one with several names: its content is replaced, the file stays.
    if !keepsOwner || status.st_nlink > 1 { return try copyOver() }
    if fchmod(partial.descriptor, status.st_mode & 0o7777) != 0 { throw kept(systemError()) }
    if rename(SystemText.bytes(partial.path), SystemText.bytes(target)) != 0 { throw kept(systemError()) }
    return nil
  }

  /// The partial file was taken away, and its rows with it: another takes its place.
  private func makeAgain() throws(FileProblem) {
    let lost = partial
    do throws(FileProblem) {
      let new = try PartialFile(beside: target)
      if let problem = Descriptor.copy(lost.descriptor, to: new.descriptor) {
        unlink(SystemText.bytes(new.path))
        _ = systemClose(new.descriptor)
        throw FileProblem(problem)
      }
      made.withLock { $0 = new }
    } catch { throw kept(error.message) }
    _ = systemClose(lost.descriptor)
  }

  /// What is longer than the old content comes first: where there is no room for it, the old content is still whole.
  private func copyOver() throws(FileProblem) -> FilePlace? {
    // A pipe may have taken its place meanwhile: nobody waits for its other end, and it has no length.
    let descriptor = systemOpen(target, O_WRONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw kept(systemError()) }
    defer { _ = systemClose(descriptor) }
    let length = lseek(partial.descriptor, 0, SEEK_END)
    guard length >= 0 else { throw kept("the length of \(partial.path) is not known: \(systemError())") }
    let oldLength = lseek(descriptor, 0, SEEK_END)
    guard oldLength >= 0 else { throw kept("the length of \(target) is not known: \(systemError())") }
    do throws(FileProblem) {
      if length > oldLength { try copy(oldLength..<length, to: descriptor) }
    } catch {
      if ftruncate(descriptor, oldLength) == 0 { throw error }
      throw FileProblem(
        "\(error.message); \(target) could not be cut back to its \(oldLength) bytes (\(systemError())), and holds some of the new "
          + "rows behind them")
    }
    try copy(0..<min(length, oldLength), to: descriptor)
    guard ftruncate(descriptor, length) == 0, fsync(descriptor) == 0 else { throw kept(systemError()) }
    unlink(SystemText.bytes(partial.path))
    return nil
  }

  private func copy(_ range: Range<off_t>, to descriptor: Int32) throws(FileProblem) {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    var offset = range.lowerBound
    guard lseek(descriptor, offset, SEEK_SET) == offset else { throw kept(systemError()) }
    while offset < range.upperBound {
      let count = pread(partial.descriptor, &buffer, min(buffer.count, Int(range.upperBound - offset)), offset)
      guard count > 0 else { throw kept(count == 0 ? "it ended early" : systemError()) }
      do throws(OutputProblem) { try Descriptor.write(buffer[..<count], to: descriptor, named: target) } catch {
        throw kept(error.description)
      }
      offset += off_t(count)
    }
  }

  private func kept(_ problem: String) -> FileProblem {
    let partial = partial
    if partial.isThere { return FileProblem("\(problem); the rows are in \(partial.path.oneLine)") }
    return FileProblem("\(problem); \(partial.path.oneLine) is gone, and \(Recovered.rescued(partial.descriptor, of: target))")
  }

  /// What new files may not be, as the user set it; asked for once, since asking changes it for a moment.
  private static let mask: mode_t = {
    let mask = umask(0o077)
    umask(mask)
    return mask
  }()
}
