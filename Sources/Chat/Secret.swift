/// A key. Prints as ‹hidden› wherever it is shown, logged or interpolated; `reveal` is called where a header is made, and nowhere else.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  private let value: String

  public init(_ value: String) {
    self.value = value
  }

  public func reveal() -> String { value }

  public var description: String { "‹hidden›" }
  public var debugDescription: String { "‹hidden›" }
  public var customMirror: Mirror { Mirror(self, children: []) }
}
