extension Parser {
  mutating func statement() throws(Diagnostic) -> Statement {
    let start = token.span.start
    let node = try statementNode()
    var isBackground = false
    if token.is(.ampersand) {
      switch node {
      case .pipeline, .binding, .for, .if: break
      default: throw Diagnostic("this cannot run in the background", at: token.span, help: "`&` follows a command or a `let`")
      }
      advance()
      isBackground = true
    }
    return Statement(node: node, span: span(from: start), isBackground: isBackground)
  }

  private mutating func statementNode() throws(Diagnostic) -> Statement.Node {
    switch token.kind {
    case .name("let"): return try binding()
    case .name("def"): return try function()
    case .name("prompt"): return try prompt()
    case .name("if"): return try conditional()
    case .name("for"): return try loop()
    case .name("try"): return try attempt()
    case .name("return"):
      advance()
      return .return(endsStatement ? nil : try pipeline())
    case .name("on"):
      advance()
      let event = try name("the name of an event: start, token, retry, end, error")
      return .on(event: event, try block())
    case .name("else"), .name("catch"):
      throw Diagnostic(
        "`\(source.text(token.span))` follows nothing it could belong to", at: token.span,
        help: "it stands on the line of the `}` before it")
    case .invalid where lexer.byte(token.span.start) == UInt8(ascii: "?"): return .pipeline(restOfLine(as: "stream"))
    case .invalid where lexer.byte(token.span.start) == UInt8(ascii: "!"): return .pipeline(restOfLine(as: "!"))
    default: return .pipeline(try pipeline())
    }
  }

  var endsStatement: Bool {
    token.kind == .newline || token.kind == .end || token.is(.semicolon) || token.is(.closeBrace) || token.is(.ampersand)
      || token.is(.closeParen)
  }

  /// `? words` and `!command`: everything to the end of the line is one plain text.
  private mutating func restOfLine(as command: String) -> Pipeline {
    let mark = token.span
    let end = endOfLine(mark.start)
    let start = min(lexer.skipSpace(mark.end, newlines: false), end)
    let raw = Span(mark.end, end)
    // A `#` is part of the words here.
    var words = source.text(raw).drop { $0 == " " || $0 == "\t" }
    while let last = words.last, last == " " || last == "\t" || last == "\r" { words.removeLast() }
    let text = Expression(.text([.plain(String(words))]), Span(start, end))
    restart(at: end)
    let name = Name(text: command, span: mark)
    let node = Command(name: name, arguments: [text], flags: [], words: [], span: Span(mark.start, end))
    return Pipeline(stages: [.command(node)], span: node.span)
  }

  /// A name that something new gets, or that refers.
  mutating func name(_ what: String) throws(Diagnostic) -> Name {
    guard case .name(let text) = token.kind else { throw unexpected(what) }
    let span = token.span
    advance()
    return Name(text: text, span: span)
  }

  private mutating func newName(_ what: String) throws(Diagnostic) -> Name {
    let name = try name(what)
    if Vocabulary.keywords.contains(name.text) {
      throw Diagnostic("`\(name.text)` is a word of the language", at: name.span, help: "choose another name")
    }
    return name
  }

  private mutating func binding() throws(Diagnostic) -> Statement.Node {
    advance()
    let name = try newName("the name of a variable")
    try expect(.assign, "`=`")
    defer { bound.insert(name.text) }
    return .binding(name: name, value: try pipeline())
  }

  private mutating func function() throws(Diagnostic) -> Statement.Node {
    advance()
    let name = try newName("the name of a function")
    let parameters = try parameters()
    if token.is(.assign) {
      advance()
      let start = token.span.start
      let value = try pipeline()
      let statement = Statement(node: .return(value), span: span(from: start))
      return .function(FunctionDefinition(name: name, parameters: parameters, body: Block([statement], statement.span)))
    }
    return .function(FunctionDefinition(name: name, parameters: parameters, body: try block()))
  }

  private mutating func prompt() throws(Diagnostic) -> Statement.Node {
    advance()
    let name = try newName("the name of a prompt")
    let parameters = token.is(.openParen) ? try parameters() : []
    if token.is(.assign) {
      advance()
      guard token.kind == .quote else { throw unexpected("the prompt's text") }
      let turn = PromptDefinition.Turn(role: .user, text: try text())
      return .prompt(PromptDefinition(name: name, parameters: parameters, turns: [turn]))
    }
    let open = try expect(.openBrace, "`=` and a text, or a block of turns")
    var turns: [PromptDefinition.Turn] = []
    while true {
      while token.kind == .newline || token.is(.semicolon) { advance() }
      if token.is(.closeBrace) { break }
      guard case .name(let word) = token.kind, let role = PromptDefinition.Turn.Role(rawValue: word) else {
        if token.kind == .end {
          var diagnostic = Diagnostic("this `{` is not closed", at: open.span)
          diagnostic.isIncomplete = true
          throw diagnostic
        }
        throw unexpected("`system`, `user` or `assistant`")
      }
      advance()
      guard token.kind == .quote else { throw unexpected("the text of the turn") }
      turns.append(PromptDefinition.Turn(role: role, text: try text()))
    }
    let close = advance()
    if turns.isEmpty { throw Diagnostic("a prompt needs a turn", at: Span(open.span.start, close.span.end), help: "user \"…\"") }
    return .prompt(PromptDefinition(name: name, parameters: parameters, turns: turns))
  }

  private mutating func parameters() throws(Diagnostic) -> [Parameter] {
    guard token.is(.openParen) else { throw unexpected("`(` and the parameters") }
    let parameters = try inBrackets(true) { (parser: inout Parser) throws(Diagnostic) in
      parser.advance()
      var parameters: [Parameter] = []
      while !parser.token.is(.closeParen) {
        let name = try parser.newName("the name of a parameter")
        if parameters.contains(where: { $0.name.text == name.text }) {
          throw Diagnostic("there are two parameters `\(name.text)`", at: name.span)
        }
        var fallback: Expression?
        if parser.token.is(.assign) {
          parser.advance()
          fallback = try parser.expression()
        }
        parameters.append(Parameter(name: name, fallback: fallback))
        if parser.token.is(.comma) { parser.advance() } else if !parser.token.is(.closeParen) { throw parser.unexpected("`,` or `)`") }
      }
      return parameters
    }
    restart(at: token.span.end)
    return parameters
  }

  private mutating func conditional() throws(Diagnostic) -> Statement.Node {
    var branches: [(condition: Expression, body: Block)] = []
    while true {
      advance()
      let condition = try expression()
      branches.append((condition, try block()))
      guard token.is(word: "else") else { return .if(branches, else: nil) }
      advance()
      if !token.is(word: "if") { return .if(branches, else: try block()) }
    }
  }

  private mutating func loop() throws(Diagnostic) -> Statement.Node {
    advance()
    let name = try newName("the name for each item")
    guard token.is(word: "in") else { throw unexpected("`in`") }
    advance()
    let items = try pipeline()
    return .for(name, in: items, try block())
  }

  private mutating func attempt() throws(Diagnostic) -> Statement.Node {
    advance()
    let body = try block()
    guard token.is(word: "catch") else { throw unexpected("`catch`") }
    advance()
    let error = token.is(.openBrace) ? nil : try newName("the name for the error")
    return .attempt(body, error: error, handler: try block())
  }
}
