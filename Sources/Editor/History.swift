import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The lines typed before: one JSON-escaped text a line, appended at once (several shells may write), readable by nobody else. The
/// newest of equal entries wins. Lines that look as if they held a key are not kept.
public final class History: Sendable {
  private let entries: Mutex<[String]>
  private let file: HistoryFile?
  private let hide: @Sendable (String) -> String
  static let maximum = 10_000

  /// - Parameters:
  ///   - path: nil keeps it in memory only.
  ///   - hide: takes what is secret out of a line before it is kept.
  public init(path: String?, hide: @escaping @Sendable (String) -> String = { $0 }) {
    self.hide = hide
    let file = path.map(HistoryFile.init)
    let read = file?.read(lines: History.maximum) ?? []
    self.file = file
    entries = Mutex(History.newestOnly(read.compactMap(History.decode)))
  }

  /// Why lines are not kept; nil where they are, or are not to be.
  public var problem: String? { file?.problem }

  public var lines: [String] { entries.withLock { $0 } }

  /// The newest entry that begins with a text, without that beginning; empty where there is none.
  func rest(of text: String) -> String {
    if text.isEmpty { return "" }
    return entries.withLock { $0.last { $0.hasPrefix(text) && $0.utf8.count > text.utf8.count } }.map { String($0.dropFirst(text.count)) }
      ?? ""
  }

  public func add(_ text: String) {
    let text = hide(text)
    if text.allSatisfy(\.isWhitespace) || History.mayHoldSecret(text) { return }
    let isNew = entries.withLock { entries in
      if entries.last == text { return false }
      entries.removeAll { $0 == text }
      entries.append(text)
      if entries.count > History.maximum { entries.removeFirst() }
      return true
    }
    if isNew { file?.append(History.encode(text)) }
  }

  private static func newestOnly(_ entries: [String]) -> [String] {
    var seen: Set<String> = []
    return Array(entries.reversed().filter { seen.insert($0).inserted }.prefix(maximum).reversed())
  }

  /// Keys have a known start or are long runs of letters and digits.
  static func mayHoldSecret(_ text: String) -> Bool {
    let words = text.split { !($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
    return words.contains { word in
      for start in ["sk-", "gsk_", "xai-", "AIza", "hf_", "ghp_", "glpat-"] where word.hasPrefix(start) && word.count >= 16 { return true }
      return word.count >= 32 && word.contains(where: \.isNumber) && word.contains(where: \.isLetter)
    }
  }

  static func encode(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20: out += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }

  /// Nil where a line is none of ours.
  static func decode(_ line: ArraySlice<UInt8>) -> String? {
    guard line.count >= 2, line.first == UInt8(ascii: "\""), line.last == UInt8(ascii: "\"") else { return nil }
    let rest = line.dropFirst().dropLast()
    let isPlain = rest.withUnsafeBytes { $0.baseAddress.map { memchr($0, 0x5C, rest.count) == nil } ?? true }
    if isPlain { return String(validating: rest, as: UTF8.self) }
    var out: [UInt8] = []
    out.reserveCapacity(rest.count)
    var index = rest.startIndex
    while index < rest.endIndex {
      let byte = rest[index]
      index += 1
      guard byte == UInt8(ascii: "\\"), index < rest.endIndex else {
        out.append(byte)
        continue
      }
      switch rest[index] {
      case UInt8(ascii: "n"): out.append(0x0A)
      case UInt8(ascii: "t"): out.append(0x09)
      // `\u{…}`: a control character that nobody wants back.
      case UInt8(ascii: "u"): index = rest[index...].firstIndex(of: UInt8(ascii: "}")) ?? rest.endIndex - 1
      case let other: out.append(other)
      }
      index += 1
    }
    return String(validating: out, as: UTF8.self)
  }
}
