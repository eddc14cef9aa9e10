import Secrets

/// A server's address as people give it: pasted with white space, line ends or quotes around it, with a query that must stay last
/// (Azure's `?api-version=…`), or whole as documentation shows it, down to `/chat/completions`.
public struct BaseURL: Sendable, Equatable {
  /// Up to and including the version, without a slash at the end.
  public private(set) var path: String
  /// With its question mark; empty for none.
  public private(set) var query: String
  /// What stood before its `@`: sent in a header, shown nowhere.
  let userinfo: Userinfo?

  /// For people: the values of its query's members are keys as often as not.
  public var shown: String { path + QuerySecrets.hidden(query) }

  public init(_ text: String) {
    let given = text.withoutWrapping
    let taken = Userinfo.taken(from: given)
    userinfo = taken?.userinfo
    var rest = (taken?.url ?? given)[...]
    if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
    let question = rest.firstIndex(of: "?") ?? rest.endIndex
    query = rest[question...] == "?" ? "" : String(rest[question...])
    QuerySecrets.learn(query)
    var path = rest[..<question]
    while path.hasSuffix("/") { path.removeLast() }
    // `/models` by itself may be part of an address (Azure's inference).
    for end in ["/chat/completions", "/v1/models"] where path.lowercased().hasSuffix(end) {
      path.removeLast(end == "/v1/models" ? "/models".count : end.count)
    }
    while path.hasSuffix("/") { path.removeLast() }
    self.path = String(path)
  }

  /// `/models` at this server, the query last.
  func at(_ end: String) -> String { path + end + query }

  /// The same server's `/v1`; nil where the path ends in a version already.
  public var withVersion: BaseURL? {
    guard let last = path.split(separator: "/").last else { return nil }
    if last.first == "v", last.dropFirst().first?.isNumber == true { return nil }
    var other = self
    other.path += "/v1"
    return other
  }

  public var description: String { path + query }

  /// What is wrong with it; nil for an http or https address.
  public var problem: String? {
    let lower = path.lowercased()
    if lower.hasPrefix("http://"), lower.count > 7 { return nil }
    if lower.hasPrefix("https://"), lower.count > 8 { return nil }
    return "`\(shown)` is no address: it begins with http:// or https://, as in http://127.0.0.1:8080/v1"
  }
}

extension String {
  /// Without the white space, line ends and quotes around it that come along when something is pasted or read from a file.
  public var withoutWrapping: String {
    var text = unicodeScalars[...]
    func isWrapping(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || ["\"", "'", "`", "\u{FEFF}", "\u{200B}", "“", "”", "‘", "’"].contains(scalar)
    }
    while let first = text.first, isWrapping(first) { text.removeFirst() }
    while let last = text.last, isWrapping(last) { text.removeLast() }
    return String(text)
  }
}
