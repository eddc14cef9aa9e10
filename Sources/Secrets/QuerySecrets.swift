/// The query of a server's address (`?key=…&api-version=…`), which many gateways take a key in.
///
/// In an address of a server in use the value of every member is hidden but that of a version. A value is known as a secret, and hidden
/// wherever it stands, where its name says that it is one, or where it looks like one: a word (`?model=gpt-4o-mini`) hidden everywhere
/// would make messages unreadable.
public enum QuerySecrets {
  /// The values are hidden from now on, as they stand and decoded.
  public static func learn(_ query: String) {
    // A short one is hidden in its place alone: as a word it may stand anywhere.
    for (name, value) in members(of: Array(query.utf8)) where value.count >= 6 && isSecret(name, value) {
      let text = String(decoding: value, as: UTF8.self)
      Redactor.learn(text)
      Redactor.learn(Userinfo.decoded(text[...]))
    }
  }

  /// A server's query for people.
  public static func hidden(_ query: String) -> String {
    let bytes = Array(query.utf8)
    return String(decoding: replacing(bytes) { name, value in !value.isEmpty && !isPlain(name, value) }, as: UTF8.self)
  }

  /// The query of any address in a text; nil where nothing in it is to be hidden.
  ///
  /// - Parameter isServer: whether the address is a server's.
  static func hidden(inAddress query: ArraySlice<UInt8>, isServer: Bool) -> [UInt8]? {
    let bytes = Array(query)
    let replaced = replacing(bytes) { isServer ? !$1.isEmpty && !isPlain($0, $1) : isSecret($0, $1) }
    return replaced == bytes ? nil : replaced
  }

  // MARK: members

  private static let equals = UInt8(ascii: "=")

  /// Names in lower case, decoded.
  private static func members(of query: [UInt8]) -> [(name: String, value: ArraySlice<UInt8>)] {
    pieces(of: query).compactMap { piece in
      piece.firstIndex(of: equals).map { at in (name(of: piece[..<at]), piece[(at + 1)...]) }
    }
  }

  private static func name(of bytes: ArraySlice<UInt8>) -> String {
    Userinfo.decoded(String(decoding: bytes, as: UTF8.self)[...]).lowercased()
  }

  private static func pieces(of query: [UInt8]) -> [ArraySlice<UInt8>] {
    let rest = query.first == UInt8(ascii: "?") ? query.dropFirst() : query[...]
    return rest.split(whereSeparator: isSeparator)
  }

  private static func isSeparator(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "&") || byte == UInt8(ascii: ";") }

  /// The same query with the mark in the place of some values.
  private static func replacing(_ query: [UInt8], where isHidden: (String, ArraySlice<UInt8>) -> Bool) -> [UInt8] {
    var out: [UInt8] = []
    var start = query.startIndex
    if query.first == UInt8(ascii: "?") {
      out.append(query[0])
      start = 1
    }
    while start < query.endIndex {
      let end = query[start...].firstIndex(where: isSeparator) ?? query.endIndex
      let piece = query[start..<end]
      if let at = piece.firstIndex(of: equals), isHidden(name(of: piece[..<at]), piece[(at + 1)...]) {
        out += piece[...at]
        out += Redactor.mark.utf8
      } else {
        out += piece
      }
      if end < query.endIndex { out.append(query[end]) }
      start = end + 1
    }
    return out
  }

  // MARK: what is one

  private static let endings = ["key", "token", "secret", "password", "passwd", "pwd", "signature", "credential"]
  private static let names = ["sig", "pass", "auth", "code", "jwt", "bearer"]

  static func isSecret(_ name: String, _ value: ArraySlice<UInt8>) -> Bool {
    if value.isEmpty || isPlain(name, value) { return false }
    return endings.contains(where: name.hasSuffix) || names.contains(name) || looksSecret(value)
  }

  /// Azure's `api-version=2024-06-01` is no key, and is worth seeing.
  private static func isPlain(_ name: String, _ value: ArraySlice<UInt8>) -> Bool {
    name.contains("version") && value.count <= 20 && value.allSatisfy { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || isWord($0) }
  }

  /// Long, with letters and digits among each other, and without what parts words.
  private static func looksSecret(_ value: ArraySlice<UInt8>) -> Bool {
    value.count >= 20 && value.contains(where: isDigit) && value.contains(where: isLetter)
      && !value.contains { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "+") }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
  private static func isWord(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }
}
