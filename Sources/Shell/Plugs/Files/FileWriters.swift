import Interpreter
import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Plain files that rows are being written to: who ends the program gives them a moment to be whole.
enum OpenRows {
  private static let count = Atomic(0)

  static var areWritten: Bool { count.load(ordering: .relaxed) > 0 }
  static func began() { count.add(1, ordering: .relaxed) }
  static func ended() { count.subtract(1, ordering: .relaxed) }
}

/// A plain file that rows are written to, one call after the other.
struct RowFile {
  let descriptor: Int32
  /// Where the next row goes; what stands behind is the tail.
  private(set) var end: off_t

  init(_ descriptor: Int32, end: off_t) {
    (self.descriptor, self.end) = (descriptor, end)
  }

  /// Writes rows over the last tail, and a new tail behind them. Where the disk is full every row that fits whole stays, with its tail.
  mutating func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
    let (written, failure) = Self.put(bytes + tail, descriptor, at: end)
    guard failure != 0 else {
      end += off_t(bytes.count)
      return
    }
    let start = end
    let isCut = keep(rowEnds.filter { $0 <= written }, tail)
    let kept = Int(end - start)
    throw FileProblem(
      String(cString: strerror(failure)) + (isCut ? "" : ", and a part of the next row stands behind them: it could not be cut off"),
      rowsWritten: rowEnds.prefix { $0 <= kept }.count)
  }

  /// Cuts behind the last of these rows that leaves room for the tail.
  ///
  /// - Returns: whether it was cut.
  private mutating func keep(_ ends: [Int], _ tail: [UInt8]) -> Bool {
    var isCut = true
    for kept in ends.reversed() + [0] {
      let last = end + off_t(kept)
      isCut = ftruncate(descriptor, last) == 0
      if tail.isEmpty || Self.put(tail, descriptor, at: last).failure == 0 {
        end = last
        return isCut
      }
    }
    return isCut
  }

  private static func put(_ bytes: [UInt8], _ descriptor: Int32, at start: off_t) -> (written: Int, failure: Int32) {
    bytes.withUnsafeBytes { buffer in
      var offset = 0
      while let base = buffer.baseAddress, offset < buffer.count {
        let count = pwrite(descriptor, base + offset, buffer.count - offset, start + off_t(offset))
        if count > 0 {
          offset += count
        } else if count == 0 {
          return (offset, ENOSPC)
        } else if errno != EINTR {
          return (offset, errno)
        }
      }
      return (offset, 0)
    }
  }
}

/// One file among all others, by whatever path it is reached.
struct FileIdentity: Hashable {
  let device: UInt64
  let number: UInt64

  init(_ status: stat) { (device, number) = (UInt64(truncatingIfNeeded: status.st_dev), UInt64(status.st_ino)) }

  init?(_ descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// Files that this program adds to, and where what it adds begins: whoever loads one meanwhile (`load "x" | … | save "x" --append`) gets
/// what stood there, and not its own rows again and again.
enum GrowingFiles {
  /// Which writer began, for the next one may have begun when he is let go of.
  typealias Ticket = Int
  private struct State {
    var ends: [FileIdentity: (end: off_t, ticket: Ticket)] = [:]
    var last: Ticket = 0
  }

  private static let state = Mutex(State())

  static func began(_ file: FileIdentity, at end: off_t) -> Ticket {
    state.withLock { state in
      state.last += 1
      state.ends[file] = (end, state.last)
      return state.last
    }
  }

  static func ended(_ file: FileIdentity, _ ticket: Ticket) {
    state.withLock { if $0.ends[file]?.ticket == ticket { $0.ends[file] = nil } }
  }

  /// Where a reader of this file has to stop; nil where that is its end.
  static func end(of file: FileIdentity) -> off_t? { state.withLock { $0.ends[file]?.end } }
}

extension FileProblem {
  fileprivate init(output problem: OutputProblem) {
    self.init(problem.reason)
    isReaderGone = problem.isReaderGone
  }
}

/// What is no plain file: a pipe, a device.
final class StreamWriter: FileWriting {
  private let descriptor: Int32
  private let path: String
  private let tail = Mutex<[UInt8]>([])
  private let gaveUp = Atomic(false)

  /// - Parameter descriptor: one whose writes do not block.
  init(_ descriptor: Int32, path: String) {
    (self.descriptor, self.path) = (descriptor, path)
  }

  func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
    // What has gone out cannot be taken back: the tail comes with the end.
    self.tail.withLock { $0 = tail }
    try put(bytes)
  }

  private func put(_ bytes: [UInt8]) throws(FileProblem) {
    do throws(OutputProblem) {
      try Descriptor.write(bytes, to: descriptor, named: path) { gaveUp.load(ordering: .relaxed) }
    } catch {
      throw FileProblem(output: error)
    }
  }

  func giveUp() { gaveUp.store(true, ordering: .relaxed) }

  func close(_ ending: FileEnding) throws(FileProblem) -> FilePlace? {
    let rest = tail.withLock { $0 }
    defer { _ = systemClose(descriptor) }
    if !rest.isEmpty { try put(rest) }
    return nil
  }
}

/// `save -`
final class ConsoleWriter: FileWriting {
  private let console: Console
  private let tail = Mutex<[UInt8]>([])
  private let gaveUp = Atomic(false)

  init(_ console: Console) {
    self.console = console
  }

  func write(_ bytes: [UInt8], rowEnds: [Int], tail: [UInt8]) throws(FileProblem) {
    self.tail.withLock { $0 = tail }
    try put(bytes)
  }

  private func put(_ bytes: [UInt8]) throws(FileProblem) {
    do throws(OutputProblem) {
      // JSON escapes control characters already; other formats keep what the rows hold, for the pipe's reader.
      console.leave(String(decoding: bytes, as: UTF8.self), raw: true, wraps: false)
      // A moment for a reader who does read.
      let start = ContinuousClock.now
      try console.flushOut { gaveUp.load(ordering: .relaxed) && start.duration(to: .now) > .milliseconds(200) }
    } catch { throw FileProblem(output: error) }
  }

  func giveUp() { gaveUp.store(true, ordering: .relaxed) }

  func close(_ ending: FileEnding) throws(FileProblem) -> FilePlace? {
    try put(tail.withLock { $0 })
    return nil
  }
}
