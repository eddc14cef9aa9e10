/// The query of a server's address (`?key=…&api-version=…`), which many gateways take a key in.
///
/// In an address of a server in use the value of every member is hidden but that of a version. A value is known as a secret, and hidden
/// wherever it stands, where its name says that it is one, or where it looks like one: a word (`?model=gpt-4o-mini`) hidden everywhere
/// would make messages unreadable.
public enum QuerySecrets {
  /// The values are hidden from now on, as they stand and decoded.
  public static func learn(_ query: String) {
    // A short one is hidden in its place alone: as a word it may stand anywhere.
    for (name, value) in members(of: Array(query.utf8), isServer: true) where value.count >= 6 && isSecret(name, value) {
      let text = String(decoding: value, as: UTF8.self)
      Redactor.learn(text)
      Redactor.learn(Userinfo.decoded(text[...]))
    }
  }

  /// A server's query for people.
  public static func hidden(_ query: String) -> String {
    String(decoding: replacing(Array(query.utf8), isServer: true), as: UTF8.self)
  }

  /// The query of any address in a text; nil where nothing in it is to be hidden.
  ///
  /// - Parameter isServer: whether the address is a server's.
  static func hidden(inAddress query: ArraySlice<UInt8>, isServer: Bool) -> [UInt8]? {
    let bytes = Array(query)
    let replaced = replacing(bytes, isServer: isServer)
    return replaced == bytes ? nil : replaced
  }

  // MARK: members

  private static let equals = UInt8(ascii: "=")

  /// Names in lower case, decoded; a member without `=` is a value without a name.
  private static func members(of query: [UInt8], isServer: Bool) -> [(name: String, value: ArraySlice<UInt8>)] {
    let rest = query.first == UInt8(ascii: "?") ? query.dropFirst() : query[...]
    return rest.split { isSeparator($0, isServer) }.map(member)
  }

  private static func member(_ piece: ArraySlice<UInt8>) -> (name: String, value: ArraySlice<UInt8>) {
    guard let at = piece.firstIndex(of: equals) else { return ("", piece) }
    let name = String(decoding: piece[..<at], as: UTF8.self)
    return (Userinfo.decoded(name[...]).lowercased(), piece[(at + 1)...])
  }

  /// Of a server's query all is hidden, a `;` within a value too; elsewhere what stands behind one may be a member of its own.
  private static func isSeparator(_ byte: UInt8, _ isServer: Bool) -> Bool {
    byte == UInt8(ascii: "&") || !isServer && byte == UInt8(ascii: ";")
  }

  private static func isHidden(_ name: String, _ value: ArraySlice<UInt8>, isServer: Bool) -> Bool {
    if value.isEmpty { return false }
    if name.isEmpty, value.allSatisfy({ isLetter($0) }) { return false }
    return isServer ? !isPlain(name, value) : isSecret(name, value)
  }

  /// The same query with the mark in the place of some values.
  private static func replacing(_ query: [UInt8], isServer: Bool) -> [UInt8] {
    var out: [UInt8] = []
    var start = query.startIndex
    if query.first == UInt8(ascii: "?") {
      out.append(query[0])
      start = 1
    }
    while start < query.endIndex {
      let end = query[start...].firstIndex { isSeparator($0, isServer) } ?? query.endIndex
      let (name, value) = member(query[start..<end])
      if isHidden(name, value, isServer: isServer) {
        out += query[start..<value.startIndex]
        out += Redactor.mark.utf8
      } else {
        out += query[start..<end]
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

  /// A long run of letters and digits among each other; a model's name (`gpt-4o-mini-2024-07-18`) is words.
  private static func looksSecret(_ value: ArraySlice<UInt8>) -> Bool {
    value.split { !isWord($0) }.contains { $0.count >= 16 && $0.contains(where: isDigit) && $0.contains(where: isLetter) }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
  private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
  private static func isWord(_ byte: UInt8) -> Bool { isDigit(byte) || isLetter(byte) }
}
