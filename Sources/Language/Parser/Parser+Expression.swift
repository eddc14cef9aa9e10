extension Parser {
  /// A whole expression: white space around operators decides nothing.
  mutating func expression() throws(Diagnostic) -> Expression {
    try nested { (parser: inout Parser) throws(Diagnostic) in try parser.binary(minimum: 0, asArgument: false) }
  }

  /// An argument of a command: `a - b` goes on, `a -b` does not.
  mutating func argument() throws(Diagnostic) -> Expression {
    try nested { (parser: inout Parser) throws(Diagnostic) in
      if parser.token.is(.openBrace), !parser.startsRecord {
        let block = try parser.block()
        return Expression(.block(block), block.span)
      }
      // A `-` that stands alone is standard input or output.
      if parser.isLoneDash {
        let span = parser.advance().span
        return Expression(.text([.plain("-")]), span)
      }
      return try parser.binary(minimum: 0, asArgument: true)
    }
  }

  /// Precedence climbing over the rows of `BinaryOperator`.
  private mutating func binary(minimum: Int, asArgument: Bool) throws(Diagnostic) -> Expression {
    var left = try unary(asArgument: asArgument)
    var links = 0
    while true {
      links += 1
      if links > Self.maximumChain { throw tooLong(left) }
      if token.is(.range), minimum <= 5 {
        advance()
        skipNewlines()
        let right = try binary(minimum: 6, asArgument: asArgument)
        left = Expression(.range(left, right), left.span.union(right.span))
        continue
      }
      guard let (op, length) = binaryOperator(asArgument: asArgument), op.precedence >= minimum else { return left }
      for _ in 0..<length { advance() }
      skipNewlines()
      let right = try nested { (parser: inout Parser) throws(Diagnostic) in
        try parser.binary(minimum: op.precedence + 1, asArgument: asArgument)
      }
      left = Expression(.binary(op, left, right), left.span.union(right.span))
    }
  }

  private var isLoneDash: Bool {
    guard token.is(.minus), token.spaceBefore else { return false }
    switch lexer.token(at: token.span.end, skippingNewlines: bracketDepth > 0).kind {
    case .newline, .end, .flag, .symbol(.pipe), .symbol(.semicolon), .symbol(.closeBrace), .symbol(.closeParen), .symbol(.ampersand):
      return true
    default: return false
    }
  }

  private func tooLong(_ expression: Expression) -> Diagnostic {
    Diagnostic("more than \(Self.maximumChain) operators in a row", at: expression.span, help: "a list and `sum` or `joined` say the same")
  }

  /// The operator that stands here and its number of tokens.
  private func binaryOperator(asArgument: Bool) -> (BinaryOperator, Int)? {
    switch token.kind {
    case .name("not"):
      let next = lexer.token(at: token.span.end, skippingNewlines: bracketDepth > 0)
      return next.is(word: "in") ? (.notIn, 2) : nil
    case .name(let word):
      guard Vocabulary.operatorWords.contains(word) else { return nil }
      return BinaryOperator(rawValue: word).map { ($0, 1) }
    case .symbol(let symbol):
      guard let op = BinaryOperator(rawValue: symbol.rawValue) else { return nil }
      // `sort -latency`: a sign that clings to what follows starts an argument of its own.
      if asArgument, token.spaceBefore, !token.spaceAfter, symbol == .minus || symbol == .plus { return nil }
      if asArgument, isLoneDash { return nil }
      return (op, 1)
    default: return nil
    }
  }

  private mutating func unary(asArgument: Bool) throws(Diagnostic) -> Expression {
    let start = token.span.start
    if token.is(word: "not") {
      advance()
      let operand = try nested { (parser: inout Parser) throws(Diagnostic) in try parser.binary(minimum: 3, asArgument: asArgument) }
      return Expression(.unary(.not, operand), span(from: start))
    }
    if token.is(.minus) {
      advance()
      let operand = try nested { (parser: inout Parser) throws(Diagnostic) in try parser.unary(asArgument: asArgument) }
      return Expression(.unary(.minus, operand), span(from: start))
    }
    return try postfix()
  }

  /// `x.f`, `x[i]`, `f(x)`: only where no white space stands between.
  private mutating func postfix() throws(Diagnostic) -> Expression {
    var value = try primary()
    var links = 0
    while !token.spaceBefore {
      links += 1
      if links > Self.maximumChain { throw tooLong(value) }
      if token.is(.dot) {
        advance()
        guard case .name(let field) = token.kind else { throw unexpected("the name of a field") }
        advance()
        value = Expression(.field(value, field), span(from: value.span.start))
      } else if token.is(.openBracket) {
        let index = try bracketed(.closeBracket) { (parser: inout Parser) throws(Diagnostic) in try parser.expression() }
        value = Expression(.index(value, index), span(from: value.span.start))
      } else if token.is(.openParen) {
        let arguments = try bracketed(.closeParen) { (parser: inout Parser) throws(Diagnostic) in try parser.callArguments() }
        value = Expression(.call(value, arguments), span(from: value.span.start))
      } else {
        break
      }
    }
    return value
  }

  private mutating func callArguments() throws(Diagnostic) -> [CallArgument] {
    var arguments: [CallArgument] = []
    while !token.is(.closeParen) {
      var label: String?
      if case .name(let word) = token.kind, lexer.token(at: token.span.end, skippingNewlines: true).is(.assign) {
        label = word
        advance()
        advance()
      }
      arguments.append(CallArgument(name: label, value: try callArgument()))
      if token.is(.comma) { advance() } else if !token.is(.closeParen) { throw unexpected("`,` or `)`") }
    }
    return arguments
  }

  /// An expression, or a pipeline as in parentheses of its own: `len(rows | where failed)`, `len(peek facts)`.
  private mutating func callArgument() throws(Diagnostic) -> Expression {
    let (start, textCount) = (token.span.start, texts.count)
    let value = try expression()
    var isCommand = false
    if case .name(let word) = value.node { isCommand = vocabulary.commands.contains(word) }
    guard token.is(.pipe) || isCommand && !token.is(.comma) && !token.is(.closeParen) else { return value }
    texts.removeSubrange(textCount...)
    restart(at: start)
    let pipeline = try nested { (parser: inout Parser) throws(Diagnostic) in try parser.pipeline() }
    return Expression(.pipeline(pipeline), pipeline.span)
  }

  /// Takes the opening bracket, what `body` reads, and `close`.
  private mutating func bracketed<T>(
    _ close: Token.Symbol, _ body: (inout Parser) throws(Diagnostic) -> T
  ) throws(Diagnostic) -> T {
    let open = token
    let value = try inBrackets(true) { (parser: inout Parser) throws(Diagnostic) in
      parser.advance()
      let value = try body(&parser)
      guard parser.token.is(close) else {
        if parser.token.kind == .end {
          var diagnostic = Diagnostic("this `\(parser.source.text(open.span))` is not closed", at: open.span)
          diagnostic.isIncomplete = true
          throw diagnostic
        }
        throw parser.unexpected("`\(close.rawValue)`")
      }
      return value
    }
    restart(at: token.span.end)
    return value
  }

  /// `{` followed by a key and `:`, or by `}`.
  var startsRecord: Bool {
    let first = lexer.token(at: token.span.end, skippingNewlines: true)
    if first.is(.closeBrace) { return true }
    switch first.kind {
    case .name: return lexer.token(at: first.span.end, skippingNewlines: true).is(.colon)
    case .quote:
      var parser = self
      parser.restart(at: first.span.start)
      return (try? parser.text()) != nil && parser.token.is(.colon)
    default: return false
    }
  }

  mutating func primary() throws(Diagnostic) -> Expression {
    let start = token.span.start
    switch token.kind {
    case .quote: return try text()
    case .int(let value): return simple(.int(value))
    case .number(let value): return simple(.number(value))
    case .duration(let value): return simple(.duration(value))
    case .job(let number): return simple(.job(number))
    case .name("true"): return simple(.bool(true))
    case .name("false"): return simple(.bool(false))
    case .name("nothing"): return simple(.nothing)
    case .name(let word):
      if Vocabulary.notValues.contains(word) { throw unexpected("a value") }
      return simple(.name(word))
    case .symbol(.openParen):
      return try bracketed(.closeParen) { (parser: inout Parser) throws(Diagnostic) in
        let inner = try parser.nested { (parser: inout Parser) throws(Diagnostic) in try parser.pipeline() }
        if inner.stages.count == 1, case .expression(let expression) = inner.stages[0] {
          return Expression(expression.node, Span(start, parser.token.span.end))
        }
        return Expression(.pipeline(inner), Span(start, parser.token.span.end))
      }
    case .symbol(.openBracket):
      let elements = try bracketed(.closeBracket) { (parser: inout Parser) throws(Diagnostic) in
        var elements: [Expression] = []
        while !parser.token.is(.closeBracket) {
          elements.append(try parser.expression())
          if parser.token.is(.comma) { parser.advance() } else if !parser.token.is(.closeBracket) { throw parser.unexpected("`,` or `]`") }
        }
        return elements
      }
      return Expression(.list(elements), span(from: start))
    case .symbol(.openBrace):
      guard startsRecord else { throw unexpected("a value", help: "a record is written {name: value}") }
      let members = try bracketed(.closeBrace) { (parser: inout Parser) throws(Diagnostic) in try parser.recordMembers() }
      return Expression(.record(members), span(from: start))
    default: throw unexpected("a value")
    }
  }

  private mutating func recordMembers() throws(Diagnostic) -> [RecordMember] {
    var members: [RecordMember] = []
    while !token.is(.closeBrace) {
      let key: String
      if token.kind == .quote {
        let text = try text()
        guard case .text(let pieces) = text.node, let plain = plainText(pieces) else {
          throw Diagnostic("a field's name cannot have holes", at: text.span)
        }
        key = plain
      } else {
        key = try name("the name of a field").text
      }
      try expect(.colon, "`:`")
      members.append(RecordMember(name: key, value: try expression()))
      if token.is(.comma) { advance() } else if !token.is(.closeBrace) { throw unexpected("`,` or `}`") }
    }
    return members
  }

  private func plainText(_ pieces: [TextPiece]) -> String? {
    var out = ""
    for piece in pieces {
      guard case .plain(let text) = piece else { return nil }
      out += text
    }
    return out
  }

  private mutating func simple(_ node: Expression.Node) -> Expression {
    let span = token.span
    advance()
    return Expression(node, span)
  }
}
