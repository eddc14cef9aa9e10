import Interpreter
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Replies that a signal would take along are written to files: `$XDG_STATE_HOME/promptsh/recovered/`, 0600, one file a variable.
/// They are named at the end, and once more when the program is started next.
enum Recovered {
  private static var folder: String? { UserFolders.state.map { $0 + "/recovered" } }

  /// Writes what variables hold that no file has.
  ///
  /// - Returns: what there is to say of it, a line each.
  static func write(_ session: Session) -> [String] {
    let unsaved = session.recoverableReplies
    if unsaved.isEmpty { return [] }
    func lost(_ why: String) -> [String] {
      ["error: replies in \(unsaved.map { "`\($0.name)`" }.joined(separator: ", ")) are lost: \(why)"]
    }
    guard let folder else { return lost("neither XDG_STATE_HOME nor HOME names a folder for them") }
    guard UserFolders.make(folder) else { return lost("\(folder) cannot be made") }
    return unsaved.map { replies in
      do throws(FileProblem) {
        let path = try write(replies, to: folder)
        return "\(replies.count == 1 ? "1 reply" : "\(replies.count) replies") of `\(replies.name)` kept: load \"\(path)\""
      } catch { return "error: the replies of `\(replies.name)` are lost: \(error.message)" }
    }
  }

  private static func write(_ replies: UnsavedReplies, to folder: String) throws(FileProblem) -> String {
    for number in 0..<1000 {
      let path = "\(folder)/\(replies.name)-\(stamp)\(number == 0 ? "" : ".\(number)").jsonl"
      // Not through a link, and not over what somebody else has there.
      let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if descriptor < 0, errno == EEXIST { continue }
      guard descriptor >= 0 else { throw FileProblem("\(path): \(systemError())") }
      defer { _ = systemClose(descriptor) }
      var bytes: [UInt8] = []
      for line in replies.lines {
        bytes += line
        if bytes.count > 1 << 18 { try put(&bytes, descriptor, path) }
      }
      try put(&bytes, descriptor, path)
      if fsync(descriptor) != 0 { throw FileProblem("\(path): \(systemError())") }
      return path
    }
    throw FileProblem("\(folder) has a thousand such files")
  }

  private static func put(_ bytes: inout [UInt8], _ descriptor: Int32, _ path: String) throws(FileProblem) {
    do throws(OutputProblem) { try Descriptor.write(bytes, to: descriptor, named: path) } catch {
      throw FileProblem("\(error.description); the rows before are there")
    }
    bytes.removeAll(keepingCapacity: true)
  }

  /// The time of day and the program's number: no two ends share them.
  private static var stamp: String {
    var seconds = time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))-"
      + "\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))-\(getpid())"
  }

  // MARK: the next start

  /// What the last ends left, told once: a file beside them says until when that has been done.
  static func news() -> String? {
    guard let folder, let directory = opendir(SystemText.bytes(folder)) else { return nil }
    defer { closedir(directory) }
    var status = stat()
    let told = folder + "/.told"
    let last = lstat(SystemText.bytes(told), &status) == 0 ? modified(status) : 0
    var found: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { SystemText.text($0) }
      }
      let path = folder + "/" + name
      if name.hasSuffix(".jsonl"), lstat(SystemText.bytes(path), &status) == 0, modified(status) > last { found.append(path) }
    }
    if found.isEmpty { return nil }
    unlink(SystemText.bytes(told))
    let descriptor = systemOpen(told, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor >= 0 { _ = systemClose(descriptor) }
    let shown = found.sorted().prefix(10).map { "\n  load \"\($0)\"" }.joined()
    let more = found.count > 10 ? "\n  … and \(found.count - 10) more in \(folder)" : ""
    return "a signal ended promptsh with replies that no file had; they were written down:\(shown)\(more)"
  }

  /// In nanoseconds.
  private static func modified(_ status: stat) -> Int64 {
    #if canImport(Glibc)
      Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    #else
      Int64(status.st_mtimespec.tv_sec) * 1_000_000_000 + Int64(status.st_mtimespec.tv_nsec)
    #endif
  }
}
