/// What stands before the `@` of an address: a name and a password, which go into a header and are shown nowhere.
public struct Userinfo: Sendable, Equatable {
  public var name: String
  public var password: String?

  /// Takes it out of an address.
  ///
  /// - Returns: the address without it, and it; nil where there is none.
  public static func taken(from url: String) -> (url: String, userinfo: Userinfo)? {
    let bytes = Array(url.utf8)
    let start = start(in: bytes[...])
    guard let at = end(in: bytes[start...]), at > start else { return nil }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)[...]
    let colon = text.firstIndex(of: ":")
    let userinfo = Userinfo(
      name: decoded(text[..<(colon ?? text.endIndex)]), password: colon.map { decoded(text[text.index(after: $0)...]) })
    userinfo.learn()
    return (String(decoding: bytes[..<start] + bytes[(at + 1)...], as: UTF8.self), userinfo)
  }

  /// Where a name and password stand in an address: behind its scheme. One that is written wrongly (`http:/`, `//`, none at all) holds a
  /// secret all the same.
  static func start(in address: ArraySlice<UInt8>) -> Int {
    if let separator = address.firstRange(of: Array("://".utf8)) { return separator.upperBound }
    var start = address.startIndex
    for scheme in ["http:", "https:"] where address.prefix(scheme.utf8.count).map({ $0 | 0x20 }) == scheme.utf8.map({ $0 | 0x20 }) {
      start += scheme.utf8.count
    }
    return address[start...].firstIndex { $0 != UInt8(ascii: "/") } ?? address.endIndex
  }

  /// Where the `@` stands behind a name and password, in an address without its scheme; nil for none. They may hold a `/` or an `@` that
  /// somebody forgot to encode.
  static func end(in address: ArraySlice<UInt8>) -> Int? {
    let at = UInt8(ascii: "@")
    let slash = address.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "#") }
    if let end = address[..<(slash ?? address.endIndex)].lastIndex(of: at) { return end }
    // An `@` in a path is none of a name's, but where what stands behind `name:` is no port, the path is none either.
    guard let slash, address.first != UInt8(ascii: "["), let colon = address.firstIndex(of: UInt8(ascii: ":")), colon < slash else {
      return nil
    }
    return address[(colon + 1)..<slash].allSatisfy { (0x30...0x39).contains($0) } ? nil : address.lastIndex(of: at)
  }

  public init(name: String, password: String?) { (self.name, self.password) = (name, password) }

  /// It is hidden from now on. A name alone is a token (`https://TOKEN@host`).
  func learn() {
    Redactor.learn(password ?? name)
    Redactor.learn(basic)
  }

  /// As a header has it (RFC 7617): the base 64 of `name:password`.
  public var basic: String { Userinfo.base64(Array("\(name):\(password ?? "")".utf8)) }

  /// Percent signs and two digits taken for the bytes that they stand for (RFC 3986, 2.1).
  public static func decoded(_ text: Substring) -> String {
    var out: [UInt8] = []
    let bytes = Array(text.utf8)
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let value = UInt8(String(decoding: bytes[(index + 1)...(index + 2)], as: UTF8.self), radix: 16)
      {
        out.append(value)
        index += 3
      } else {
        out.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func base64(_ bytes: [UInt8]) -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var out: [UInt8] = []
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let piece = bytes[start..<min(start + 3, bytes.count)]
      var value = 0
      for byte in piece { value = value << 8 | Int(byte) }
      value <<= 8 * (3 - piece.count)
      for place in 0..<4 {
        out.append(place <= piece.count ? letters[value >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}

extension Collection where Element: Equatable {
  fileprivate func firstRange(of needle: [Element]) -> Range<Index>? {
    var start = startIndex
    while start != endIndex {
      let piece = self[start...].prefix(needle.count)
      if piece.elementsEqual(needle) { return start..<piece.endIndex }
      start = index(after: start)
    }
    return nil
  }
}
