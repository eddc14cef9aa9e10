/// One token. Texts are not tokens: the lexer stops at their quote, and the parser reads them piece by piece, since a hole holds
/// an expression of its own.
struct Token {
  enum Kind: Equatable {
    case name(String)
    case int(Int)
    case number(Double)
    case duration(Duration)
    case quote
    /// `--name`
    case flag(String)
    /// `%2`
    case job(Int)
    case symbol(Symbol)
    case newline
    case end
    /// With what is wrong.
    case invalid(String)
  }

  enum Symbol: String, CaseIterable {
    case equal = "=="
    case notEqual = "!="
    case lessOrEqual = "<="
    case greaterOrEqual = ">="
    case range = ".."
    case openParen = "("
    case closeParen = ")"
    case openBracket = "["
    case closeBracket = "]"
    case openBrace = "{"
    case closeBrace = "}"
    case comma = ","
    case dot = "."
    case colon = ":"
    case assign = "="
    case less = "<"
    case greater = ">"
    case plus = "+"
    case minus = "-"
    case star = "*"
    case slash = "/"
    case percent = "%"
    case pipe = "|"
    case ampersand = "&"
    case semicolon = ";"
  }

  var kind: Kind
  var span: Span
  /// White space, or the start of the text, stands before it.
  var spaceBefore: Bool
  var spaceAfter: Bool

  func `is`(_ symbol: Symbol) -> Bool { kind == .symbol(symbol) }
  func `is`(word: String) -> Bool { kind == .name(word) }
}
