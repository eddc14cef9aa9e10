/// Text → tree, by recursive descent. `docs/grammar.md` is what it accepts.
///
/// It recovers at the ends of statements, so that one pass reports every mistake; and a mistake that only lies in the text having
/// ended is marked `isIncomplete`, which is how the prompt knows to ask for another line.
public struct Parser {
  let source: Source
  let vocabulary: Vocabulary
  let lexer: Lexer
  var token: Token
  /// Where the last token taken ended.
  var lastEnd = 0
  /// Inside ( or [ a line end is white space.
  var bracketDepth = 0
  /// Inside holes, so that `}}` may close one.
  var nesting = 0
  var diagnostics: [Diagnostic] = []
  /// Variables: one that has a command's name is meant where nothing follows it.
  var bound: Set<String>
  var texts: [Span] = []
  /// See `Program.braces`; a text that is read twice has them twice.
  var braces: Set<Int> = []

  /// Deeper nesting is refused: hostile input must not end in a stack overflow (threads have half a megabyte on macOS).
  static let maximumNesting = 64
  /// Operators, fields and indices in a row: they nest to the left, as deep as they are many.
  static let maximumChain = 1000

  public struct Result: Sendable {
    public var program: Program
    public var diagnostics: [Diagnostic]
    /// Where texts and words stand, for the formatter; those in holes lie within others.
    var texts: [Span]
    /// More lines could make it right.
    public var isIncomplete: Bool { diagnostics.first?.isIncomplete ?? false }
  }

  public static func parse(_ source: Source, vocabulary: Vocabulary) -> Result {
    var parser = Parser(source, vocabulary)
    let statements = parser.statements(untilBrace: false)
    let block = Block(statements, Span(0, source.bytes.count))
    return Result(
      program: Program(source: source, block: block, braces: parser.braces.isEmpty ? [] : parser.braces.sorted()),
      diagnostics: parser.diagnostics.map { $0.located(in: source) }, texts: parser.texts)
  }

  init(_ source: Source, _ vocabulary: Vocabulary) {
    self.source = source
    self.vocabulary = vocabulary
    lexer = Lexer(bytes: source.bytes)
    bound = vocabulary.variables
    // A first line `#!/usr/bin/env promptsh` is a comment like any other.
    token = lexer.token(at: 0, skippingNewlines: false)
  }

  // MARK: tokens

  @discardableResult
  mutating func advance() -> Token {
    let taken = token
    lastEnd = taken.span.end
    token = lexer.token(at: taken.span.end, skippingNewlines: bracketDepth > 0)
    return taken
  }

  /// Reads on from `offset`, as whatever the parser wants next.
  mutating func restart(at offset: Int) {
    lastEnd = offset
    token = lexer.token(at: offset, skippingNewlines: bracketDepth > 0)
  }

  mutating func skipNewlines() {
    while token.kind == .newline { advance() }
  }

  /// Takes a symbol, or throws what was expected.
  @discardableResult
  mutating func expect(_ symbol: Token.Symbol, _ what: String) throws(Diagnostic) -> Token {
    guard token.is(symbol) else { throw unexpected(what) }
    return advance()
  }

  /// An error at the token that stands here.
  func unexpected(_ expected: String, help: String? = nil) -> Diagnostic {
    var diagnostic: Diagnostic
    switch token.kind {
    case .end:
      diagnostic = Diagnostic("the text ends where \(expected) was expected", at: Span(lastEnd, lastEnd), help: help)
      diagnostic.isIncomplete = true
    case .newline: diagnostic = Diagnostic("the line ends where \(expected) was expected", at: token.span, help: help)
    case .quote:
      diagnostic = Diagnostic("\(expected) was expected here, not a text", at: Span(token.span.start, token.span.start + 1), help: help)
    case .invalid(let problem): diagnostic = Diagnostic(problem, at: token.span, help: help)
    default:
      diagnostic = Diagnostic("\(expected) was expected here, not `\(source.text(token.span).prefix(40))`", at: token.span, help: help)
    }
    return diagnostic
  }

