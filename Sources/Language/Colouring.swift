/// What stands where in a text, for colour: a pass over its tokens, forgiving, since half a line is the usual case.
public struct ColouredSpan: Sendable, Equatable {
  public enum Kind: Sendable { case command, keyword, text, hole, number, flag, job, comment }

  /// In bytes of the source.
  public var span: Span
  public var kind: Kind
}

public enum Colouring {
  public static func spans(of source: Source, vocabulary: Vocabulary) -> [ColouredSpan] {
    var pass = Pass(lexer: Lexer(bytes: source.bytes), vocabulary: vocabulary)
    pass.run()
    return pass.spans
  }

  private struct Pass {
    let lexer: Lexer
    let vocabulary: Vocabulary
    var spans: [ColouredSpan] = []
    /// A command may stand here.
    var isStart = true

    mutating func run() {
      var position = 0
      while true {
        comments(from: position)
        let token = lexer.token(at: position, skippingNewlines: false)
        position = token.span.end
        switch token.kind {
        case .end: return
        case .newline: isStart = true
        case .quote:
          position = text(at: token.span.start)
          isStart = false
        case .name(let name): word(name, token.span)
        case .int, .number, .duration: add(token.span, .number)
        case .flag: add(token.span, .flag)
        case .job: add(token.span, .job)
        case .symbol(let symbol):
          switch symbol {
          case .pipe, .semicolon, .openBrace, .openParen, .assign: isStart = true
          default: isStart = false
          }
        case .invalid: position = max(position, token.span.start + 1)
        }
      }
    }

    private mutating func add(_ span: Span, _ kind: ColouredSpan.Kind) {
      spans.append(ColouredSpan(span: span, kind: kind))
      isStart = false
    }

    private mutating func word(_ name: String, _ span: Span) {
      if Vocabulary.keywords.contains(name) || Vocabulary.operatorWords.contains(name) {
        add(span, .keyword)
        // `return map …`
        isStart = name == "return" || name == "in"
      } else if isStart, vocabulary.commands.contains(name) {
        add(span, .command)
      } else {
        isStart = false
      }
    }

    /// Comments between here and the next token.
    private mutating func comments(from start: Int) {
      var index = start
      while let byte = lexer.byte(index), byte == 0x20 || byte == 0x09 || byte == 0x0D { index += 1 }
      guard lexer.byte(index) == UInt8(ascii: "#"), index == 0 || lexer.isSpace(lexer.bytes[index - 1]) else { return }
      var end = index
      while let byte = lexer.byte(end), byte != 0x0A { end += 1 }
      spans.append(ColouredSpan(span: Span(index, end), kind: .comment))
    }

    /// A text up to its closing quote, or the end: the text itself, and its holes. Returns where it ends.
    private mutating func text(at start: Int) -> Int {
      let quote = lexer.bytes[start]
      let isLong = lexer.byte(start + 1) == quote && lexer.byte(start + 2) == quote
      var (index, begin) = (start + (isLong ? 3 : 1), start)
      while let byte = lexer.byte(index) {
        if byte == quote, !isLong || (lexer.byte(index + 1) == quote && lexer.byte(index + 2) == quote) {
          index += isLong ? 3 : 1
          break
        }
        if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
          index += 2
          continue
        }
        let inner = lexer.byte(index + 1) == UInt8(ascii: "{") ? index + 2 : index + 1
        if byte == UInt8(ascii: "{"), quote == UInt8(ascii: "\""), lexer.isNameStart(lexer.byte(inner)), let end = holeEnd(index) {
          spans.append(ColouredSpan(span: Span(begin, index), kind: .text))
          spans.append(ColouredSpan(span: Span(index, end), kind: .hole))
          (index, begin) = (end, end)
          continue
        }
        index += 1
      }
      index = min(index, lexer.bytes.count)
      spans.append(ColouredSpan(span: Span(begin, index), kind: .text))
      return index
    }

    private func holeEnd(_ start: Int) -> Int? {
      var (depth, index) = (0, start)
      while let byte = lexer.byte(index), byte != 0x0A {
        if byte == UInt8(ascii: "{") { depth += 1 }
        if byte == UInt8(ascii: "}") {
          depth -= 1
          if depth == 0 { return index + 1 }
        }
        index += 1
      }
      return nil
    }
  }
}
