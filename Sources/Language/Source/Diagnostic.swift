/// Something wrong with a text or its running: what, where, and what to do about it.
public struct Diagnostic: Error, Sendable {
  public enum Severity: String, Sendable { case error, warning }

  public var severity = Severity.error
  public var message: String
  public var span: Span?
  /// Filled in by whoever knows which text the span points into.
  public var source: Source?
  /// What to do.
  public var help: String?
  /// The kind of failure behind it, where a failed reply is the reason.
  public var cause: String?
  /// The text ended where more was needed: at the prompt another line may bring it.
  public var isIncomplete = false

  public init(_ message: String, at span: Span?, help: String? = nil) {
    self.message = message
    self.span = span
    self.help = help
  }

  /// This diagnostic, pointing into `source` unless it already points somewhere.
  public func located(in source: Source) -> Diagnostic {
    guard self.source == nil else { return self }
    var copy = self
    copy.source = source
    return copy
  }
}
