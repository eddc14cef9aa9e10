import Editor
import Interpreter
import Language
import Terminal

/// Colours of a line as it is typed: the language's own, and red from the first word that is wrong. The word the cursor stands at is
/// still being written, and is not judged.
struct Highlighter: Sendable {
  let session: Session
  /// Longer texts (a paste of thousands of lines) are left plain: every key would go over all of them.
  private static let longest = 16_000

  /// Nil where there is to be no colour.
  func runs(_ text: String, cursor: Int) -> [StyledRun]? {
    guard session.settings.colour else { return nil }
    guard text.utf8.count <= Self.longest else { return [] }
    let source = Source(name: "", text: text)
    let vocabulary = Prompt.vocabulary(session)
    var offsets = ScalarOffsets(text)
    var runs: [StyledRun] = []
    let error = firstError(source, cursor, &offsets)
    for span in Colouring.spans(of: source, vocabulary: vocabulary) {
      let start = offsets[span.span.start]
      var end = offsets[span.span.end]
      if let error {
        if start >= error { break }
        end = min(end, error)
      }
      runs.append(StyledRun(start, end, Self.style(span.kind)))
    }
    if let error { runs.append(StyledRun(error, text.unicodeScalars.count, .error)) }
    return runs
  }

  private func firstError(_ source: Source, _ cursor: Int, _ offsets: inout ScalarOffsets) -> Int? {
    let parsed = Parser.parse(source, vocabulary: Prompt.vocabulary(session))
    if parsed.isIncomplete { return nil }
    let errors = parsed.diagnostics.isEmpty ? session.check(source, readsFiles: false).filter { $0.severity == .error } : parsed.diagnostics
    guard let span = errors.first?.span, span.start < source.bytes.count else { return nil }
    let (start, end) = (offsets[span.start], offsets[max(span.end, span.start)])
    return cursor >= start && cursor <= end ? nil : start
  }

  private static func style(_ kind: ColouredSpan.Kind) -> Style {
    switch kind {
    case .command: .command
    case .keyword: .keyword
    case .text: .text
    case .hole: .hole
    case .number: .number
    case .flag: .flag
    case .job: .number
    case .comment: .comment
    }
  }
}

/// Offsets in bytes → offsets in Unicode scalars.
private struct ScalarOffsets {
  private var table: [Int]

  init(_ text: String) {
    table = []
    table.reserveCapacity(text.utf8.count + 1)
    var scalar = -1
    for byte in text.utf8 {
      if byte & 0xC0 != 0x80 { scalar += 1 }
      table.append(scalar)
    }
    table.append(scalar + 1)
  }

  subscript(offset: Int) -> Int { table[min(max(0, offset), table.count - 1)] }
}
