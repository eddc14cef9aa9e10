#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Splits a byte stream into server-sent events (WHATWG HTML, section 9.2): any of the three line endings, comments, fields with
/// and without a space after the colon, data over several lines, cuts anywhere.
///
/// Whole lines are handed on where they stand; only a line that a read cut in two is copied.
struct SSEDecoder {
  /// A line, or the data of one event, may not be longer; the stream is malformed then.
  static let maximumEvent = 8 << 20

  private var partial: [UInt8] = []
  private var data: [UInt8] = []
  private var event: [UInt8] = []
  private var hasData = false
  private var lastWasReturn = false
  private(set) var isTooLong = false
  /// The beginning of lines that are none of an event stream: a server or proxy that fails writes its words where it stands.
  private(set) var stray: [UInt8] = []
  private static let mostStray = 200

  /// Calls `dispatch` with each complete event's type (empty for none) and data.
  mutating func feed(_ bytes: UnsafeRawBufferPointer, _ dispatch: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
    if !lastWasReturn, let base = bytes.baseAddress, memchr(base, 0x0D, bytes.count) == nil {
      return feedPlain(base, bytes.count, dispatch)
    }
    var start = 0
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      guard byte == 0x0A || byte == 0x0D else {
        index += 1
        continue
      }
      if byte == 0x0A, lastWasReturn, index == start, partial.isEmpty {
        // The second half of a CRLF.
        lastWasReturn = false
        index += 1
        start = index
        continue
      }
      lastWasReturn = byte == 0x0D
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<index])
      if partial.isEmpty {
        line(piece, dispatch)
      } else {
        partial.append(contentsOf: piece)
        let whole = partial
        partial.removeAll(keepingCapacity: true)
        whole.withUnsafeBytes { line($0, dispatch) }
      }
      index += 1
      start = index
    }
    if start < bytes.count {
      lastWasReturn = false
      partial.append(contentsOf: bytes[start...])
      if partial.count > Self.maximumEvent { isTooLong = true }
    }
  }

  /// The same for bytes without a CR, as nearly all servers send them: the ends of lines are found by `memchr`, and an event that is
  /// one `data` line and its blank line is handed on where it stands.
  private mutating func feedPlain(
    _ base: UnsafeRawPointer, _ count: Int, _ dispatch: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
  ) {
    var start = 0
    while start < count, let found = memchr(base + start, 0x0A, count - start) {
      let end = base.distance(to: UnsafeRawPointer(found))
      let length = end - start
      if length > 5, end + 1 < count, base.load(fromByteOffset: end + 1, as: UInt8.self) == 0x0A, isBetweenEvents,
        memcmp(base + start, "data:", 5) == 0
      {
        let skip = base.load(fromByteOffset: start + 5, as: UInt8.self) == 0x20 ? 6 : 5
        if length - skip > Self.maximumEvent { isTooLong = true }
        let value = UnsafeRawBufferPointer(start: base + start + skip, count: length - skip)
        dispatch(UnsafeRawBufferPointer(start: nil, count: 0), value)
        start = end + 2
        continue
      }
      let piece = UnsafeRawBufferPointer(start: base + start, count: length)
      if partial.isEmpty {
        line(piece, dispatch)
      } else {
        partial.append(contentsOf: piece)
        let whole = partial
        partial.removeAll(keepingCapacity: true)
        whole.withUnsafeBytes { line($0, dispatch) }
      }
      start = end + 1
    }
    if start < count {
      partial.append(contentsOf: UnsafeRawBufferPointer(start: base + start, count: count - start))
      if partial.count > Self.maximumEvent { isTooLong = true }
    }
  }

  /// Whether nothing of an event has come yet.
  private var isBetweenEvents: Bool { partial.isEmpty && !hasData && event.isEmpty }

  /// The stream is over: an event that lacks only its blank line still counts, for some servers leave it out.
  mutating func finish(_ dispatch: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
    let rest = partial
    partial = []
    if !rest.isEmpty { rest.withUnsafeBytes { line($0, dispatch) } }
    line(UnsafeRawBufferPointer(start: nil, count: 0), dispatch)
  }

  private mutating func line(_ line: UnsafeRawBufferPointer, _ dispatch: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void) {
    if line.isEmpty {
      if hasData || !event.isEmpty && event.withUnsafeBytes({ $0.spells("error") }) {
        data.withUnsafeBytes { data in event.withUnsafeBytes { dispatch($0, data) } }
      }
      data.removeAll(keepingCapacity: true)
      event.removeAll(keepingCapacity: true)
      hasData = false
      return
    }
    if let value = field("data", of: line) {
      if hasData { data.append(0x0A) }
      hasData = true
      data.append(contentsOf: value)
      if data.count > Self.maximumEvent { isTooLong = true }
    } else if let value = field("event", of: line) {
      event = Array(value)
    } else if let value = field("error", of: line) {
      // No field of the standard's: llama.cpp's server once told of its errors so.
      event = Array("error".utf8)
      if hasData { data.append(0x0A) }
      hasData = true
      data.append(contentsOf: value)
    } else if line.first != UInt8(ascii: ":"), field("id", of: line) == nil, field("retry", of: line) == nil, stray.count < Self.mostStray {
      if !stray.isEmpty { stray.append(0x20) }
      stray.append(contentsOf: line.prefix(Self.mostStray - stray.count))
    }
  }

  private func field(_ name: StaticString, of line: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer>? {
    let count = name.utf8CodeUnitCount
    guard line.count >= count, UnsafeRawBufferPointer(rebasing: line[..<count]).spells(name) else { return nil }
    if line.count == count { return line[count...] }
    guard line[count] == UInt8(ascii: ":") else { return nil }
    let hasSpace = line.count > count + 1 && line[count + 1] == 0x20
    return line[(hasSpace ? count + 2 : count + 1)...]
  }
}

extension UnsafeRawBufferPointer {
  /// Whether it is this word, byte for byte.
  func spells(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount else { return false }
    return count == 0 || baseAddress.map { memcmp($0, word.utf8Start, count) == 0 } ?? false
  }
}
