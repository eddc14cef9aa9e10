import Threads

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The lines typed before: one JSON-escaped text a line, appended at once (several shells may write), readable by nobody else. The
/// newest of equal entries wins. Lines that look as if they held a key are not kept.
public final class History: Sendable {
  private let entries = Mutex<[String]>([])
  private let path: String?
  static let maximum = 10_000

  /// - Parameter path: nil keeps it in memory only.
  public init(path: String?) {
    self.path = path
    guard let path, let file = fopen(path, "re") else { return }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    var read: [String] = []
    while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
      if let entry = History.decode(text.last == "\n" ? String(text.dropLast()) : text) { read.append(entry) }
    }
    free(line)
    entries.withLock { $0 = History.newestOnly(read) }
  }

  /// The user's state folder, by XDG; made if it is not there.
  public static func defaultPath() -> String? {
    func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } }
    guard let state = variable("XDG_STATE_HOME") ?? variable("HOME").map({ $0 + "/.local/state" }) else { return nil }
    var folder = ""
    for part in (state + "/promptsh").split(separator: "/") {
      folder += "/" + part
      mkdir(folder, 0o700)
    }
    return folder + "/history"
  }

  public var lines: [String] { entries.withLock { $0 } }

  /// The newest entry that begins with a text, without that beginning; empty where there is none.
  func rest(of text: String) -> String {
    if text.isEmpty { return "" }
    return entries.withLock { $0.last { $0.hasPrefix(text) && $0.utf8.count > text.utf8.count } }.map { String($0.dropFirst(text.count)) }
      ?? ""
  }

  public func add(_ text: String) {
    if text.allSatisfy(\.isWhitespace) || History.mayHoldSecret(text) { return }
    let isNew = entries.withLock { entries in
      if entries.last == text { return false }
      entries.removeAll { $0 == text }
      entries.append(text)
      if entries.count > History.maximum { entries.removeFirst() }
      return true
    }
    guard isNew, let path else { return }
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    let bytes = Array((History.encode(text) + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
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

  static func decode(_ line: String) -> String? {
    guard line.count >= 2, line.first == "\"", line.last == "\"" else { return nil }
    var out = ""
    var rest = line.dropFirst().dropLast()
    while let character = rest.popFirst() {
      guard character == "\\", let escape = rest.popFirst() else {
        out.append(character)
        continue
      }
      switch escape {
      case "n": out += "\n"
      case "t": out += "\t"
      case "u": rest = rest.drop { $0 != "}" }.dropFirst()
      default: out.append(escape)
      }
    }
    return out
  }
}
