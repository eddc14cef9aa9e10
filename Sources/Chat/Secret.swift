import Secrets

/// A key. Prints as ‹hidden› wherever it is shown, logged or interpolated; `reveal` is called where a header is made, and nowhere else.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  /// From now on its value is hidden wherever it might be shown (`Redactor`).
  public init(_ value: String) {
    self.value = value
    Redactor.learn(value)
  }

  public func reveal() -> String { value }

  /// What stands for it wherever it is shown.
  public static let hidden = "‹hidden›"
  public var description: String { Self.hidden }
  public var debugDescription: String { Self.hidden }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
