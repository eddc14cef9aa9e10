import Patterns
import Threads

/// Regular expressions as the language's operators and functions use them. A pattern that was read is kept: `where` reads the same one
/// for every row.
enum Matching {
  private static let kept = Mutex<[String: Pattern]>([:])
  private static let most = 64

  static func pattern(_ text: String) throws(OperationError) -> Pattern {
    if let pattern = kept.withLock({ $0[text] }) { return pattern }
    do throws(PatternError) {
      let pattern = try Pattern(text)
      kept.withLock { kept in
        if kept.count >= most { kept.removeAll(keepingCapacity: true) }
        kept[text] = pattern
      }
      return pattern
    } catch {
      throw OperationError("\"\(text.prefix(60))\" is no regular expression: \(error)", help: "`help patterns` tells what one may hold")
    }
  }

  static func isFound(_ pattern: String, in text: String) throws(OperationError) -> Bool {
    let pattern = try Matching.pattern(pattern)
    do throws(PatternStop) { return try pattern.isFound(in: text) } catch { throw stopped(error) }
  }

  static func matches(_ pattern: String, in text: String) throws(OperationError) -> [PatternMatch] {
    let pattern = try Matching.pattern(pattern)
    do throws(PatternStop) { return try pattern.matches(in: text) } catch { throw stopped(error) }
  }

  /// The groups of the first match: a list, or a record where they have names. Nothing where there is no match.
  static func groups(_ pattern: String, in text: String) throws(OperationError) -> Value {
    let pattern = try Matching.pattern(pattern)
    let match: PatternMatch?
    do throws(PatternStop) { match = try pattern.firstMatch(in: text) } catch { throw stopped(error) }
    guard let match else { return .nothing }
    let groups = match.groups.dropFirst().map { $0.map(Value.text) ?? .nothing }
    guard pattern.groupNames.contains(where: { $0 != nil }) else { return .list(groups) }
    return .record(Record(zip(pattern.groupNames, groups).compactMap { name, value in name.map { ($0, value) } }))
  }

  /// What matches just this text.
  static func escaped(_ text: String) -> String {
    // By scalars, as patterns are read: a mark that combines with a full stop makes none of it.
    String(
      text.unicodeScalars.reduce(into: String.UnicodeScalarView()) { out, scalar in
        if "\\^$.|?*+()[]{}-/#&~".unicodeScalars.contains(scalar) { out.append("\\") }
        out.append(scalar)
      })
  }

  static func replacing(_ pattern: String, in text: String, with new: String) throws(OperationError) -> String {
    let pattern = try Matching.pattern(pattern)
    do throws(PatternStop) { return try pattern.replacing(in: text, with: new) } catch { throw stopped(error) }
  }

  private static func stopped(_ stop: PatternStop) -> OperationError {
    switch stop {
    case .cancelled: .cancelled
    case .tooMuchWork:
      OperationError(
        "the pattern was given up: finding every match in this text takes too long",
        help: "a pattern whose matches are short looks at the rest of the text for each of them")
    }
  }
}
