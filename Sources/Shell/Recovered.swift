import Interpreter
import Names
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Replies that a signal, ^C or an error in a script would take along are written to files: `$XDG_STATE_HOME/promptsh/recovered/`, 0600, one file a variable.
/// They are named at the end, and once more when the program is started next.
enum Recovered {
  private static var folder: String? { UserFolders.state.map { $0 + "/recovered" } }

  /// Writes what variables hold that no file has.
  ///
  /// - Returns: what there is to say of it, a line each.
  static func write(_ session: Session) -> [String] {
    let unsaved = session.recoverableReplies
    let conversations = session.recoverableConversations
    if unsaved.isEmpty, conversations.isEmpty { return [] }
    func lost(_ why: String) -> [String] {
      let names = unsaved.map { "`\($0.name)`" } + conversations.map { $0.name.isEmpty ? "`chat`" : "`chat --in \($0.name)`" }
      return ["error: replies in \(names.joined(separator: ", ")) are lost: \(why)"]
    }
    guard let folder else { return lost("neither XDG_STATE_HOME nor HOME names a folder for them") }
    if let problem = UserFolders.problem(making: folder) { return lost(problem) }
    return unsaved.map { replies in
      do throws(FileProblem) {
        let path = try write(replies.lines, replies.rowCount, named: replies.name, to: folder)
        let input = replies.asInput == 0 ? "" : " (\(replies.asInput) as input of rows without an answer)"
        return "\(replies.count == 1 ? "1 reply" : "\(replies.count) replies") of `\(replies.name)` kept\(input): load \(path.typed)"
      } catch { return "error: \(error.message)" }
    } + conversations.map { write($0, to: folder) }
  }

  /// Keeps what a file held whose name is gone.
  ///
  /// - Returns: where it is, as a message ends.
  static func rescued(_ descriptor: Int32, of path: String) -> String {
    func lost(_ why: String) -> String { "its rows are lost: \(why)" }
    guard let folder else { return lost("neither XDG_STATE_HOME nor HOME names a folder for them") }
    if let problem = UserFolders.problem(making: folder) { return lost(problem) }
    let name = path.split(separator: "/").last.map(String.init) ?? "rows"
    let dot = name.dropFirst().lastIndex(of: ".") ?? name.endIndex
    for number in 0..<1000 {
      let place = "\(folder)/\(name[..<dot].prefix(40))-\(stamp)\(number == 0 ? "" : ".\(number)")\(name[dot...].prefix(10))"
      let new = systemOpen(place, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if new < 0, errno == EEXIST { continue }
      guard new >= 0 else { return lost("\(place): \(systemError())") }
      defer { _ = systemClose(new) }
      guard let problem = Descriptor.copy(descriptor, to: new) else { return "its rows are in \(place.oneLine)" }
      return "only a part of its rows is in \(place): \(problem)"
    }
    return lost("\(folder) has a thousand such files")
  }

  private static func write(_ conversation: UnsavedConversation, to folder: String) -> String {
    // The name may be any text.
    let word = String(conversation.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }.prefix(40))
    let flag = conversation.name.isEmpty ? "" : " --in \(conversation.name.typed)"
    do throws(FileProblem) {
      let path = try write(conversation.lines, conversation.count, named: word.isEmpty ? "chat" : "chat.\(word)", to: folder)
      return "a conversation of \(conversation.count) turns is kept: chat\(flag) --from (load \(path.typed))"
    } catch { return "error: \(error.message)" }
  }

  private static func write(
    _ lines: some Sequence<[UInt8]>, _ rows: Int, named name: String, to folder: String
  ) throws(FileProblem) -> String {
    func lost(_ why: String) -> FileProblem { FileProblem("the replies of `\(name)` are lost: \(why)") }
    for number in 0..<1000 {
      let path = "\(folder)/\(name)-\(stamp)\(number == 0 ? "" : ".\(number)").jsonl"
      // Not through a link, and not over what somebody else has there.
      let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
      if descriptor < 0, errno == EEXIST { continue }
      guard descriptor >= 0 else { throw lost("\(path): \(systemError())") }
      defer { _ = systemClose(descriptor) }
      var ends: [Int] = []
      guard let problem = put(lines, descriptor, path, &ends) else { return path }
      let whole = cut(descriptor, to: ends)
      if whole > 0 {
        throw FileProblem("only \(whole) of the \(rows) rows of `\(name)` are kept, in \(path): \(problem)")
      }
      unlink(SystemText.bytes(path))
      throw lost(problem)
    }
    throw lost("\(folder) has a thousand such files")
  }

  /// - Parameter ends: where each line ends, of those that were to be written so far.
  /// - Returns: what went wrong.
  private static func put(_ lines: some Sequence<[UInt8]>, _ descriptor: Int32, _ path: String, _ ends: inout [Int]) -> String? {
    var bytes: [UInt8] = []
    var size = 0
    do throws(OutputProblem) {
      for line in lines {
        bytes += line
        size += line.count
        ends.append(size)
        if bytes.count > 1 << 18 {
          try Descriptor.write(bytes, to: descriptor, named: path)
          bytes.removeAll(keepingCapacity: true)
        }
      }
      try Descriptor.write(bytes, to: descriptor, named: path)
    } catch { return error.description }
    return fsync(descriptor) == 0 ? nil : "\(path): \(systemError())"
  }

  /// Takes the half line at the end of a file away.
  ///
  /// - Returns: the whole lines that are left.
  private static func cut(_ descriptor: Int32, to ends: [Int]) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return 0 }
    let whole = ends.prefix { $0 <= Int(status.st_size) }
    return ftruncate(descriptor, off_t(whole.last ?? 0)) == 0 ? whole.count : 0
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
      if !name.hasPrefix("."), lstat(SystemText.bytes(path), &status) == 0, modified(status) > last { found.append(path) }
    }
    if found.isEmpty { return nil }
    unlink(SystemText.bytes(told))
    let descriptor = systemOpen(told, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor >= 0 { _ = systemClose(descriptor) }
    let shown = found.sorted().prefix(10).map { "\n  load \($0.typed)" }.joined()
    let more = found.count > 10 ? "\n  … and \(found.count - 10) more in \(folder.oneLine)" : ""
    return "promptsh ended with replies that no file had; they were written down:\(shown)\(more)"
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
