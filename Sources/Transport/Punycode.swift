/// Names of hosts as the name service has them: every label that is not ASCII in Punycode (RFC 3492) behind `xn--`.
enum Punycode {
  static func ascii(host: String) -> String {
    if host.utf8.allSatisfy({ $0 < 0x80 }) { return host }
    // The other dots of IDNA count as dots.
    let dots: Set<Character> = [".", "\u{3002}", "\u{FF0E}", "\u{FF61}"]
    return host.lowercased().split(omittingEmptySubsequences: false) { dots.contains($0) }.map { label in
      label.utf8.allSatisfy { $0 < 0x80 } ? String(label) : "xn--" + encoded(label.unicodeScalars.map { $0.value })
    }.joined(separator: ".")
  }

  /// RFC 3492, section 6.3.
  private static func encoded(_ input: [UInt32]) -> String {
    var (n, delta, bias) = (128, 0, 72)
    var out = input.filter { $0 < 128 }.map { UInt8($0) }
    let basic = out.count
    var handled = basic
    if basic > 0 { out.append(UInt8(ascii: "-")) }
    while handled < input.count {
      let next = Int(input.filter { $0 >= UInt32(n) }.min() ?? 0)
      delta += (next - n) * (handled + 1)
      n = next
      for value in input.map(Int.init) {
        if value < n { delta += 1 }
        guard value == n else { continue }
        var q = delta
        var k = 36
        while true {
          let t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias
          if q < t { break }
          out.append(digit(t + (q - t) % (36 - t)))
          q = (q - t) / (36 - t)
          k += 36
        }
        out.append(digit(q))
        bias = adapted(delta, handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      delta += 1
      n += 1
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func digit(_ value: Int) -> UInt8 { UInt8(value < 26 ? value + 97 : value - 26 + 48) }

  private static func adapted(_ delta: Int, _ count: Int, isFirst: Bool) -> Int {
    var delta = isFirst ? delta / 700 : delta / 2
    delta += delta / count
    var k = 0
    while delta > 455 {
      delta /= 35
      k += 36
    }
    return k + 36 * delta / (delta + 38)
  }
}
