/// The system's names (files, arguments) are bytes, the language's texts Unicode. A byte that is not UTF-8 stands in a text as one
/// of the last 128 private characters (U+10FF80 for 0x80 … U+10FFFF for 0xFF), and becomes that byte again where the text goes back to
/// the system: `save args[0]` writes the file that was named, whatever it is called. (Python's `surrogateescape` does the same with
/// code points that Swift's texts cannot hold.)
public enum SystemText {
  private static let base: UInt32 = 0x10_FF00

  public static func text(_ pointer: UnsafePointer<CChar>) -> String {
    if let plain = String(validatingCString: pointer), !plain.unicodeScalars.contains(where: isEscape) { return plain }
    var bytes: [UInt8] = []
    var index = 0
    while pointer[index] != 0 {
      bytes.append(UInt8(bitPattern: pointer[index]))
      index += 1
    }
    return text(bytes)
  }

  public static func text(_ bytes: [UInt8]) -> String {
    var out = String.UnicodeScalarView()
    var index = 0
    while index < bytes.count {
      let lead = bytes[index]
      let length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
      // What would read as one of ours is kept as the bytes it is made of.
      if index + length <= bytes.count, let one = String(validating: bytes[index..<index + length], as: UTF8.self),
        let scalar = one.unicodeScalars.first, !isEscape(scalar)
      {
        out.append(scalar)
        index += length
      } else {
        if let scalar = Unicode.Scalar(base + UInt32(lead)) { out.append(scalar) }
        index += 1
      }
    }
    return String(out)
  }

  /// With a NUL at the end.
  public static func bytes(_ text: String) -> [CChar] {
    var out: [CChar] = []
    out.reserveCapacity(text.utf8.count + 1)
    for scalar in text.unicodeScalars {
      if isEscape(scalar) {
        out.append(CChar(truncatingIfNeeded: scalar.value - base))
      } else {
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { out.append(CChar(bitPattern: byte)) }
      }
    }
    out.append(0)
    return out
  }

  /// How a character that stands for a byte is shown to a person: `\xFF`. Nil for any other.
  public static func shown(_ scalar: Unicode.Scalar) -> String? {
    isEscape(scalar) ? "\\x" + String(scalar.value - base, radix: 16, uppercase: true) : nil
  }

  private static func isEscape(_ scalar: Unicode.Scalar) -> Bool { scalar.value >= base + 0x80 }
}