  mutating func nested<T>(_ body: (inout Parser) throws(Diagnostic) -> T) throws(Diagnostic) -> T {
    nesting += 1
    defer { nesting -= 1 }
    if nesting > Self.maximumNesting {
      throw Diagnostic("nested more than \(Self.maximumNesting) deep", at: token.span, help: "name a part with `let` or `def`")
    }
    return try body(&self)
  }

  /// Runs `body` with line ends counting as white space (or not), and restores what held before.
  mutating func inBrackets<T>(_ inside: Bool, _ body: (inout Parser) throws(Diagnostic) -> T) throws(Diagnostic) -> T {
    let outer = bracketDepth
    bracketDepth = inside ? outer + 1 : 0
    do throws(Diagnostic) {
      let value = try body(&self)
      bracketDepth = outer
      return value
    } catch {
      bracketDepth = outer
      throw error
    }
  }

  func span(from start: Int) -> Span { Span(start, max(start, lastEnd)) }

  // MARK: statements

  mutating func statements(untilBrace: Bool) -> [Statement] {
    var statements: [Statement] = []
    while true {
      while token.kind == .newline || token.is(.semicolon) { advance() }
      if token.kind == .end || (untilBrace && token.is(.closeBrace)) { return statements }
      do throws(Diagnostic) {
        if token.is(.closeBrace) { throw Diagnostic("this `}` closes nothing", at: advance().span) }
        statements.append(try statement())
        try endOfStatement(untilBrace: untilBrace)
      } catch {
        diagnostics.append(error)
        if diagnostics.count >= 50 {
          token = Token(kind: .end, span: Span(source.bytes.count, source.bytes.count), spaceBefore: true, spaceAfter: true)
        }
        recover(untilBrace: untilBrace)
      }
    }
  }

  private mutating func endOfStatement(untilBrace: Bool) throws(Diagnostic) {
    if token.kind == .newline || token.is(.semicolon) || token.kind == .end || (untilBrace && token.is(.closeBrace)) { return }
    throw unexpected("the end of the statement", help: "statements are separated by a line end or `;`")
  }

  /// Passes over the rest of a broken statement, blocks in it included.
  private mutating func recover(untilBrace: Bool) {
    var depth = 0
    bracketDepth = 0
    while token.kind != .end {
      if depth == 0, token.kind == .newline || token.is(.semicolon) || (untilBrace && token.is(.closeBrace)) { return }
      if token.is(.openBrace) { depth += 1 }
      if token.is(.closeBrace) { depth = max(0, depth - 1) }
      if token.kind == .quote {
        // A broken text ends with its line.
        var parser = self
        if let end = try? parser.text() { restart(at: end.span.end) } else { restart(at: endOfLine(token.span.start)) }
      } else {
        advance()
      }
    }
  }

  func endOfLine(_ start: Int) -> Int {
    source.bytes[start...].firstIndex(of: 0x0A) ?? source.bytes.count
  }

  /// `{ … }`
  mutating func block() throws(Diagnostic) -> Block {
    try nested { (parser: inout Parser) throws(Diagnostic) in
      let open = parser.token
      guard open.is(.openBrace) else { throw parser.unexpected("a block `{ … }`") }
      let block = try parser.inBrackets(false) { (parser: inout Parser) throws(Diagnostic) in
        parser.advance()
        let statements = parser.statements(untilBrace: true)
        guard parser.token.is(.closeBrace) else {
          var diagnostic = Diagnostic("this `{` is not closed", at: open.span)
          diagnostic.isIncomplete = parser.token.kind == .end
          throw diagnostic
        }
        return Block(statements, Span(open.span.start, parser.token.span.end))
      }
      // What follows the brace is read under the rules that held outside.
      parser.restart(at: block.span.end)
      return block
    }
  }
}
