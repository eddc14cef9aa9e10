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

  /// A provider of which no model is chosen yet: nothing can be sent.
  public static func none(at provider: String) -> ModelName { ModelName(provider: provider, name: "") }

  public var isChosen: Bool { !name.isEmpty }

  public var description: String { isChosen ? "\(provider)/\(name)" : "none chosen at \(provider)" }
}
