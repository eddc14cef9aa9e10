/// Why looking for a pattern was given up.
public enum PatternStop: Error, Sendable, Equatable {
  /// The task was cancelled.
  case cancelled
  /// Every match of `.*x|.` and the like takes another look at the whole text: a bound that no honest pattern meets.
  case tooMuchWork
}

/// A match: its groups, as far as they took part in it.
public struct PatternMatch: Sendable, Equatable {
  /// The whole first, then the groups as they are numbered; nil for one that took no part.
  public var groups: [String?]
  /// Where it stands, in bytes of the text's UTF-8.
  public var range: Range<Int>
  public var whole: String { groups[0] ?? "" }
}

/// A regular expression that no text can make run away: it is matched in time proportional to the text
/// (Thompson, "Regular Expression Search Algorithm", CACM 11(6), 1968). The syntax is that of RE2, Go and Rust: Perl's without
/// looking ahead and behind, without references back to groups, atomic and possessive parts. Characters are Unicode scalars.
public struct Pattern: Sendable {
  private let program: PatternProgram
  /// Of the groups as they are numbered from 1; nil for one without a name.
  public let groupNames: [String?]

  /// What a search may cost beside one look at every place of the program for every byte.
  private let spareWork: Int

  public init(_ text: String) throws(PatternError) {
    try self.init(text, spareWork: 500_000_000)
  }

  init(_ text: String, spareWork: Int) throws(PatternError) {
    self.spareWork = spareWork
    if text.utf8.count > 64 << 10 { throw PatternError(message: "the pattern is longer than 64 KiB", offset: 0) }
    var parser = PatternParser(text)
    let node = try parser.parse()
    program = try PatternProgram(node, groups: parser.names.count)
    groupNames = Array(parser.names.dropFirst())
  }

  /// What a search through a text may cost at most.
  private func mostWork(_ bytes: Int) -> Int { spareWork + 2 * program.steps.count * (bytes + 1) }

  /// Long searches look whether the task is cancelled.
  public func isFound(in text: String) throws(PatternStop) -> Bool {
    try read(text) { (bytes) throws(PatternStop) in
      try PatternMachine(program, bytes, wantsGroups: false, mostWork: mostWork(bytes.count)).match(from: 0) != nil
    }
  }

  public func firstMatch(in text: String) throws(PatternStop) -> PatternMatch? {
    var first: PatternMatch?
    try forEachMatch(in: text) { match in
      first = match
      return false
    }
    return first
  }

  /// All matches, none overlapping another; an empty one never stands right behind another match.
  public func matches(in text: String) throws(PatternStop) -> [PatternMatch] {
    var all: [PatternMatch] = []
    try forEachMatch(in: text) { match in
      all.append(match)
      return true
    }
    return all
  }

  /// The text with every match replaced; the replacement stands as it is.
  public func replacing(in text: String, with replacement: String) throws(PatternStop) -> String {
    var out: [UInt8] = []
    var end = 0
    let bytes = Array(text.utf8)
    try forEachMatch(in: text) { match in
      out += bytes[end..<match.range.lowerBound]
      out += replacement.utf8
      end = match.range.upperBound
      return true
    }
    out += bytes[end...]
    return String(decoding: out, as: UTF8.self)
  }

  /// - Parameter body: takes a match; whether it wants more.
  private func forEachMatch(in text: String, _ body: (PatternMatch) -> Bool) throws(PatternStop) {
    try read(text) { (bytes) throws(PatternStop) in
      let machine = PatternMachine(program, bytes, wantsGroups: true, mostWork: mostWork(bytes.count))
      var (position, lastEnd) = (0, -1)
      while position <= bytes.count, let slots = try machine.match(from: position) {
        let range = slots[0]..<slots[1]
        if range.isEmpty {
          position = range.upperBound < bytes.count ? range.upperBound + machine.scalar(at: range.upperBound).length : bytes.count + 1
          if range.upperBound == lastEnd { continue }
        } else {
          position = range.upperBound
        }
        lastEnd = range.upperBound
        let groups = (0..<slots.count / 2).map { number -> String? in
          let (start, end) = (slots[2 * number], slots[2 * number + 1])
          return start < 0 || end < start ? nil : String(decoding: bytes[start..<end], as: UTF8.self)
        }
        if !body(PatternMatch(groups: groups, range: range)) { return }
      }
    }
  }

  private func read<T>(_ text: String, _ body: (UnsafeBufferPointer<UInt8>) throws(PatternStop) -> T) throws(PatternStop) -> T {
    var text = text
    let result: Result<T, PatternStop> = text.withUTF8 { bytes in
      do throws(PatternStop) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

/// Outside the machine, where `Task` has another meaning.
var isTaskCancelled: Bool { Task.isCancelled }
