/// Texts from outside (mostly a file's name) in a line that somebody is told to type: it does what it says, whatever they hold.
extension String {
  /// As a text of the language: in quotes, with nothing in it that is a hole, ends it, or cannot be seen.
  public var typed: String {
    unicodeScalars.reduce(into: "\"") { out, scalar in
      switch scalar {
      case "\"", "\\", "{": out += "\\\(scalar)"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      default: if scalar.isSeen { out.unicodeScalars.append(scalar) } else { out += "\\u{\(String(scalar.value, radix: 16))}" }
      }
    } + "\""
  }

  /// As one word of the system's shell (POSIX): a path that begins with `-` is no flag, and `~/` the user's folder.
  public var shellWord: String {
    if hasPrefix("~/") { return "~/" + String(dropFirst(2)).shellQuoted }
    return hasPrefix("-") ? "./" + shellQuoted : shellQuoted
  }

  private var shellQuoted: String {
    let isPlain = utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || "._-/".utf8.contains(byte)
    }
    if isPlain { return isEmpty ? "''" : self }
    if unicodeScalars.allSatisfy(\.isSeen) { return "'" + replacing("'", with: "'\\''") + "'" }
    // What cannot be seen, or is no text at all, is spelled out byte by byte.
    let bytes = SystemText.bytes(self).dropLast().map { UInt8(bitPattern: $0) }
    let spelled = bytes.map { byte in
      switch byte {
      case UInt8(ascii: "%"): return "%%"
      case 0x20..<0x7F where byte != UInt8(ascii: "'") && byte != UInt8(ascii: "\\"): return String(UnicodeScalar(byte))
      default:
        let digits = String(byte, radix: 8)
        return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      }
    }
    return "\"$(printf '\(spelled.joined())')\""
  }
}

extension Unicode.Scalar {
  /// Whether it is shown as itself, so that it can be read and copied.
  fileprivate var isSeen: Bool {
    if isASCII { return value >= 0x20 && value < 0x7F }
    switch value {
    case 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B...0x180F, 0x3164, 0xFE00...0xFE0F, 0xFFA0, 0xE0100...0xE01EF: return false
    default: break
    }
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .privateUse, .surrogate, .unassigned: return false
    default: return true
    }
  }
}
