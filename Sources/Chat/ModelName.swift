/// A model as the language writes it: `provider/name`. The name may itself hold slashes (`openrouter/meta/llama-3`).
public struct ModelName: Hashable, Sendable, CustomStringConvertible {
  public var provider: String
  public var name: String

  public init(provider: String, name: String) {
    self.provider = provider
    self.name = name
  }

  /// Nil where `text` has no slash, or nothing on one side of the first.
  public init?(_ text: String) {
    guard let slash = text.firstIndex(of: "/") else { return nil }
    provider = String(text[..<slash])
    name = String(text[text.index(after: slash)...])
    if provider.isEmpty || name.isEmpty { return nil }
  }

  public var description: String { "\(provider)/\(name)" }
}
