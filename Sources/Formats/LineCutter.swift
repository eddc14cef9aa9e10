/// Cuts bytes into lines, endings taken off. A line that is longer than `Largest.row` is refused: it would be held in memory whole.
struct LineCutter {
  private var partial: [UInt8] = []
  private(set) var line = 0

  mutating func feed(
    _ bytes: UnsafeRawBufferPointer, _ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void
  ) throws(FormatError) {
    var start = 0
    for index in bytes.indices where bytes[index] == 0x0A {
      line += 1
      if partial.isEmpty {
        try take(Self.trimmed(UnsafeRawBufferPointer(rebasing: bytes[start..<index])), line)
      } else {
        partial.append(contentsOf: bytes[start..<index])
        try takePartial(take)
      }
      start = index + 1
    }
    partial.append(contentsOf: bytes[start...])
    if partial.count > Largest.row { throw FormatError("a line is longer than \(Largest.words)", line: line + 1, column: 1) }
  }

  mutating func finish(_ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void) throws(FormatError) {
    if partial.isEmpty { return }
    line += 1
    try takePartial(take)
  }

  private mutating func takePartial(_ take: (UnsafeRawBufferPointer, Int) throws(FormatError) -> Void) throws(FormatError) {
    let whole = partial
    partial.removeAll(keepingCapacity: whole.count < 1 << 16)
    let line = line
    try whole.withBytes { (bytes) throws(FormatError) in try take(Self.trimmed(bytes), line) }
  }

  private static func trimmed(_ line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    line.last == 0x0D ? UnsafeRawBufferPointer(rebasing: line.dropLast()) : line
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` with a typed error.
  func withBytes<T>(_ body: (UnsafeRawBufferPointer) throws(FormatError) -> T) throws(FormatError) -> T {
    let result: Result<T, FormatError> = withUnsafeBytes { bytes in
      do throws(FormatError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
  }
}

/// Text of a row, checked.
func validText(_ bytes: UnsafeRawBufferPointer, line: Int) throws(FormatError) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else {
    // Where the first bad byte is.
    var low = 0
    var high = bytes.count
    while high - low > 1 {
      let middle = (low + high) / 2
      let isGood = String(validating: bytes[..<middle], as: UTF8.self) != nil || (middle < bytes.count && isContinuation(bytes[middle]))
      if isGood { low = middle } else { high = middle }
    }
    throw FormatError("this is not UTF-8 text", line: line, column: low + 1)
  }
  return text
}

private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

/// A byte order mark, which editors put before UTF-8 text.
func withoutMark(_ line: UnsafeRawBufferPointer, _ number: Int) -> UnsafeRawBufferPointer {
  number == 1 && line.starts(with: [0xEF, 0xBB, 0xBF]) ? UnsafeRawBufferPointer(rebasing: line.dropFirst(3)) : line
}
