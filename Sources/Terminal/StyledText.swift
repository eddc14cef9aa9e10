import TextWidth

/// A text and how its pieces look. It holds no sequences: those are made where it is written (`Drawing`), so that nothing in the text
/// can be one.
public struct StyledText: Sendable, Equatable, ExpressibleByStringLiteral {
  public struct Piece: Sendable, Equatable {
    public var text: String
    public var style: Style
  }

  public private(set) var pieces: [Piece] = []

  public init(_ text: String, _ style: Style = .plain) { append(text, style) }
  public init(stringLiteral text: String) { append(text, .plain) }

  public mutating func append(_ text: String, _ style: Style = .plain) {
    if text.isEmpty { return }
    if pieces.last?.style == style {
      pieces[pieces.count - 1].text += text
    } else {
      pieces.append(Piece(text: text, style: style))
    }
  }

  public mutating func append(_ character: Character, _ style: Style) {
    if pieces.last?.style == style {
      pieces[pieces.count - 1].text.append(character)
    } else {
      pieces.append(Piece(text: String(character), style: style))
    }
  }

  /// Without its looks.
  public var plain: String { pieces.count == 1 ? pieces[0].text : pieces.map(\.text).joined() }

  /// In columns.
  public var width: Int { DisplayWidth.of(plain) }
}
