/// A text of the language and where it came from.
public final class Source: Sendable {
  /// A file's path as it was given, `-e`, or `line 3` of the prompt.
  public let name: String
  public let bytes: [UInt8]
  /// The number that the first line is shown with.
  public let firstLine: Int
  private let lineStarts: [Int]

  public init(name: String, text: String, firstLine: Int = 1) {
    self.name = name
    bytes = Array(text.utf8)
    self.firstLine = firstLine
    var starts = [0]
    for (index, byte) in bytes.enumerated() where byte == 0x0A { starts.append(index + 1) }
    lineStarts = starts
  }

  /// The text of a script's bytes, without the byte-order mark that some editors begin with; nil if they are not UTF-8.
  public static func text(of bytes: [UInt8]) -> String? {
    String(validating: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...], as: UTF8.self).map(withLineFeeds)
  }

  /// A line of a script ends with LF, whatever editor wrote it: its texts are sent so.
  public static func withLineFeeds(_ text: String) -> String {
    text.utf8.contains(0x0D) ? text.replacing("\r\n", with: "\n") : text
  }

  /// The line of a byte offset, counted from 0.
  public func line(of offset: Int) -> Int {
    var (low, high) = (0, lineStarts.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= offset { low = middle } else { high = middle }
    }
    return low
  }

  func range(ofLine line: Int) -> Range<Int> {
    let start = lineStarts[line]
    var end = line + 1 < lineStarts.count ? lineStarts[line + 1] - 1 : bytes.count
    if end > start, bytes[end - 1] == 0x0D { end -= 1 }
    return start..<end
  }

  public func text(_ span: Span) -> String {
    let start = min(max(span.start, 0), bytes.count)
    return String(decoding: bytes[start..<min(max(span.end, start), bytes.count)], as: UTF8.self)
  }
}

/// A stretch of a source, in bytes.
public struct Span: Sendable, Equatable {
  public var start: Int
  public var end: Int

  public init(_ start: Int, _ end: Int) {
    self.start = start
    self.end = end
  }

  public func union(_ other: Span) -> Span { Span(min(start, other.start), max(end, other.end)) }
}
