#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What NO_PROXY says: names (with all below them), `.name`, `*.name`, addresses, ranges of addresses (`10.0.0.0/8`), each with a
/// port where only that one is meant, and `*` for everything. Between them stand commas or spaces.
struct NoProxy: Sendable {
  private struct Rule {
    var name: String
    var port: Int?
    /// How many bits of an address must be the same; nil for a name.
    var bits: Int?
  }

  private var rules: [Rule] = []
  private var isEverything = false

  init(_ text: String) {
    for word in text.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
      if word == "*" {
        isEverything = true
        continue
      }
      var rule = Rule(name: word.lowercased())
      if let slash = rule.name.lastIndex(of: "/"), let bits = Int(rule.name[rule.name.index(after: slash)...]) {
        rule.bits = bits
        rule.name = String(rule.name[..<slash])
      } else if let colon = rule.name.lastIndex(of: ":"), let port = Int(rule.name[rule.name.index(after: colon)...]),
        rule.name[..<colon].hasSuffix("]") || !rule.name[..<colon].contains(":")
      {
        rule.port = port
        rule.name = String(rule.name[..<colon])
      }
      if rule.name.hasPrefix("["), rule.name.hasSuffix("]") { rule.name = String(rule.name.dropFirst().dropLast()) }
      if rule.name.hasPrefix("*.") { rule.name.removeFirst() }
      if rule.name.hasPrefix(".") { rule.name.removeFirst() }
      while rule.name.hasSuffix(".") { rule.name.removeLast() }
      if !rule.name.isEmpty { rules.append(rule) }
    }
  }

  func covers(_ host: HostKey) -> Bool {
    if isEverything { return true }
    var name = host.host
    while name.hasSuffix(".") { name.removeLast() }
    return rules.contains { rule in
      if let port = rule.port, port != host.port { return false }
      if let bits = rule.bits { return Self.isSame(name, rule.name, bits: bits) }
      return name == rule.name || !host.isAddress && name.hasSuffix("." + rule.name)
    }
  }

  private static func isSame(_ a: String, _ b: String, bits: Int) -> Bool {
    guard let a = address(a), let b = address(b), a.count == b.count, (0...8 * a.count).contains(bits) else { return false }
    for bit in 0..<bits {
      let mask = UInt8(0x80) >> UInt8(bit % 8)
      if a[bit / 8] & mask != b[bit / 8] & mask { return false }
    }
    return true
  }

  private static func address(_ text: String) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &bytes) == 1 { return Array(bytes.prefix(4)) }
    return inet_pton(AF_INET6, text, &bytes) == 1 ? bytes : nil
  }
}
