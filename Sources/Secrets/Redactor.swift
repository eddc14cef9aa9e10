import Threads

/// Knows the keys and passwords that are in use, and hides them in whatever is made for people or files: errors, notes, addresses,
/// history. Asked where such a text is made, so that nobody after it has to know.
///
/// One for the program: a secret is one whoever shows it.
public enum Redactor {
  public static let mark = "‹hidden›"

  /// Keys of this many characters and more are hidden in the text of replies too. A shorter one (a local server's key is often `x`)
  /// is a word that a model may well say.
  public static let longKey = 16
  /// Shorter ones are hidden only where they stand as words of their own: `x` is no part of `max-tokens`.
  private static let wordKey = 8

  private struct Known {
    /// The longest first, for one may be part of another.
    var secrets: [[UInt8]] = []
  }

  private static let known = Mutex(Known())
  private static let hasLong = Atomic(false)

  /// From now on it is hidden, also as it stands in a URL.
  public static func learn(_ secret: String) {
    for form in [secret, percentEncoded(secret)] where !form.isEmpty {
      let bytes = Array(form.utf8)
      known.withLock { known in
        if known.secrets.contains(bytes) { return }
        known.secrets.append(bytes)
        known.secrets.sort { $0.count > $1.count }
      }
      if bytes.count >= longKey { hasLong.store(true, ordering: .releasing) }
    }
  }

  /// A text for a person or a file: without known secrets, and without what stands before the `@` of an address, or in its query as a key
  /// does.
  ///
  /// - Parameter isServer: whether addresses in it are servers': then every value of their queries is hidden.
  public static func hide(_ text: String, isServer: Bool = false) -> String {
    let secrets = known.withLock { $0.secrets }
    var bytes = Array(text.utf8)
    var hasChanged = false
    for secret in secrets {
      hasChanged = replace(secret, in: &bytes, asWord: secret.count < wordKey) || hasChanged
    }
    hasChanged = hideInAddresses(&bytes, isServer) || hasChanged
    if isServer { hasChanged = hideWithoutScheme(&bytes) || hasChanged }
    return hasChanged ? String(decoding: bytes, as: UTF8.self) : text
  }

  /// A reply's text: without the long keys. Nil where it holds none.
  public static func hidden(inReply text: [UInt8]) -> [UInt8]? {
    guard hasLong.load(ordering: .acquiring) else { return nil }
    var bytes = text
    var hasChanged = false
    for secret in longKeys { hasChanged = replace(secret, in: &bytes, asWord: false) || hasChanged }
    return hasChanged ? bytes : nil
  }

  /// How many bytes at the end of a reply's text so far may be the beginning of a long key: they are shown when more is known.
  public static func undecided(_ text: ArraySlice<UInt8>) -> Int {
    guard hasLong.load(ordering: .acquiring) else { return 0 }
    var most = 0
    for key in longKeys {
      var length = min(key.count - 1, text.count)
      while length > most {
        if text.suffix(length).elementsEqual(key.prefix(length)) { most = length } else { length -= 1 }
      }
    }
    return most
  }

  private static var longKeys: [[UInt8]] { known.withLock { $0.secrets.filter { $0.count >= longKey } } }

  // MARK: bytes

  private static func replace(_ secret: [UInt8], in bytes: inout [UInt8], asWord: Bool) -> Bool {
    guard bytes.count >= secret.count else { return false }
    var out: [UInt8] = []
    var (start, index) = (0, 0)
    while index + secret.count <= bytes.count {
      let end = index + secret.count
      if bytes[index] == secret[0], bytes[index..<end].elementsEqual(secret),
        !asWord || !(index > 0 && isWordByte(bytes[index - 1]) || end < bytes.count && isWordByte(bytes[end]))
      {
        out += bytes[start..<index]
        out += mark.utf8
        (start, index) = (end, end)
      } else {
        index += 1
      }
    }
    if start == 0, out.isEmpty { return false }
    bytes = out + bytes[start...]
    return true
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...:
      true
    default: false
    }
  }

  /// `http://name:password@host/?key=value` → `http://‹hidden›@host/?key=‹hidden›`.
  private static func hideInAddresses(_ bytes: inout [UInt8], _ isServer: Bool) -> Bool {
    let separator = Array("://".utf8)
    var (index, hasChanged) = (0, false)
    while index + 3 <= bytes.count {
      guard bytes[index] == separator[0], bytes[index..<index + 3].elementsEqual(separator) else {
        index += 1
        continue
      }
      var start = index + 3
      if let at = Userinfo.end(in: bytes[start..<end(of: bytes[start...])]), at > start {
        bytes.replaceSubrange(start..<at, with: mark.utf8)
        hasChanged = true
        start += mark.utf8.count
      }
      let end = end(of: bytes[start...])
      if let question = bytes[start..<end].firstIndex(of: UInt8(ascii: "?")),
        let query = QuerySecrets.hidden(inAddress: bytes[question..<end], isServer: isServer)
      {
        bytes.replaceSubrange(question..<end, with: query)
        hasChanged = true
      }
      index = start
    }
    return hasChanged
  }

  /// The same in words that were meant as addresses of servers: `name:password@host`, `http:/name:password@host`.
  private static func hideWithoutScheme(_ bytes: inout [UInt8]) -> Bool {
    var (index, hasChanged) = (0, false)
    while index < bytes.count {
      let word = index..<end(of: bytes[index...])
      index = word.upperBound + 1
      let start = Userinfo.start(in: bytes[word])
      guard let at = Userinfo.end(in: bytes[start..<word.upperBound]), at > start, bytes[start..<at].contains(UInt8(ascii: ":")) else {
        continue
      }
      bytes.replaceSubrange(start..<at, with: mark.utf8)
      index += mark.utf8.count - (at - start)
      hasChanged = true
    }
    return hasChanged
  }

  /// Where an address in a text ends.
  private static func end(of address: ArraySlice<UInt8>) -> Int {
    address.firstIndex { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") || $0 == UInt8(ascii: "`") } ?? address.endIndex
  }

  static func percentEncoded(_ text: String) -> String {
    var out = ""
    for byte in text.utf8 {
      let isPlain =
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x2D || byte == 0x2E
        || byte == 0x5F || byte == 0x7E
      if isPlain {
        out.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        out += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
      }
    }
    return out
  }
}
