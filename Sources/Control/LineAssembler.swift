/// Cuts a byte stream into lines of a bounded length. A plain value.
struct LineAssembler {
  /// A longer line is no request.
  static let maximumLine = 64 * 1024

  private let maximum: Int
  private var partial: [UInt8] = []

  init(maximum: Int = LineAssembler.maximumLine) {
    self.maximum = maximum
  }

  /// The lines that these bytes complete, without their ends; nil where one is too long.
  mutating func feed(_ bytes: some Sequence<UInt8>) -> [[UInt8]]? {
    var lines: [[UInt8]] = []
    for byte in bytes {
      if byte == 0x0A {
        lines.append(partial)
        partial.removeAll(keepingCapacity: true)
      } else {
        partial.append(byte)
        if partial.count > maximum { return nil }
      }
    }
    return lines
  }
}
