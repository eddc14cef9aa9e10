import Language

/// A regular expression that stands in a text as it is, and is none: told before anything runs, not at the first row.
enum WrittenPattern {
  /// Functions whose second argument is one.
  private static let functions: Set<String> = ["find", "groups", "substitute"]

  static func problem(in expression: Expression) -> (message: String, span: Span, help: String?)? {
    let pattern: Expression
    switch expression.node {
    case .binary(.matches, _, let right): pattern = right
    case .call(let callee, let arguments):
      guard case .name(let name) = callee.node, functions.contains(name), arguments.count > 1 else { return nil }
      pattern = arguments[1].value
    default: return nil
    }
    guard let text = pattern.plainText else { return nil }
    do throws(OperationError) {
      _ = try Matching.pattern(text)
      return nil
    } catch { return (error.message, pattern.span, error.help) }
  }
}
