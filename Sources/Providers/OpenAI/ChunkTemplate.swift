import JSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The bytes around the content of an event that said nothing else. Nearly all events of a stream are the same but for that, so the
/// next one is compared (some 300 instructions) instead of parsed (some 8,000).
///
/// What an event means is never decided here: between the same bytes a text without quotes, escapes and control characters can only
/// be read in one way, the one in which the whole reader read the event that was learned from.
struct ChunkTemplate {
  private var before: [UInt8] = []
  private var after: [UInt8] = []

  /// - Parameter content: where the content of `data` stands, without its quotes.
  mutating func learn(_ data: UnsafeRawBufferPointer, _ content: Range<Int>) {
    before.removeAll(keepingCapacity: true)
    after.removeAll(keepingCapacity: true)
    before.append(contentsOf: data[..<content.lowerBound])
    after.append(contentsOf: data[content.upperBound...])
  }

  /// The content of an event that is like the learned one but for that; nil where it must be read in full.
  func content(of data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    let length = data.count - before.count - after.count
    guard !before.isEmpty, length >= 0, let base = data.baseAddress else { return nil }
    let start = base + before.count
    guard Self.isEqual(before, base), Self.isEqual(after, start + length) else { return nil }
    let content = UnsafeRawBufferPointer(start: start, count: length)
    return JSONString.plainEnd(content, from: 0) == length ? content : nil
  }

  private static func isEqual(_ bytes: [UInt8], _ other: UnsafeRawPointer) -> Bool {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return true }
      return memcmp(base, other, bytes.count) == 0
    }
  }
}
