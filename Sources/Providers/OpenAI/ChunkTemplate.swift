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
  /// What stands before the content, and then what stands behind it.
  private var around: [UInt8] = []
  private var before = 0

  /// - Parameter content: where the content of `data` stands, without its quotes.
  mutating func learn(_ data: UnsafeRawBufferPointer, _ content: Range<Int>) {
    around.removeAll(keepingCapacity: true)
    around.reserveCapacity(data.count - content.count)
    around.append(contentsOf: UnsafeRawBufferPointer(rebasing: data[..<content.lowerBound]))
    around.append(contentsOf: UnsafeRawBufferPointer(rebasing: data[content.upperBound...]))
    before = content.lowerBound
  }

  /// The content of an event that is like the learned one but for that; nil where it must be read in full.
  func content(of data: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    let length = data.count - around.count
    guard before > 0, length >= 0, let base = data.baseAddress else { return nil }
    let start = base + before
    let isLike = around.withUnsafeBytes { around in
      guard let own = around.baseAddress else { return false }
      return memcmp(own, base, before) == 0 && memcmp(own + before, start + length, around.count - before) == 0
    }
    guard isLike else { return nil }
    let content = UnsafeRawBufferPointer(start: start, count: length)
    return JSONString.plainEnd(content, from: 0) == length ? content : nil
  }
}
