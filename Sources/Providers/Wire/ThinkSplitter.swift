/// Parts `<think>…</think>` at the start of a reply from the answer behind it: servers without a reasoning parser leave the model's
/// thoughts in its text. White space around either is dropped. What does not begin so is left as it is.
struct ThinkSplitter {
  private enum State { case start, inside, behind, plain }
  private var state: State
  /// Bytes whose place is not known yet.
  private var held: [UInt8] = []
  /// How many of them, at the start, are known to be blank: a reply may begin with a million of them, one an event.
  private var blanks = 0

  /// - Parameter keeps: leaves everything where it came.
  init(keeps: Bool) {
    state = keeps ? .plain : .start
  }

  mutating func take(_ bytes: some Collection<UInt8>, text: inout [UInt8], reasoning: inout [UInt8]) {
    if state == .plain {
      text += bytes
      return
    }
    // Most replies think nothing, and begin with neither a blank nor a bracket.
    if state == .start, held.isEmpty, let first = bytes.first, first != Self.opening[0], !Self.isBlank(first) {
      state = .plain
      text += bytes
      return
    }
    held += bytes
    while !held.isEmpty {
      switch state {
      case .start:
        while blanks < held.count, Self.isBlank(held[blanks]) { blanks += 1 }
        let body = held[blanks...]
        if body.starts(with: Self.opening) {
          held = Array(body.dropFirst(Self.opening.count).drop(while: Self.isBlank))
          state = .inside
        } else if Self.opening.starts(with: body) {
          return  // it may yet become one
        } else {
          state = .plain
        }
      case .inside:
        guard let mark = Self.position(of: Self.closing, in: held) else {
          let open = Self.unfinishedEnd(held)
          Self.append(held.dropLast(open), to: &reasoning)
          held = Array(held.suffix(open))
          return
        }
        Self.append(held[..<mark], to: &reasoning)
        while let last = reasoning.last, Self.isBlank(last) { reasoning.removeLast() }
        held = Array(held[(mark + Self.closing.count)...])
        state = .behind
      case .behind:
        let rest = held.drop(while: Self.isBlank)
        held = Array(rest)
        if !held.isEmpty { state = .plain }
      case .plain:
        text += held
        held = []
      }
    }
  }

  /// The reply is over: what is held is what it looks like.
  mutating func finish(text: inout [UInt8], reasoning: inout [UInt8]) {
    if state == .inside { reasoning += held } else if state == .start { text += held }
    held = []
  }

  private static let opening = Array("<think>".utf8)
  private static let closing = Array("</think>".utf8)

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  /// The first thought has no white space before it.
  private static func append(_ bytes: ArraySlice<UInt8>, to reasoning: inout [UInt8]) {
    reasoning += reasoning.isEmpty ? bytes.drop(while: isBlank) : bytes
  }

  private static func position(of mark: [UInt8], in bytes: [UInt8]) -> Int? {
    guard bytes.count >= mark.count else { return nil }
    return (0...(bytes.count - mark.count)).first { bytes[$0] == mark[0] && bytes[$0...].starts(with: mark) }
  }

  /// How many bytes at the end may be the start of the closing mark.
  private static func unfinishedEnd(_ bytes: [UInt8]) -> Int {
    (1..<closing.count).reversed().first { $0 <= bytes.count && closing.starts(with: bytes.suffix($0)) } ?? 0
  }
}
