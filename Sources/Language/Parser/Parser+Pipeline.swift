extension Parser {
  /// Stages joined by `|`. A line may end after a `|`.
  mutating func pipeline() throws(Diagnostic) -> Pipeline {
    let start = token.span.start
    var stages = [try stage(isFirst: true)]
    while token.is(.pipe) {
      advance()
      skipNewlines()
      stages.append(try stage(isFirst: false))
    }
    return Pipeline(stages: stages, span: span(from: start))
  }

  private mutating func stage(isFirst: Bool) throws(Diagnostic) -> Pipeline.Stage {
    guard case .name(let word) = token.kind, isCommand(word, isFirst: isFirst) else {
      return .expression(try expression())
    }
    return .command(try command(word))
  }

  /// Whether the name that stands here begins a command: a known command, or a name followed by what can only be an argument.
  private func isCommand(_ word: String, isFirst: Bool) -> Bool {
    if Vocabulary.keywords.contains(word) { return false }
    // Behind a `|` nothing but a command can stand: `xs | refine` calls a function of the user's.
    if !isFirst { return true }
    let next = lexer.byte(token.span.end)
    let isTight = next == UInt8(ascii: "(") || next == UInt8(ascii: "[") || next == UInt8(ascii: ".")
    if isFirst, bound.contains(word), vocabulary.commands.contains(word) {
      switch lexer.token(at: token.span.end, skippingNewlines: bracketDepth > 0).kind {
      case .newline, .end, .symbol(.semicolon), .symbol(.pipe), .symbol(.closeBrace), .symbol(.closeParen): return false
      default: break
      }
    }
    if vocabulary.commands.contains(word) { return !(isTight && (vocabulary.functions.contains(word) || next != UInt8(ascii: "("))) }
    if isTight { return false }
    let following = lexer.token(at: token.span.end, skippingNewlines: false)
    guard following.spaceBefore else { return false }
    switch following.kind {
    case .name(let name): return !Vocabulary.operatorWords.contains(name)
    case .int, .number, .duration, .quote, .flag, .job: return true
    case .symbol(.openParen), .symbol(.openBracket): return true
    default: return false
    }
  }

  private mutating func command(_ word: String) throws(Diagnostic) -> Command {
    let name = Name(text: word, span: token.span)
    advance()
    if vocabulary.wordCommands.contains(word) { return try wordCommand(name) }
    var arguments: [Expression] = []
    var flags: [Flag] = []
    while !endsArguments {
      if case .flag(let flag) = token.kind {
        flags.append(try self.flag(flag))
      } else {
        arguments.append(try argument())
      }
    }
    return Command(name: name, arguments: arguments, flags: flags, words: [], span: span(from: name.span.start))
  }

  private var endsArguments: Bool {
    endsStatement || token.is(.pipe) || token.is(.comma) || token.is(.closeBracket)
  }

  /// A command whose arguments are words.
  private mutating func wordCommand(_ name: Name) throws(Diagnostic) -> Command {
    var words: [SettingValue] = []
    var flags: [Flag] = []
    while !endsArguments {
      if case .flag(let flag) = token.kind { flags.append(try self.flag(flag)) } else { words.append(try settingValue()) }
    }
    return Command(name: name, arguments: [], flags: flags, words: words, span: span(from: name.span.start))
  }

  private mutating func flag(_ text: String) throws(Diagnostic) -> Flag {
    let name = Name(text: text, span: token.span)
    if lexer.byte(token.span.end) == UInt8(ascii: "=") {
      restart(at: token.span.end + 1)
      return Flag(name: name, value: try settingValue())
    }
    advance()
    if vocabulary.switches.contains(text) { return Flag(name: name, value: nil) }
    if endsArguments {
      throw Diagnostic(
        "`--\(text)` needs a value", at: name.span, help: "a word, a number, a text, a [list], a {record} or an (expression)")
    }
    if case .flag = token.kind {
      throw Diagnostic(
        "`--\(text)` needs a value", at: name.span, help: "a word, a number, a text, a [list], a {record} or an (expression)")
    }
    return Flag(name: name, value: try settingValue())
  }

  /// A word, number, text, `[list]`, `{record: …}` or `(expression)`.
  mutating func settingValue() throws(Diagnostic) -> SettingValue {
    let start = token.span.start
    switch token.kind {
    case .quote:
      let text = try text()
      return SettingValue(node: .expression(text), span: text.span)
    case .symbol(.openParen), .symbol(.openBrace):
      let expression = try primary()
      return SettingValue(node: .expression(expression), span: expression.span)
    case .symbol(.openBracket):
      let values = try inBrackets(true) { (parser: inout Parser) throws(Diagnostic) in
        parser.advance()
        var values: [SettingValue] = []
        while !parser.token.is(.closeBracket) {
          values.append(try parser.nested { (parser: inout Parser) throws(Diagnostic) in try parser.settingValue() })
          if parser.token.is(.comma) { parser.advance() } else if !parser.token.is(.closeBracket) { throw parser.unexpected("`,` or `]`") }
        }
        return values
      }
      restart(at: token.span.end)
      return SettingValue(node: .list(values), span: span(from: start))
    default: break
    }
    // A word runs to the next white space or delimiter; `&` and `;` belong to it where something follows (a URL's query).
    var end = start
    while let byte = lexer.byte(end), !lexer.isSpace(byte) {
      if byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "}")
        || byte == UInt8(ascii: "|") || byte == UInt8(ascii: "\"") || byte < 0x20
      {
        break
      }
      if byte == UInt8(ascii: "&") || byte == UInt8(ascii: ";") {
        guard let next = lexer.byte(end + 1), !lexer.isSpace(next), end > start else { break }
      }
      end += 1
    }
    guard end > start else { throw unexpected("a value") }
    let word = lexer.text(start, end)
    // A word is its own, whatever is in it: `a#b` holds no comment.
    texts.append(Span(start, end))
    restart(at: end)
    return SettingValue(node: .word(word), span: Span(start, end))
  }
}
