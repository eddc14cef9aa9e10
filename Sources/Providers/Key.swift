import Chat

/// A key as the environment has it.
enum Key {
  /// Nil where nothing is left without the white space, line ends and quotes around it.
  static func read(_ text: String) -> Secret? {
    let key = text.withoutWrapping
    return key.isEmpty ? nil : Secret(key)
  }

  /// Why it cannot be sent: a header holds printable ASCII only. libcurl drops a header that holds a line end, and the request
  /// would go out without a key.
  static func problem(with key: Secret) -> String? {
    let isPlain = key.reveal().unicodeScalars.allSatisfy { (0x20..<0x7F).contains($0.value) }
    return isPlain ? nil : "holds a line end or another character that no header can carry"
  }
}
