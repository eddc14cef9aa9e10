import Secrets

/// A proxy as the environment names it: where it is, and who we are to it. Told apart by us, so that libcurl, whose errors repeat what
/// it was given, is never given a password within an address.
struct ProxyServer: Sendable, Equatable {
  /// `http://proxy.example:3128`
  var address: String
  var userinfo: Userinfo?

  /// Why an environment variable's value is no proxy's address; nothing of the value is in it.
  struct Problem: Error, Sendable, Equatable {
    var words: String
  }

  /// What is said when it wants another name or password.
  var refusal: String {
    userinfo == nil
      ? "the proxy \(address) wants a name and a password: they stand before an `@` in the address that https_proxy or http_proxy holds"
      : "the proxy \(address) refuses the name and password that it was given; it is not asked again, since accounts get locked"
  }

  private static let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

  init(_ text: String, variable: String) throws(Problem) {
    func problem(_ words: String) -> Problem { Problem(words: "\(variable) does not hold a proxy's address: \(words)") }
    var rest = text[...]
    var scheme = "http"
    if let colon = rest.firstIndex(of: ":"), rest[colon...].hasPrefix("://") {
      scheme = rest[..<colon].lowercased()
      rest = rest[colon...].dropFirst(3)
    }
    // Whatever is wrong with it may stand where the password does.
    if let at = rest.lastIndex(of: "@") {
      let taken = rest[..<at]
      Redactor.learn(String(taken))
      if let colon = taken.firstIndex(of: ":") { Redactor.learn(String(taken[taken.index(after: colon)...])) }
      if let found = Userinfo.taken(from: "http://\(taken)@h")?.userinfo { userinfo = found }
      if taken.contains(where: { "/?#".contains($0) }) {
        throw problem("a `/`, `?` or `#` in a name or password is written %2F, %3F or %23")
      }
      rest = rest[rest.index(after: at)...]
    }
    guard Self.schemes.contains(scheme) else { throw problem("its scheme is none of \(Self.schemes.joined(separator: ", "))") }
    let authority = rest.prefix { !"/?#".contains($0) }
    let (host, port) = Self.split(authority)
    guard !host.isEmpty else { throw problem("there is no host in it") }
    guard Self.isHost(host) else { throw problem("its host holds characters that no host has") }
    if let port, !(Int(port).map { (1...65535).contains($0) } ?? false) { throw problem("its port is no number from 1 to 65535") }
    address = "\(scheme)://\(Punycode.ascii(host: String(host)))" + (port.map { ":\($0)" } ?? "")
  }

  /// A name, or an address in brackets. libcurl's words for anything else repeat it.
  private static func isHost(_ host: Substring) -> Bool {
    if host.hasPrefix("[") {
      return host.count > 2 && host.hasSuffix("]") && host.dropFirst().dropLast().utf8.allSatisfy { isName($0) || $0 == UInt8(ascii: ":") }
    }
    return host.utf8.allSatisfy(isName)
  }

  /// Of a name, before Punycode.
  private static func isName(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._".utf8.contains(byte) || byte >= 0x80
  }

  private static func split(_ authority: Substring) -> (host: Substring, port: Substring?) {
    if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
      let rest = authority[authority.index(after: end)...]
      return (authority[...end], rest.hasPrefix(":") ? rest.dropFirst() : rest.isEmpty ? nil : rest)
    }
    guard let colon = authority.firstIndex(of: ":") else { return (authority, nil) }
    return (authority[..<colon], authority[authority.index(after: colon)...])
  }
}
