/// What is written to a terminal. Text is guarded here, where it becomes bytes, whoever hands it over; the sequences that a terminal
/// obeys are a closed set of our own, which no text can name.
public struct Drawing: Sendable {
  /// What a terminal is told.
  public enum Control: Sendable {
    case up(Int)
    case down(Int)
    case right(Int)
    /// To the start of the row.
    case start
    /// To the start of the next row, which scrolls where it is the last.
    case newRow
    case eraseRow
    /// The whole screen, with the cursor at its upper left.
    case clear
    /// What stands between the two is shown at once (synchronized output).
    case beginUpdate, endUpdate
    /// Pasted text comes marked as such.
    case markPastes(Bool)

    fileprivate var sequence: String {
      switch self {
      case .up(let count): count > 0 ? "\u{1B}[\(count)A" : ""
      case .down(let count): count > 0 ? "\u{1B}[\(count)B" : ""
      case .right(let count): count > 0 ? "\u{1B}[\(count)C" : ""
      case .start: "\r"
      case .newRow: "\r\n"
      case .eraseRow: "\u{1B}[2K"
      case .clear: "\u{1B}[H\u{1B}[2J"
      case .beginUpdate: "\u{1B}[?2026h"
      case .endUpdate: "\u{1B}[?2026l"
      case .markPastes(let on): on ? "\u{1B}[?2004h" : "\u{1B}[?2004l"
      }
    }
  }

  public private(set) var bytes: [UInt8] = []

  public init() {}

  public var isEmpty: Bool { bytes.isEmpty }

  public mutating func control(_ controls: Control...) {
    for control in controls { bytes += control.sequence.utf8 }
  }

  /// Text of any number of lines.
  public mutating func text(_ text: String) {
    for byte in ControlGuard.clean(text).utf8 {
      if byte == 0x0A { bytes.append(0x0D) }
      bytes.append(byte)
    }
  }

  /// One row, which ends in plain style and holds no line end.
  public mutating func row(_ row: StyledText) {
    for piece in row.pieces {
      guard let parameter = piece.style.parameter else {
        bytes += ControlGuard.line(piece.text).utf8
        continue
      }
      bytes += "\u{1B}[\(parameter)m".utf8
      bytes += ControlGuard.line(piece.text).utf8
      bytes += "\u{1B}[0m".utf8
    }
  }

  public mutating func append(_ other: Drawing) { bytes += other.bytes }
}
